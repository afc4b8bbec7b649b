"""The words of a failed send, the same for every engine."""

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
    "write": "the request was not written whole",
    "read": "no answer came",
    "body": "the answer was not whole",
}

OUT_OF_TIME: Final = "the time for the whole send is over"
NOBODY_WAITS: Final = "nobody waits for the answer any more"


def failure(kind: type[SendError], phase: Phase, exc: Exception) -> SendError:
    """What is raised for ``exc``: the phase in words and the name of the class, nothing the exception says."""
    return kind(phase, f"{_PHRASES[phase]}: {type(exc).__name__}")


def system_error(exc: BaseException) -> OSError | None:
    """What the system said behind an exception of a library's, if it did. It may be the cause of an error of ours.

    The library's own exception may not: it holds headers of the request or bytes of the answer.
    """
    behind: BaseException | None = exc
    while behind is not None and not isinstance(behind, OSError):
        behind = behind.__cause__ or behind.__context__
    return behind


def refined(phase: Phase, exc: Exception) -> Phase:
    """``connect`` made exact by what lies behind the exception."""
    behind: BaseException | None = exc
    while phase == "connect" and behind is not None:
        if isinstance(behind, socket.gaierror):
            return "resolve"
        if isinstance(behind, ssl.SSLError):
            return "tls"
        # httpcore's pool re-raises "from None", which empties the cause and leaves the context.
        behind = behind.__cause__ or behind.__context__
    return phase
