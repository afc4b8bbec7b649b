"""The domain: a collection of orders, the handle of one, and a room for each part of it."""
