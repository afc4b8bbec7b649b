"""Refusals of requests: a status and a body of `{code, message}`."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - it is an answer
    """Ends a request with an error answer; nothing of the request takes effect."""

    def __init__(self, status: int, code: str, message: str, body: bytes | None = None) -> None:
        super().__init__(status, code, message)
        self.body = body
        """The body of the answer, in place of code and message; None for these."""
        self.status = status
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


def bad_request(message: str) -> Refusal:
    """400 ``order-bad-request``."""
    return Refusal(400, "order-bad-request", message)


def not_valid(message: str) -> Refusal:
    """400 ``order-validation``."""
    return Refusal(400, "order-validation", message)


def not_found(thing: str, identifier: str) -> Refusal:
    """`not_found("payment", "p...")` answers `payment-not-found`."""
    return Refusal(404, f"{thing}-not-found", f"{thing.capitalize()} with id:{identifier} not found.")


def conflict(message: str) -> Refusal:
    """409 ``order-conflict``."""
    return Refusal(409, "order-conflict", message)
