"""Carries out requests as the real service does: admission, handlers, totals, commit."""
