"""Tests of the generated core, and of what makes it."""
