"""Errors of the endpoint functions."""


class UnexpectedStatus(Exception):
    """The answer's status is not in the description, and the client is set to raise on that."""

    def __init__(self, status_code: int, content: bytes) -> None:
        self.status_code = status_code
        self.content = content
        super().__init__(f"Unexpected status {status_code}, with a body of {len(content)} bytes")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.status_code, self.content), vars(self)
