"""How long to wait before a repeat.

Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): before retry *n* = 1, 2, ... a number drawn
evenly from ``[0, min(cap, base * 2 ** (n - 1))]``. A Retry-After is a lower bound, stretched by 0-10 % so that callers
told the same second do not come back in step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

RETRY_AFTER_STRETCH = 0.1


def jittered(retry: int, *, base: float, cap: float, uniform: Callable[[float, float], float]) -> float:
    """Seconds to wait before retry number ``retry``, which counts from 1."""
    # Past 2**60 the cap has won long ago; the bound keeps the power from overflowing.
    return uniform(0.0, min(cap, base * 2.0 ** min(retry - 1, 60)))


def stretched(retry_after: float, uniform: Callable[[float, float], float]) -> float:
    """A Retry-After with 0-10 % on top."""
    return retry_after * uniform(1.0, 1.0 + RETRY_AFTER_STRETCH)


def retry_after(headers: Mapping[str, str], wall: Callable[[], float]) -> float | None:
    """Seconds the service asks to wait, or None when it does not say or says nonsense.

    Three forms: ``retry-after-ms`` (milliseconds), ``Retry-After`` in seconds, ``Retry-After`` as an HTTP date
    (RFC 9110, 10.2.3). A moment that has passed counts as 0.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        # A date without a zone, or with RFC 5322's "-0000", would be read as this machine's local time.
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - wall())


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    text = text.strip()
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return None
    number = float(text)
    return number if math.isfinite(number) else None
