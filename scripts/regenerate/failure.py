"""The one way in which a step says no."""


class RegenerationError(Exception):
    """What is wrong, in one line for people. Nothing has been changed when it is raised."""
