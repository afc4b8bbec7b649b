"""The domain: a collection of orders, the handle of one order, and a class for each part of it."""
