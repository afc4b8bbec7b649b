"""Tests of the generated core, and of the templates that make it."""
