"""Where the bearer token comes from."""
