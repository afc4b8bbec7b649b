"""Notifications as they arrive, and which of them were handled already.

The service sends a notification at least once and in any order, and documents no id of a delivery. So two deliveries
are twins if adapter, merchant, channel, route, order and the content of the body are equal. Only a delivery whose
handling succeeded is remembered. A delivery that is not remembered is handled: twice at worst, but it is never lost.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self, final

import anyio

from norce_order_async._json import UNREADABLE, is_mapping, read_json
from norce_order_async.display import shown
from norce_order_async.runtime.clock import Clock, SystemClock

WINDOW: Final = 24 * 3600.0
"""Seconds for which a handled delivery is remembered."""

KEYS: Final = 100_000
"""Handled deliveries that are remembered without an inbox, at most; and orders whose newest handled change is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notification as it arrived. Made by :meth:`arrived`.

    Example::

        async def handle(taken: Taken) -> None:
            print(taken.delivery.route, taken.delivery.order_id)
    """

    adapter_id: str
    route: str
    """The part of the order that the notification is about, such as ``"/cart"``."""
    merchant: str
    channel: str
    order_id: str
    body: bytes = field(repr=False)
    """The body as received."""
    received_at: datetime
    """When it was received, in UTC."""
    modified: datetime | None = None
    """``lastModified`` of the order in the body, in UTC; None if it has none."""
    key: str = field(repr=False)
    """The same for twins: deliveries of the same adapter, merchant, channel, route and order with the same JSON body.
    A handler that may run twice can use it as an idempotency key."""

    @classmethod
    def arrived(
        cls,
        *,
        adapter_id: str,
        route: str,
        merchant: str,
        channel: str,
        order_id: str,
        body: bytes,
        received_at: datetime,
        data: Any = None,
    ) -> Self:
        """Make a delivery, with its key and the time of change from its body.

        It reads and hashes the whole body, so call it in a thread if the body is large.

        Args:
            adapter_id: the id of the adapter.
            route: the part of the order, as in the decorator.
            merchant: the merchant in the header x-merchant.
            channel: the channel in the header x-channel.
            order_id: the order's id in the path.
            body: the body as received.
            received_at: when it was received, in UTC.
            data: the parsed body, if it was parsed already.
        """
        if data is None:
            data = read_json(body)
        return cls(
            adapter_id=adapter_id,
            route=route,
            merchant=merchant,
            channel=channel,
            order_id=order_id,
            body=body,
            received_at=received_at,
            modified=_modified(data),
            key=_key((adapter_id, merchant, channel, route, order_id), body, data),
        )

    @property
    def order(self) -> tuple[str, str, str]:
        """Merchant, channel and id of the order."""
        return self.merchant, self.channel, self.order_id

    def __repr__(self) -> str:
        return f"<Delivery {shown(self.route)} of order {shown(self.order_id)}>"


def _key(whose: tuple[str, ...], body: bytes, data: Any) -> str:
    # The standard library's JSON, so that floats are spelled the same on every machine, whatever is installed there.
    canonical = body if data is UNREADABLE else json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(json.dumps(whose).encode())
    digest.update(b"\0")
    digest.update(canonical)
    return digest.hexdigest()


def _modified(data: Any) -> datetime | None:
    text = data.get("lastModified") if is_mapping(data) else None
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class _Run:
    """The handling of one delivery, from its start."""

    __slots__ = ("ended", "error", "succeeded")

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.succeeded = False
        self.error: Exception | None = None
        """The error that the handler raised."""


@final
class SeenDeliveries:
    """Remembers in this process which deliveries were handled.

    Args:
        clock: the source of time.
        keys: deliveries that are remembered, at most; the oldest is forgotten first.
        window: seconds for which one is remembered.
    """

    __slots__ = ("_clock", "_handled", "_keys", "_newest", "_running", "_window")

    def __init__(self, *, clock: Clock | None = None, keys: int = KEYS, window: float = WINDOW) -> None:
        self._clock: Clock = SystemClock() if clock is None else clock
        self._keys = keys
        self._window = window
        self._handled: OrderedDict[str, float] = OrderedDict()
        """Until when each is remembered, in the order of these times."""
        self._running: dict[str, _Run] = {}
        self._newest: OrderedDict[tuple[str, str, str, str], datetime] = OrderedDict()

    def __len__(self) -> int:
        """Handled deliveries that are remembered now."""
        self._forget_old()
        return len(self._handled)

    async def once(self, delivery: Delivery, handle: Callable[[], Awaitable[object]]) -> Literal["handled", "twin"]:
        """Run a handler, unless a twin of the delivery was handled already.

        A twin of a delivery that is being handled waits for its end, and has the same result. If that handler is
        cancelled, the twin is handled in its place.

        Returns:
            ``"handled"`` if ``handle`` has run now, ``"twin"`` if it has run for a twin.

        Raises:
            Exception: the error that ``handle`` raised, for this delivery or for the twin it waited for. The delivery
                is not remembered then, and is handled when it arrives again.
        """
        while (run := self._running.get(delivery.key)) is not None:
            await run.ended.wait()
            if run.succeeded:
                return "twin"
            if run.error is not None:
                raise run.error
        self._forget_old()
        if delivery.key in self._handled:
            return "twin"
        run = self._running[delivery.key] = _Run()
        try:
            await handle()
        except Exception as error:
            run.error = error
            raise
        else:
            run.succeeded = True
            self._note(delivery)
        finally:
            del self._running[delivery.key]
            run.ended.set()
        return "handled"

    def is_stale(self, delivery: Delivery) -> bool:
        """Whether a later change of the same order was handled already. False if the body has no ``lastModified``."""
        newest = self._newest.get((delivery.adapter_id, *delivery.order))
        return newest is not None and delivery.modified is not None and delivery.modified < newest

    def _note(self, delivery: Delivery) -> None:
        self._handled[delivery.key] = self._clock.monotonic() + self._window
        if len(self._handled) > self._keys:
            self._handled.popitem(last=False)
        if delivery.modified is None:
            return
        order = (delivery.adapter_id, *delivery.order)
        newest = self._newest.pop(order, None)
        self._newest[order] = delivery.modified if newest is None else max(newest, delivery.modified)
        if len(self._newest) > self._keys:
            self._newest.popitem(last=False)

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        while self._handled:
            key, until = next(iter(self._handled.items()))
            if until > now:
                return
            del self._handled[key]
