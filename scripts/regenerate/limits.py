"""Time limits of the steps: a description is not trusted, and a few bytes can keep a program busy for ever."""

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from regenerate.failure import RegenerationError

STEP = 60.0
"""Seconds of processor time for each step; with the description of this API no step takes more than five."""
_AGAIN = 1.0  # should something on the way have taken the first one for its own


class _Late(BaseException):
    """Not an Exception, so that no library catches it."""


@contextmanager
def within(seconds: float, what: str, *, waits: bool = False) -> Generator[None, None, None]:
    """Ends its block when the time is up. The text of the failure begins with `what`.

    It counts processor time, so that a busy machine causes no failure. With `waits` it counts real time, for steps that
    can wait without using the processor.
    """
    timer, sent = (signal.ITIMER_REAL, signal.SIGALRM) if waits else (signal.ITIMER_PROF, signal.SIGPROF)

    def late(_number: int, _frame: FrameType | None) -> None:
        raise _Late

    now = time.monotonic if waits else time.process_time
    begun = now()
    handler = signal.signal(sent, late)
    remaining, interval = signal.setitimer(timer, seconds, _AGAIN)
    try:
        yield
    except _Late:
        raise RegenerationError(f"{what} within {seconds:g} seconds") from None
    finally:
        signal.setitimer(timer, 0)
        signal.signal(sent, handler)
        if remaining:
            signal.setitimer(timer, max(remaining - (now() - begun), 0.001), interval)
