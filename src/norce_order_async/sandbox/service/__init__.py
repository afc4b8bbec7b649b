"""What the real service does with a request: admission, handlers, totals, commit."""
