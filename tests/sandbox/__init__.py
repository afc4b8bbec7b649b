"""The local order service: every rule it follows has a test that names it."""
