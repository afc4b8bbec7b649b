"""The exception that a step raises when it refuses to go on."""


class RegenerationError(Exception):
    """A step failed. The text says why, in one line for people. No file has been changed."""
