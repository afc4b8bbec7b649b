"""Plays a plan: counts requests, decides which faults each of them meets, and logs these.

`Faults.meets` decides about a request at once, without waiting, so the decision depends only on the order in which
requests arrive. The application carries it out.
"""

from __future__ import annotations

import hashlib
import random
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from norce_order_async.sandbox.arguments import (
    check_has,
    check_is,
    check_moment,
    check_seconds,
    check_text,
    check_whole,
)
from norce_order_async.sandbox.faults.kinds import (
    Breaking,
    Delay,
    ExpireToken,
    LimitConcurrency,
    LimitRate,
    LognormalDelay,
    RefuseConnection,
    Respond,
    UniformDelay,
    ending,
)
from norce_order_async.sandbox.faults.parse import PlanLike, plan_of
from norce_order_async.sandbox.faults.plan import FaultPlan, FaultRule
from norce_order_async.sandbox.live import LiveSequence
from norce_order_async.sandbox.service.clock import ServiceClock

NO_PLAN = FaultPlan()

_NAP = 0.1

_CONNECTIONS = "connections"


@dataclass(frozen=True, slots=True)
class PlayedFault:
    """A fault that was played to a request.

    `operation` is None for a connection. `request` is the number of the request among those of its operation, or of the
    connection, from 1.

    Example::

        sandbox.faults.play("lost-answers")
        for played in sandbox.faults:
            print(played.operation, played.request, played.fault)
        sandbox.faults.stop()
    """

    operation: str | None
    request: int
    fault: str


@dataclass(slots=True)
class Met:
    """The faults that one request meets."""

    seconds: float = 0.0
    """Seconds to wait first."""
    breaking: Breaking | None = None
    names: list[str] = field(default_factory=list[str])
    held: list[int] = field(default_factory=list[int])


