"""A web service that sells through Norce Checkout."""
