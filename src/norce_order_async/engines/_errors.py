"""The texts of a failed send, the same for every engine."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Final

from norce_order_async.engines.base import SendError
from norce_order_async.errors import Phase

_PHRASES: Final[Mapping[Phase, str]] = {
    "resolve": "the host name could not be resolved",
    "connect": "no connection could be made",
    "tls": "the TLS handshake failed",
    "pool": "no connection was free in time",
    "closed": "the engine is closed",
    "write": "the request was not written completely",
    "read": "no answer came",
    "body": "the answer was not complete",
}

OUT_OF_TIME: Final = "the time for the whole send is over"
CALLER_LEFT: Final = "the caller no longer waits for the answer"


def failure(kind: type[SendError], phase: Phase, exc: Exception) -> SendError:
    """The error to raise for ``exc``. Its text has the phase in words and the class of ``exc``, not the text of it."""
    return kind(phase, f"{_PHRASES[phase]}: {type(exc).__name__}")


def system_error(exc: BaseException) -> OSError | None:
    """The operating system's error behind a library's exception, if there is one. It may be the cause of our error.

    The library's own exception may not, because it can hold headers of the request or bytes of the answer.
    """
    behind: BaseException | None = exc
    while behind is not None and not isinstance(behind, OSError):
        behind = behind.__cause__ or behind.__context__
    return behind


def refined(phase: Phase, exc: Exception) -> Phase:
    """For ``connect``, the more exact phase that the cause of the exception shows; other phases as they are."""
    behind: BaseException | None = exc
    while phase == "connect" and behind is not None:
        if isinstance(behind, socket.gaierror):
            return "resolve"
        if isinstance(behind, ssl.SSLError):
            return "tls"
        # httpcore's pool re-raises "from None", which empties the cause and leaves the context.
        behind = behind.__cause__ or behind.__context__
    return phase
