"""The domain: the collection of orders, the class of one order, and a class for each of its parts."""
