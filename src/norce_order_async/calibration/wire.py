"""Sends single requests of probes, and separates answers that are evidence from faults.

Probes do not use the SDK's pipeline, because its tolerance would hide what they look for. So faults are handled here.
Only reads are repeated. A 429, a 5xx and a broken connection show nothing about a rule and raise
:class:`NoEvidenceError`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from norce_order_async._json import UNREADABLE, is_list, is_mapping, mapping_or_empty, read_json, write_json
from norce_order_async._version import __version__
from norce_order_async.engines.base import Engine, SendError, Timeouts, UnsentError, WireRequest
from norce_order_async.pipeline.retry import retry_after
from norce_order_async.runtime.clock import Clock

ORDERS: Final = "/api/v0/checkout/orders"
ORDER: Final = ORDERS + "/{order_id}"

NOTHING: Final = object()
"""A marker in place of a body: no body is sent."""

PER_MINUTE: Final = 40
"""Requests a minute at most, unless the service is on this machine."""
MOST_TRIES: Final = 5
"""Largest number of sends of one read."""
MOST_SERVER_ERRORS: Final = 3
"""Answers of 5xx after which the run stops."""
LONGEST_WAIT: Final = 60.0
"""Longest Retry-After that is followed, in seconds. With a longer one the run waits this long and sends again."""
_PAUSE: Final = 0.5
_MINUTE: Final = 60.0


class NoEvidenceError(Exception):
    """No answer gives evidence about a rule. The text says why, without data of an answer."""


class StopError(Exception):
    """The run must stop, because it could do harm. The text says why."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its whole answer."""

    method: str
    path: str
    """As the description writes it: ``/api/v0/checkout/orders/{order_id}``."""
    query: Mapping[str, str]
    sent: Any = field(repr=False)
    """The JSON data of the body, or :data:`NOTHING`."""
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    data: Any = field(repr=False)
    """The answer's JSON data; ``UNREADABLE`` if the body is not JSON."""
    began: float
    """The time at which it was sent, by the clock's ``monotonic``."""
    took: float
    """The seconds until the answer."""

    @property
    def succeeded(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the service rejected the request itself, and not for missing rights or an unknown path."""
        return self.status in (400, 409, 422)

    @property
    def mapping(self) -> Mapping[str, Any]:
        """The answer as an object; empty if it is not an object."""
        return mapping_or_empty(None if self.data is UNREADABLE else self.data)

    @property
    def orders(self) -> list[Mapping[str, Any]]:
        """The orders of a page."""
        data: object = self.mapping.get("data")
        return [one for one in data if is_mapping(one)] if is_list(data) else []


class RateLimit:
    """A limit of the requests in any 60 seconds of the clock.

    Args:
        clock: the clock.
        per_minute: the largest number of requests; None sets no limit.
    """

    def __init__(self, clock: Clock, per_minute: int | None) -> None:
        self._clock = clock
        self._most = per_minute
        self._sent: deque[float] = deque()

    async def take(self) -> None:
        """Wait until one more request may be sent, and count it."""
        await self.room(1)
        self._sent.append(self._clock.monotonic())

    async def room(self, count: int) -> None:
        """Wait until ``count`` requests may be sent without a wait between them."""
        if self._most is None:
            self._sent.clear()
            return
        while True:
            now = self._clock.monotonic()
            while self._sent and self._sent[0] <= now - _MINUTE:
                self._sent.popleft()
            too_many = len(self._sent) + min(count, self._most) - self._most
            if too_many <= 0:
                return
            await self._clock.sleep(self._sent[too_many - 1] + _MINUTE - now)


class Wire:
    """Sends requests to the service, one at a time, within the rate.

    Args:
        base_url: the address before ``/api/v0``.
        headers: the headers of every request, including token and channel.
        engine: sends the requests.
        clock: the clock for the rate and for waiting.
        per_minute: requests a minute at most; None sets no limit.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], engine: Engine, clock: Clock, per_minute: int | None
    ) -> None:
        self.base_url = base_url
        self.clock = clock
        self.rate = RateLimit(clock, per_minute)
        self.seen: list[Exchange] = []
        """Every answer, without those that are faults."""
        self.requests = 0
        """Requests sent."""
        self.lenient = False
        """Whether the run is cleaning up, so that a 5xx does not stop it."""
        self.accepted = False
        """Whether an answer showed that the token is known."""
        self._headers = {
            "user-agent": f"norce-order-async/{__version__} calibrate",
            "accept": "application/json",
            **headers,
        }
        self._engine = engine
        self._server_errors = 0
        self._not_before = 0.0

    async def read(self, path: str, order_id: str = "", *, channel: str | None = None, **query: str) -> Exchange:
        """Send a GET. It is sent again if its answer gives no evidence.

        Raises:
            NoEvidenceError: there was no such answer in :data:`MOST_TRIES` tries.
            StopError: the service failed too often.
        """
        return await self._repeated(lambda: self._once("GET", path, {"order_id": order_id}, NOTHING, query, channel))

    async def validate(self, order_id: str) -> Exchange:
        """Have an order validated, which changes nothing; raises as :meth:`read`."""
        return await self._repeated(
            lambda: self._once("POST", ORDER + "/validate", {"order_id": order_id}, NOTHING, {}, None)
        )

    async def write(
        self, method: str, path: str, order_id: str = "", body: Any = NOTHING, *, payment_id: str = ""
    ) -> Exchange:
        """Send a change, once.

        Raises:
            NoEvidenceError: the answer gives no evidence, or there is none; the change may have been made.
            StopError: the service failed too often.
        """
        ids = {"order_id": order_id, "payment_id": payment_id}
        for _ in range(MOST_TRIES - 1):
            try:
                return await self._once(method, path, ids, body, {}, None)
            except _NothingSentError:
                # Nothing was sent, so this is not a repetition.
                await self.clock.sleep(_PAUSE)
        return await self._once(method, path, ids, body, {}, None)

    async def fetch(self, url: str, headers: Mapping[str, str]) -> tuple[int, bytes] | None:
        """Request any address with only these headers; returns status and body, or None without an answer."""
        await self.rate.take()
        self.requests += 1
        try:
            answer = await self._engine.send(WireRequest("GET", url, headers, None, Timeouts(), total=30.0))
        except SendError:
            return None
        return answer.status, answer.body

    def authorised(self) -> dict[str, str]:
        """The headers of every request, for :meth:`fetch` at the service's own host."""
        return dict(self._headers)

    async def _repeated(self, send: Callable[[], Awaitable[Exchange]]) -> Exchange:
        last = NoEvidenceError("no answer")
        for tried in range(MOST_TRIES):
            try:
                return await send()
            except NoEvidenceError as error:
                last = error
                await self.clock.sleep(_PAUSE * 2**tried)
        raise last

    async def _once(
        self,
        method: str,
        path: str,
        ids: Mapping[str, str],
        body: Any,
        query: Mapping[str, str],
        channel: str | None,
    ) -> Exchange:
        await self.clock.sleep(max(0.0, self._not_before - self.clock.monotonic()))
        await self.rate.take()
        self.requests += 1
        address = self.base_url + path
        for name, value in ids.items():
            address = address.replace(f"{{{name}}}", quote(value, safe=""))
        headers = dict(self._headers)
        if channel is not None:
            headers["x-channel"] = channel
        encoded = None
        if body is not NOTHING:
            headers["content-type"] = "application/json"
            encoded = write_json(body)
        if query:
            address += f"?{urlencode(query)}"
        began = self.clock.monotonic()
        try:
            answer = await self._engine.send(
                WireRequest(method, address, headers, encoded, Timeouts(read=30.0), total=40.0, max_idle=1.0)
            )
        except UnsentError as error:
            raise _NothingSentError(f"{method} was not sent: {error.reason}") from None
        except SendError as error:
            raise NoEvidenceError(f"{method} had no answer: {error.reason}") from None
        took = self.clock.monotonic() - began
        if answer.status == 429 or answer.status == 425 or answer.status >= 500:
            self._note_trouble(answer.status, answer.headers)
            raise NoEvidenceError(f"{method} was answered {answer.status}")
        if answer.status == 401 and channel is None and self.accepted and not self.lenient:
            raise StopError("the token is not accepted any more (HTTP 401)")
        self.accepted = self.accepted or answer.status != 401
        if answer.unreadable is not None:
            raise NoEvidenceError(f"the answer to {method} could not be read")
        data = read_json(answer.body) if answer.body else UNREADABLE
        exchange = Exchange(
            method, path, query, body, answer.status, answer.headers, answer.body, data, began=began, took=took
        )
        self.seen.append(exchange)
        return exchange

    def _note_trouble(self, status: int, headers: Mapping[str, str]) -> None:
        asked = retry_after(headers, self.clock.wall)
        if asked is not None:
            self._not_before = self.clock.monotonic() + min(asked, LONGEST_WAIT)
        if status >= 500 and not self.lenient:
            self._server_errors += 1
            if self._server_errors >= MOST_SERVER_ERRORS:
                raise StopError(f"the service failed {MOST_SERVER_ERRORS} times (HTTP {status} the last time)")


class _NothingSentError(NoEvidenceError):
    """Nothing of the request was sent."""
