"""Each reading of each rule, as a client meets it over a socket."""
