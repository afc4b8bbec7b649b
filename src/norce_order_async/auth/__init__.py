"""Providers of the bearer token."""
