"""An order service that counts effects. Its mode decides what becomes of a write, and when.

It shares nothing with the local order service, which answers when it has acted and keeps cart references unique. This
one commits late, checks for a taken reference too early or not at all, and answers 503 after the effect. It runs on a
thread and an event loop of its own and speaks HTTP/1.1 over a socket, so clients on any loop meet the same service.

How late a write is committed is drawn in settling pauses of the client. The service derives the time from the requests
that come for the same thing: with the default numbers each of those comes at a known moment. So the counts depend on no
clock and are the same on any machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import random
import ssl
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.proxy import Message, read_message

ORDERS = "/checkout/order/api/v0/checkout/orders"
STATUSES = ("checkout", "processing", "accepted", "completed")
MOMENTS = (0.0, 1.0, 3.0, 7.0, 7.1, 7.2, 7.3)
"""The times of the requests after a lost creation, in settling pauses after the loss: four reads, the repeat, and the
two pages of the read after it. A status is read and sent again at the first two."""
BETWEEN_LATER = 4.0
LATEST = 10.5
"""Late writes are committed evenly within this time: up to one and a half times as late as the last read before a
repeat."""
HELD = "held"
"""The prefix of cart references whose answers ``slow-fork`` holds."""


class Mode(enum.Enum):
    """What becomes of the writes that go wrong."""

    LATE_COMMIT = "late-commit"
    """The connection is closed without an answer, and the write is committed late. The commit decides whether a cart
    reference is taken."""
    ARRIVAL_CHECK = "arrival-check"
    """The same, but the arrival of the request decides whether a cart reference is taken."""
    NOT_UNIQUE = "not-unique"
    """No answer either. Half of the writes are committed at once and half late. No cart reference is ever taken."""
    EFFECT_THEN_503 = "effect-then-503"
    """The write is committed, and answered with a 503 with Retry-After."""
    SLOW_FORK = "slow-fork"
    """The write is committed at once. Answers about what is called ``held…`` wait for ``/release``."""


@dataclass
class Effects:
    """The orders, payments and changes of status that took effect."""

    orders: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The ids of the orders, by cart reference."""
    payments: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The ids of the payments, by order."""
    changes: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The statuses that were set, by order."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service, whether or not it reaches the client."""

    status: str
    body: Any = None
    headers: tuple[str, ...] = ()

    @property
    def wire(self) -> bytes:
        body = b"" if self.body is None else json.dumps(self.body).encode()
        lines = [f"HTTP/1.1 {self.status}", "content-type: application/json", f"content-length: {len(body)}"]
        return "\r\n".join([*lines, *self.headers, "", ""]).encode() + body


Commit = Callable[[], Answer]
"""Makes the change, or finds that it can't be made any more. Its answer says which."""

_CONFLICT = Answer("409 Conflict", {"code": "conflict", "message": "an order with this cart reference is there"})
_MISSING = Answer("404 Not Found", {"code": "notFound", "message": "not there"})
_REFUSED = Answer("400 Bad Request", {"code": "state", "message": "not from this status"})
_BUSY = Answer("503 Service Unavailable", {"code": "busy", "message": "later"}, ("retry-after-ms: 1",))


@dataclass(slots=True)
class _Late:
    """A write that will be committed."""

    commit: Commit
    moment: float
    """When it is committed, in settling pauses after it was lost."""
    requests: int = 0
    """The requests for the same thing since then."""

    def has_come(self) -> bool:
        """Whether it was committed before the next request for the same thing."""
        beyond = self.requests - len(MOMENTS)
        now = MOMENTS[self.requests] if beyond < 0 else MOMENTS[-1] + BETWEEN_LATER * (beyond + 1)
        self.requests += 1
        return now >= self.moment


