"""What is said of a failure, and of anything else that came from outside: one line without control characters, or one
JSON object; in words that fit a shell."""

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
    """The reader of the output has gone, as in ``norce-order list | head -1``: nothing has failed."""


def cause(error: BaseException) -> BaseException:
    """The failure to report: the one inside a task group's, and an interrupt before all others."""
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        error = (group.subgroup(KeyboardInterrupt) or group).exceptions[0]
    return error


def silence(*streams: TextIO) -> None:
    """Let what is still printed go nowhere: its reader is gone."""
    for stream in streams:
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except OSError:  # no file of this process's
            continue


def one_line(error: Exception) -> str:
    """A failure in one line; an unexpected one also names its class."""
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
"""What texts for programs say that a command can't do as it stands, and what it can."""
_SWITCH = re.compile(r"\b(?:pass |say |give )?([a-z]+(?:_[a-z]+)*)=True\b(?: to norce\.bulk\(\.\.\.\))?")
_SNAKE = re.compile(
    r"\b(base_url|adapter_id|cart_reference|payment_id|date_from|date_to|max_in_flight|failure_limit|dry_run"
    r"|(?:billing|shipping)_(?:name|email|phone|country))s?\b"
)


def in_shell(text: str, arguments: Iterable[str] = ()) -> str:
    """A text for programs in the words of a shell: options where it names arguments.

    Args:
        text: it.
        arguments: those that are ordinary words elsewhere, and options here.
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
    """A failure as one JSON object: the same members each time, null where there is nothing to say."""
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
