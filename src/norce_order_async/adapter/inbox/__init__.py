"""Notifications that are stored before they are answered, and worked on until they are handled."""