class CountingService:
    """A service at ``base_url`` from entering the object to leaving it.

    Args:
        mode: what becomes of some of the writes.
        share: the share of the writes that it happens to.
        late: settling pauses between which late writes are committed, evenly.
        seed: the seed of what is drawn; each write of a thing has its own draw, whatever comes between.
        together: how many held answers ``/all-held`` waits for.
        tls: the context to serve TLS with.
    """

    def __init__(
        self,
        mode: Mode,
        *,
        share: float = 0.3,
        late: tuple[float, float] = (0.0, LATEST),
        seed: int = 1,
        together: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.mode = mode
        self.effects = Effects()
        self.shown: defaultdict[str, set[str]] = defaultdict(set)
        """Ids of the orders that look-ups by a cart reference returned."""
        self.failures: list[Exception] = []
        """Errors of this service that are not part of the mode. Leaving the service raises them."""
        self._share = share
        self._between = late
        self._seed = seed
        self._together = together
        self._tls = tls
        self._orders: dict[str, dict[str, Any]] = {}
        self._late: defaultdict[str, list[_Late]] = defaultdict(list)
        self._writes: Counter[str] = Counter()
        self._held = 0
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="counting", daemon=True)

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/checkout/order"

    def put_order(self, reference: str) -> str:
        """Add an order without a request. Returns its id."""
        return self._insert({"cart": {"reference": reference}})

    def settle(self) -> None:
        """Commit all open writes. No request may come meanwhile."""
        for late in [late for all_of_one in self._late.values() for late in all_of_one]:
            late.commit()
        self._late.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self.failures and error is None:
            raise self.failures[0]

    # The socket

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop, self._all_held, self._released = asyncio.Event(), asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024, ssl=self._tls)
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._converse(reader, writer)
        except OSError:
            pass  # The client has gone.
        except asyncio.CancelledError:
            pass  # The service ends. The streams of asyncio would report the cancellation.
        except Exception as failure:
            self.failures.append(failure)
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_message(reader)) is not None:
            answer = await self._answered(request)
            if answer is None:
                return
            writer.write(answer.wire)
            await writer.drain()
            if request.last:
                return

    async def _answered(self, request: Message) -> Answer | None:
        """The answer to send, or None to send none."""
        method, target, _ = request.start.split(" ")
        address = urlsplit(target)
        path = address.path.removeprefix(ORDERS).strip("/").split("/") if address.path.startswith(ORDERS) else []
        match method, path:
            case "GET", [""]:
                return self._listed({name: values[0] for name, values in parse_qs(address.query).items()})
            case "GET", [order_id]:
                return self._read(order_id)
            case "POST", [""]:
                order = json.loads(request.body)
                key = order["cart"]["reference"]
                return await self._write(key, key, lambda: self._creating(order))
            case "POST", [order_id, "payments"]:
                payment = json.loads(request.body)
                return await self._write(order_id, self._name(order_id), lambda: self._paying(order_id, payment))
            case "PUT", [order_id, "state"]:
                status = json.loads(request.body)["currentStatus"]
                return await self._write(order_id, self._name(order_id), lambda: self._changing(order_id, status))
            case "GET", [] if address.path == "/all-held":
                await self._all_held.wait()
                return Answer("200 OK")
            case "GET", [] if address.path == "/release":
                self._released.set()
                return Answer("200 OK")
            case _:
                raise ValueError(f"nothing was to send {request.start}")

    # What becomes of a write

    async def _write(self, key: str, name: str, begin: Callable[[], Commit | Answer]) -> Answer | None:
        """Handle a write of the thing with this key.

        Args:
            key: identifies the thing.
            name: the cart reference of its order.
            begin: checks the request as it arrives, and returns the commit or a refusal.
        """
        self._time_passes(key)
        commit = begin()
        if isinstance(commit, Answer):
            return commit
        if self.mode is Mode.SLOW_FORK:
            return await self._when_released(commit()) if name.startswith(HELD) else commit()
        self._writes[key] += 1
        drawn = random.Random(f"{self._seed} {key} {self._writes[key]}")
        if drawn.random() >= self._share:
            return commit()
        if self.mode is Mode.EFFECT_THEN_503:
            done = commit()
            return _BUSY if done.status.startswith("2") else done
        if self.mode is Mode.NOT_UNIQUE and drawn.random() < 0.5:
            commit()
        else:
            self._late[key].append(_Late(commit, drawn.uniform(*self._between)))
        return None

    async def _when_released(self, answer: Answer) -> Answer:
        self._held += 1
        if self._held == self._together:
            self._all_held.set()
        await self._released.wait()
        return answer

    def _time_passes(self, key: str) -> None:
        """Commit the late writes that are due when a request for this thing comes."""
        for late in list(self._late[key]):
            if late.has_come():
                self._late[key].remove(late)
                late.commit()

    # The service

    def _listed(self, query: dict[str, str]) -> Answer:
        reference, offset = query["cart_reference"], int(query.get("offset", 0))
        self._time_passes(reference)
        found = [order for order in self._orders.values() if order["cart"]["reference"] == reference]
        page = found[offset:]
        self.shown[reference].update(order["id"] for order in page)
        about = {"offset": offset, "limit": 100, "size": len(page), "totalSize": len(found)}
        return Answer("200 OK", {"data": page, "pagination": about})

    def _read(self, order_id: str) -> Answer:
        self._time_passes(order_id)
        return Answer("200 OK", self._orders[order_id]) if order_id in self._orders else _MISSING

    def _name(self, order_id: str) -> str:
        order = self._orders.get(order_id)
        return str(order["cart"]["reference"]) if order else ""

    def _creating(self, order: dict[str, Any]) -> Commit | Answer:
        reference = order["cart"]["reference"]
        if self.mode is Mode.ARRIVAL_CHECK and reference in self.effects.orders:
            return _CONFLICT
        checks = self.mode not in (Mode.ARRIVAL_CHECK, Mode.NOT_UNIQUE)

        def commit() -> Answer:
            if checks and reference in self.effects.orders:
                return _CONFLICT
            order_id = self._insert(order)
            self.effects.orders[reference].append(order_id)
            return Answer("201 Created", {"id": order_id})

        return commit

    def _insert(self, order: dict[str, Any]) -> str:
        order_id = f"o{len(self._orders) + 1:07}"
        made: dict[str, Any] = {
            "id": order_id,
            "payments": [],
            "state": {"currentStatus": STATUSES[0], "transitions": []},
        }
        self._orders[order_id] = {**order, **made}
        return order_id

    def _paying(self, order_id: str, payment: dict[str, Any]) -> Commit | Answer:
        order = self._orders.get(order_id)
        if order is None:
            return _MISSING

        def commit() -> Answer:
            payment_id = f"{order_id}-p{len(order['payments']) + 1}"
            order["payments"].append({**payment, "id": payment_id})
            self.effects.payments[order_id].append(payment_id)
            return Answer("201 Created", {"id": payment_id})

        return commit

    def _changing(self, order_id: str, status: str) -> Commit | Answer:
        order = self._orders.get(order_id)
        if order is None:
            return _MISSING

        def commit() -> Answer:
            state = order["state"]
            # A status that the order already has is refused too. A repeat meets that if the first attempt took effect.
            if STATUSES.index(status) <= STATUSES.index(state["currentStatus"]):
                return _REFUSED
            state["currentStatus"] = status
            self.effects.changes[order_id].append(status)
            return Answer("200 OK", {})

        return commit
