"""Each reading of each rule, as a client over a socket meets it."""
