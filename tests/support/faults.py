"""Faults of a request on its way, and plans that choose which request gets one."""

from __future__ import annotations

import enum
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passing:
    """The request that a plan decides about."""

    number: int
    """The number of the request, from 1 on, over all connections."""
    method: str
    target: str
    """The path and the query."""
    head: bytes = b""
    """The first line and the headers, as they came."""

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class Fault(enum.Enum):
    """The fault of one request."""

    PASS = "pass"
    DELAY = "delay"
    """The request is passed on a little later."""
    HOLD = "hold"
    """The request is held until the test releases the proxy, and then passed on."""

    # With these the service acts, and its answer does not arrive.
    DROP = "drop"
    DROP_RESET = "drop and reset"
    CUT = "cut"
    """The client gets half an answer."""
    MASK = "mask"
    """The client gets a gateway's 502 in HTML instead of the answer."""
    BUSY_AFTER = "503 with Retry-After, after the effect"
    """The client gets a gateway's 503 with Retry-After instead of the answer."""
    LATE = "late"
    """The connection is closed first, and the service gets the request a little later."""
    HANG = "hang"
    """The client gets no answer until it closes."""

    # With these the service never gets the request.
    RESET = "reset"
    SILENCE = "silence"
    """The client gets no bytes until it closes."""
    THROTTLE = "429"
    BUSY = "503 with Retry-After"
    ERROR = "500"
    GATEWAY = "502"

    @property
    def reaches(self) -> bool:
        """Return whether the service gets the request."""
        return self not in _UNSEEN


_UNSEEN = frozenset({Fault.RESET, Fault.SILENCE, Fault.THROTTLE, Fault.BUSY, Fault.ERROR, Fault.GATEWAY})

DROPS = (Fault.DROP, Fault.DROP_RESET, Fault.BUSY_AFTER)
"""The service acts, and the client gets no answer."""
ALL_THAT_END = tuple(fault for fault in Fault if fault not in (Fault.PASS, Fault.HOLD, Fault.HANG, Fault.SILENCE))
"""Faults after which the client gets something without a timeout, or at least a close."""

Plan = Callable[[Passing], Fault]
"""Chooses the fault of a request; called on the proxy's thread, before the service gets the request."""


def passes(_request: Passing) -> Fault:
    """Choose no fault for any request."""
    return Fault.PASS


class Seeded:
    """Random faults, at a rate; the same seed draws the same ones in the order in which requests arrive.

    Args:
        seed: the seed of the random numbers.
        rate: the share of the requests that get a fault.
        faults: the faults, each as likely as the others.
        writes_only: whether reads get no fault. They draw nothing then, so only the writes decide how many faults there
            are.
    """

    def __init__(self, seed: int, rate: float, faults: Sequence[Fault], *, writes_only: bool = False) -> None:
        self._random = random.Random(seed)
        self._rate = rate
        self._faults = faults
        self._writes_only = writes_only

    def __call__(self, request: Passing) -> Fault:
        if self._writes_only and not request.writes:
            return Fault.PASS
        if self._random.random() >= self._rate:
            return Fault.PASS
        return self._random.choice(self._faults)


class Scripted:
    """Plays the given faults, one for each request, and none after them."""

    def __init__(self, *faults: Fault) -> None:
        self._faults = deque(faults)

    def __call__(self, request: Passing) -> Fault:
        return self._faults.popleft() if self._faults else Fault.PASS
