"""Inboxes: they store notifications before these are answered, and call handlers until they succeed."""
