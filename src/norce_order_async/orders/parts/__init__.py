"""The parts of an order: each is reached from its handle, such as ``order.payments``."""
