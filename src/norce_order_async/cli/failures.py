"""The text of a failure: one line without control characters, or one JSON object, in the words of the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, Final, TextIO, cast

import click

from norce_order_async.display import printable
from norce_order_async.errors import (
    CallError,
    ConfigurationError,
    DuplicateOrderError,
    InvalidRequestError,
    NorceError,
    NotSentError,
    OutcomeUnknownError,
    PendingError,
    RefusedError,
    RejectedError,
    TokenError,
    TransitionSupersededError,
    UnavailableError,
    ValidationFailedError,
)


class ReaderGoneError(Exception):
    """The reader of the output has gone, as in ``norce-order list | head -1``. This is not a failure."""


def cause(error: BaseException) -> BaseException:
    """The failure to report. From a group of exceptions, it is an interrupt if there is one, otherwise the first."""
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        error = (group.subgroup(KeyboardInterrupt) or group).exceptions[0]
    return error


def silence(*streams: TextIO) -> None:
    """Send all further output of the streams to the null device, because their reader has gone."""
    for stream in streams:
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except OSError:  # the stream is not a file of this process
            continue


def one_line(error: Exception) -> str:
    """A failure in one line. For an error that is not this package's, the line begins with its class."""
    text = in_shell(printable(" ".join(str(error).split())))
    if isinstance(error, NorceError):
        return text
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind


PHRASES: Final = (
    (", or None to continue with those in the journal", ""),
    ("no token was given", "no --token-file was given"),
    ("give the token as token", "give the token in NORCE_TOKEN or --token-file"),
)
"""Phrases of error texts that only fit a program, and the phrases that replace them on the command line."""
_SWITCH = re.compile(r"\b(?:pass |say |give )?([a-z]+(?:_[a-z]+)*)=True\b(?: to norce\.bulk\(\.\.\.\))?")
_SNAKE = re.compile(
    r"\b(base_url|adapter_id|cart_reference|payment_id|date_from|date_to|max_in_flight|failure_limit|dry_run"
    r"|(?:billing|shipping)_(?:name|email|phone|country))s?\b"
)


def in_shell(text: str, arguments: Iterable[str] = ()) -> str:
    """An error text of the package, with the options of the command line in place of arguments.

    Args:
        text: The text.
        arguments: Further arguments to replace, which may also be plain English words.
    """
    for program, shell in PHRASES:
        text = text.replace(program, shell)
    text = _SWITCH.sub(lambda found: f"give {_option(found[1])}", text)
    text = _SNAKE.sub(lambda found: _option(found[1]), text)
    for name in arguments:
        text = re.sub(rf"(?<!the )(?<![-\w.]){name}\b(?![-.\w])", _option(name), text)
    return text


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


_OUTCOMES: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (RefusedError, "refused"),
    (ValidationFailedError, "refused"),
    (RejectedError, "rejected"),
    (UnavailableError, "unavailable"),
    (OutcomeUnknownError, "unknown"),
    (PendingError, "pending"),
    (TransitionSupersededError, "superseded"),
    (DuplicateOrderError, "duplicate"),
    ((NotSentError, TokenError, ConfigurationError, InvalidRequestError, click.UsageError), "not sent"),
)


def record(error: BaseException, message: str, exit_code: int) -> dict[str, Any]:
    """A failure as a JSON object. It always has the same members; those without a value are null."""
    call = error if isinstance(error, CallError) else None
    return {
        "error": type(error).__name__,
        "message": message,
        "outcome": next((word for kind, word in _OUTCOMES if isinstance(error, kind)), None),
        "status": getattr(call, "status", None),
        "code": getattr(call, "code", None),
        "correlation_id": (call.correlation_id or None) if call else None,
        "order_id": getattr(error, "order_id", None),
        "may_call_again": error.may_call_again if isinstance(error, NorceError) else False,
        "exit_code": exit_code,
    }