class Faults(LiveSequence[PlayedFault]):
    """What the sandbox plays, and what it has played, oldest first. Safe to use while the server runs.

    Example::

        sandbox.faults.play("lost-answers")
        for played in sandbox.faults:
            print(played.operation, played.request, played.fault)
        sandbox.faults.stop()
    """

    def __init__(
        self, clock: ServiceClock, seed: int | None = None, plan: PlanLike = NO_PLAN, keep: int = 10_000
    ) -> None:
        check_has("clock", clock, "now")
        if seed is not None:
            check_whole("seed", seed, -sys.maxsize, sys.maxsize)
        check_whole("keep", keep, 0, sys.maxsize)
        self._clock = clock
        self._default_seed = seed or 0
        self._lock = threading.Lock()
        self._played: deque[PlayedFault] = deque(maxlen=keep)
        self.hurry = False
        """Set while the server stops, so that no request waits any longer."""
        self._begin(plan_of(plan))
        # The time of a given clock is checked once, before anything is calculated from it.
        check_moment("clock.now()", self._began)

    @property
    def plan(self) -> FaultPlan:
        """The plan that is being played."""
        return self._plan

    def play(self, plan: PlanLike) -> None:
        """Play another plan from its beginning: the name of a ready-made one, a file, plain data or a `FaultPlan`.

        Raises:
            FaultPlanError: There is no such plan, or it can't be played; the earlier plan goes on.
        """
        chosen = plan_of(plan)
        with self._lock:
            self._begin(chosen)

    def stop(self) -> None:
        """Stop playing faults."""
        self.play(NO_PLAN)

    def restart(self) -> None:
        """Play the plan again from its beginning, with an empty log."""
        with self._lock:
            self._begin(self._plan)
            self._played.clear()

    def _begin(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._seed = self._default_seed if plan.seed is None else plan.seed
        self._began = self._clock.now()
        self._counts: Counter[str] = Counter()
        self._answering: Counter[int] = Counter()
        self._buckets = {
            index: _Bucket(rule.fault, self._began)
            for index, rule in enumerate(plan.rules)
            if isinstance(rule.fault, LimitRate)
        }
        self._expired: dict[str, datetime] = {}

    @contextmanager
    def meets(self, operation: str, reads: bool, token: str | None) -> Generator[Met]:
        """The faults that a request meets. The request is being answered as long as this block runs.

        Raises:
            TypeError: The operationId or the token is not a string.
        """
        check_is("operation", operation, str, "a string")
        check_is("token", token, str | None, "a string or None")
        with self._lock:
            plan, answering = self._plan, self._answering
            met = self._decide(operation, reads, token) if plan.rules else Met()
        try:
            yield met
        finally:
            if met.held:
                with self._lock:
                    answering.subtract(met.held)

    async def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the stop of the server, which would have to cancel the request.

        Raises:
            TypeError, ValueError: ``seconds`` is not a finite number, 0 or more.
        """
        check_seconds("seconds", seconds)
        until = time.monotonic() + seconds
        # Polled, because an event of one loop can't be set from another thread.
        while (left := until - time.monotonic()) > 0 and not self.hurry:  # noqa: ASYNC110
            await anyio.sleep(min(left, _NAP))

    def refuses_connection(self) -> bool:
        """Whether to reset a new connection. Each call counts as one connection."""
        with self._lock:
            rules = [(i, rule) for i, rule in enumerate(self._plan.rules) if isinstance(rule.fault, RefuseConnection)]
            if not rules:
                return False
            self._counts[_CONNECTIONS] += 1
            number = self._counts[_CONNECTIONS]
            for index, rule in rules:
                if self._due(index, rule, _CONNECTIONS, number):
                    self._played.append(PlayedFault(None, number, "connection refused"))
                    return True
        return False

    def _decide(self, operation: str, reads: bool, token: str | None) -> Met:
        met = Met()
        self._counts[operation] += 1
        number = self._counts[operation]
        if token is not None and self._is_expired(token):
            met.breaking = Respond(401)
            met.names.append("token expired")
        else:
            for index, rule in enumerate(self._plan.rules):
                if rule.covers(operation, reads) and self._due(index, rule, operation, number):
                    self._meet(met, index, rule, operation, number, token)
                if met.breaking is not None:
                    break
        self._played.extend(PlayedFault(operation, number, name) for name in met.names)
        return met

    def _meet(self, met: Met, index: int, rule: FaultRule, operation: str, number: int, token: str | None) -> None:
        """Add one rule's fault to those that a request meets."""
        now = self._clock.now()
        match rule.fault:
            case Delay() | UniformDelay() | LognormalDelay() as delay:
                seconds = delay.drawn(random.Random(self._key(index, operation, number)))
                met.seconds += seconds
                met.names.append(f"delay {seconds:.3f} s")
            case ExpireToken(seconds):
                if token is not None:
                    self._expired[token] = now + timedelta(seconds=seconds)
                met.breaking = Respond(401)
                met.names.append("token expired")
            case LimitRate(form=form):
                wait = self._buckets[index].wait(now)
                if wait:
                    met.breaking = Respond(429, wait, form)
                    met.names.append("answer 429, too fast")
            case LimitConcurrency(retry_after=wait, form=form) as limited:
                if self._answering[index] >= limited.at(self._passed(now)):
                    met.breaking = Respond(429, wait, form)
                    met.names.append("answer 429, too many at once")
                else:
                    self._answering[index] += 1
                    met.held.append(index)
            case Respond(retry_after="window") as response if rule.window is not None:
                left = rule.window.left(self._passed(now)) or 0.0
                met.breaking = Respond(response.status, left, response.form, response.after_effect, response.html)
                met.names.append(ending(met.breaking).said(met.breaking))
            case RefuseConnection():
                # Connections meet it, not requests; see `refuses_connection`.
                return
            case breaking:
                met.breaking = breaking
                met.names.append(ending(breaking).said(breaking))

    def _due(self, index: int, rule: FaultRule, operation: str, number: int) -> bool:
        if not rule.counts(number):
            return False
        if rule.window is not None and rule.window.left(self._passed(self._clock.now())) is None:
            return False
        return rule.share == 1 or self._chance(index, operation, number) < rule.share

    def _chance(self, index: int, operation: str, number: int) -> float:
        """A number from 0 to 1 that depends only on the seed, the rule, the operation and the count of requests."""
        return int.from_bytes(self._key(index, operation, number), "big") / 2**64

    def _key(self, index: int, operation: str, number: int) -> bytes:
        return hashlib.blake2b(f"{self._seed}/{index}/{operation}/{number}".encode(), digest_size=8).digest()

    def _passed(self, now: datetime) -> float:
        return (now - self._began).total_seconds()

    def _is_expired(self, token: str) -> bool:
        until = self._expired.get(token)
        return until is not None and self._clock.now() < until

    def of(self, operation: str | None) -> Sequence[PlayedFault]:
        """The faults played to one operation, by its operationId; with None, those played to connections.

        Raises:
            TypeError, ValueError: The operationId is not a string that can be one.
        """
        if operation is not None:
            check_text("operation", operation)
        return [played for played in self if played.operation == operation]

    def __len__(self) -> int:
        return len(self._played)

    def _kept(self) -> list[PlayedFault]:
        with self._lock:
            return list(self._played)


class _Bucket:
    """A token bucket: room for a burst of requests, refilled at a steady rate."""

    def __init__(self, limit: LimitRate, now: datetime) -> None:
        self._limit = limit
        self._room = float(limit.burst)
        self._at = now

    def wait(self, now: datetime) -> float:
        """Take room for one request, and return 0; or return the seconds until there is room."""
        filled = (now - self._at).total_seconds() * self._limit.per_second
        self._room = min(self._limit.burst, self._room + filled)
        self._at = now
        if self._room >= 1:
            self._room -= 1
            return 0.0
        return (1 - self._room) / self._limit.per_second
