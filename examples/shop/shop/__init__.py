"""A small shop that sells through Norce Checkout."""
