"""Where the sandbox keeps its orders."""
