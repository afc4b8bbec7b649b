"""How long a step may take: a description comes from outside, and a few bytes can keep a program busy for ever."""

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from regenerate.failure import RegenerationError

STEP = 60.0
"""Seconds for each step; with the description of this API none takes more than two."""
_AGAIN = 1.0  # should something on the way have taken the first one for its own


class _Late(BaseException):
    """No Exception, so that no library takes it for one of its own."""


@contextmanager
def within(seconds: float, what: str) -> Generator[None, None, None]:
    """Ends what is done in it when the time is up; `what` says what was not done."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise _Late

    begun = time.monotonic()
    handler = signal.signal(signal.SIGALRM, late)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    except _Late:
        raise RegenerationError(f"{what} within {seconds:g} seconds") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining:
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - begun), 0.001), interval)
