"""Files and databases that keep work until it is done. The inbox of an adapter is built on this package."""
