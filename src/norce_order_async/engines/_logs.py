"""Keeps queries and headers of our requests out of the logs of HTTP libraries.

httpx logs whole addresses at INFO; the libraries below it log headers at DEBUG. They have no switch for that, so
filters on their loggers remove these parts from records made during a send of ours. Other requests are logged as
before.
"""

from __future__ import annotations

import functools
import logging
from contextvars import ContextVar
from typing import Final

from norce_order_async.engines._httpx_stream import CURRENT

OURS: ContextVar[bool] = ContextVar("norce_order_async.ours", default=False)
"""Whether this task sends a request of ours without one of our engines."""

_CLIENTS: Final = ("httpx", "httpx2")
_BELOW: Final = (
    *(
        f"{name}.{part}"
        for name in ("httpcore", "httpcore2")
        for part in ("connection", "http11", "http2", "proxy", "socks")
    ),
    "hpack.hpack",
    "hpack.table",
    "h2.config",
    "h2.connection",
)


@functools.cache
def keep_quiet() -> None:
    """Install the filters, once per process."""
    for name in _CLIENTS:
        logging.getLogger(name).addFilter(_without_query)
    for name in _BELOW:
        logging.getLogger(name).addFilter(_event_alone)


def _without_query(record: logging.LogRecord) -> bool:
    if _is_ours() and isinstance(record.args, tuple):
        record.args = tuple(one if isinstance(one, int) else str(one).partition("?")[0] for one in record.args)
    return True


def _event_alone(record: logging.LogRecord) -> bool:
    if _is_ours():
        record.msg, record.args = record.getMessage().partition(" ")[0], ()
    return True


def _is_ours() -> bool:
    return OURS.get() or CURRENT.get() is not None
