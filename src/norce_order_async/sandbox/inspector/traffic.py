"""The log of requests for the inspector, which also keeps the number, the time and the answer of each request."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from norce_order_async.sandbox.readings import noted
from norce_order_async.sandbox.records import ReceivedRequest, RequestLog
from norce_order_async.sandbox.service.calls import ServiceAnswer
from norce_order_async.sandbox.service.clock import ServiceClock

_MOST_ANSWERS = 64 * 1024 * 1024
"""Largest size in bytes of all kept answers; the oldest are dropped first."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer."""

    number: int
    at: datetime
    """By the sandbox's clock."""
    request: ReceivedRequest = field(repr=False)
    answer: ServiceAnswer | None = field(default=None, repr=False)
    """The service's answer, even if a fault kept it from arriving; None before it is made, and when it was dropped."""
    answered: bool = False

    @property
    def correlation_id(self) -> str:
        """The caller's header ``x-correlation-id``; empty if there is none."""
        return self.request.headers.get("x-correlation-id", "")

    @property
    def lost(self) -> bool:
        """Whether the request has ended and its sender got no answer."""
        return self.answered and self.request.status is None


class Traffic(RequestLog):
    """The log of requests for a sandbox with an inspector."""

    def __init__(self, keep: int, clock: ServiceClock) -> None:
        super().__init__(keep)
        self._clock = clock
        self._keep = keep
        self._count = 0
        self._exchanges: dict[int, Exchange] = {}
        self._by_rules: dict[int, Exchange] = {}
        self._with_answers: deque[Exchange] = deque()
        self._bytes = 0
        self._by_effect: dict[tuple[int, str, str], int] = {}
        self.changes = 0
        """Grows with each request, each answer and each effect."""

    def add(self, request: ReceivedRequest) -> None:
        """Add a request; the oldest is dropped when the log is full."""
        super().add(request)
        with self._lock:
            self.changes += 1
            self._count += 1
            exchange = Exchange(self._count, self._clock.now(), request)
            self._exchanges[exchange.number] = exchange
            self._by_rules[id(request.rules)] = exchange
            while len(self._exchanges) > self._keep:
                self._drop(next(iter(self._exchanges)))

    def answered(self, request: ReceivedRequest, reply: ServiceAnswer) -> None:
        """Keep the answer to a request."""
        with self._lock:
            self.changes += 1
            exchange = self._by_rules.get(id(request.rules))
            if exchange is None:
                return
            exchange.answered = True
            exchange.answer = reply
            self._bytes += len(reply.body)
            self._with_answers.append(exchange)
            while self._bytes > _MOST_ANSWERS or (self._with_answers and self._with_answers[0].answer is None):
                self._forget_answer(self._with_answers.popleft())

    def took_effect(self, number: int, at: str, order_id: str) -> None:
        """Note that the current request caused an effect, also if the effect came after the answer."""
        with self._lock:
            self.changes += 1
            exchange = self._by_rules.get(id(noted()))
            if exchange is not None:
                self._by_effect[number, at, order_id] = exchange.number
                while len(self._by_effect) > 4 * self._keep:
                    del self._by_effect[next(iter(self._by_effect))]

    def cause_of(self, number: int, at: str, order_id: str) -> Exchange | None:
        """The request that caused an effect, if it is kept."""
        return self.exchange(self._by_effect.get((number, at, order_id), 0))

    def clear(self) -> None:
        """Empty the log."""
        super().clear()
        with self._lock:
            self.changes += 1
            self._exchanges.clear()
            self._by_rules.clear()
            self._by_effect.clear()
            self._with_answers.clear()
            self._bytes = 0

    def exchange(self, number: int) -> Exchange | None:
        """The request with this number, if it is kept."""
        return self._exchanges.get(number)

    def newest(self, before: float = math.inf) -> Iterator[Exchange]:
        """The requests with numbers below ``before``, newest first."""
        with self._lock:
            kept = list(self._exchanges.values())
        return (exchange for exchange in reversed(kept) if exchange.number < before)

    def oldest(self) -> Iterator[Exchange]:
        """The requests, oldest first."""
        with self._lock:
            return iter(list(self._exchanges.values()))

    def _drop(self, number: int) -> None:
        exchange = self._exchanges.pop(number)
        del self._by_rules[id(exchange.request.rules)]
        self._forget_answer(exchange)

    def _forget_answer(self, exchange: Exchange) -> None:
        if exchange.answer is not None:
            self._bytes -= len(exchange.answer.body)
            exchange.answer = None
