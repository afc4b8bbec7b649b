"""The test orders of a run: probes create, read and change them here, within the bounds of the run.

A service, or a proxy in front of it, may sometimes answer wrongly. So an order is read twice and the reads must agree,
an accepted change must show and a refused one must not, and the same request must have the same outcome each time. A
contradiction is noted as a doubt about the operation. Verdicts that depend on a doubted operation are withdrawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from norce_order_async._json import UNREADABLE, list_or_empty, mapping_or_empty, text_or_none
from norce_order_async.calibration.receiver import Receiver
from norce_order_async.calibration.state import Made, StateFile, StateFileError, is_order_id
from norce_order_async.calibration.wire import NOTHING, ORDER, ORDERS, Exchange, NoEvidenceError, StopError, Wire

MOST_ORDERS: Final = 20
"""Orders that one run may create."""
RUNS_ADAPTERS: Final = frozenset({"accepted", "completed"})
"""Statuses that trigger adapters and exports of a channel."""

PATIENCE: Final = 12.0
"""Seconds until a change that was answered 202 must be made, and until a list must show an order."""
LOOK_AGAIN: Final = 1.0
MISSED: Final = 3
"""Consecutive answers of 404 after which an order that this run did not delete counts as gone."""

STATE: Final = ORDER + "/state"
CART: Final = ORDER + "/cart"
ATTRIBUTES: Final = ORDER + "/attributes"
PAYMENTS: Final = ORDER + "/payments"
READ: Final = f"GET {ORDER}"
LIST: Final = f"GET {ORDERS}"
STATUS: Final = f"PUT {STATE}"
CREATION: Final = f"POST {ORDERS}"
DELETION: Final = f"DELETE {ORDER}"


def price(amount: float) -> dict[str, float]:
    """An amount with VAT, and the same without."""
    return {"includingVat": amount, "excludingVat": amount}


def item(amount: float = 0.0, number: int = 0) -> dict[str, Any]:
    """A line of a cart; ``number`` distinguishes it from those of other carts."""
    return {
        "sku": f"NORCE-CALIBRATE-{number}",
        "name": "norce-order calibrate",
        "quantity": 1,
        "price": price(amount),
        "total": price(amount),
        "vatRate": 0,
    }


@dataclass(slots=True)
class TestOrder:
    """An order of this run."""

    id: str
    made: Made
    creation: Exchange
    ready: bool = True
    """Whether it can go to every status."""
    status: str = "checkout"
    """The status last seen; empty after a change without an answer."""

    __test__ = False


@dataclass(slots=True)
class Bench:
    """The orders of one run.

    Args:
        wire: the service.
        state: the file that survives a killed run.
        run: the reference of all orders of this run.
        allow_completing: whether an order may become accepted.
        other_channel: another channel of the merchant, to read from.
        receiver: receives the service's callbacks; None if the service can't reach this machine.
        most_orders: the largest number of orders to create.
    """

    wire: Wire
    state: StateFile
    run: str
    allow_completing: bool = False
    other_channel: str | None = None
    receiver: Receiver | None = None
    most_orders: int = MOST_ORDERS
    created: int = 0
    """Orders that were created, or may have been created."""
    asked: dict[str, float] = field(default_factory=dict[str, float])
    """The time at which the creation of each order was sent, by its marker."""
    behind: bool = False
    """Whether a list has shown an order late."""
    _number: int = 0
    _shared: dict[str, TestOrder] = field(default_factory=dict[str, TestOrder])
    _doubts: Counter[str] = field(default_factory=Counter[str])
    _outcomes: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _carts: int = 0

    # -------------------------------------------------------------------------------------------------- doubting

    def doubt(self, operation: str) -> None:
        """Note that the service contradicted itself in an operation, such as ``GET /api/v0/checkout/orders``."""
        self._doubts[operation] += 1

    def same(self, operation: str, asked: str, outcome: object) -> None:
        """Note the outcome of a request; a different outcome of the same request in this run is a doubt."""
        if self._outcomes.setdefault((operation, asked), repr(outcome)) != repr(outcome):
            self.doubt(operation)

    @property
    def has_doubts(self) -> bool:
        """Whether the service contradicted itself at all."""
        return bool(self._doubts)

    @property
    def doubted(self) -> frozenset[str]:
        """The operations whose answers contradicted each other; for reads only if twice, because a replica may lag."""
        return frozenset(name for name, count in self._doubts.items() if count > (1 if name.startswith("GET") else 0))

    # -------------------------------------------------------------------------------------------------- creating

    def next_marker(self) -> str:
        """A new cart reference, for the next order.

        Raises:
            NoEvidenceError: the run has created as many orders as it may.
        """
        if self.created >= self.most_orders:
            raise NoEvidenceError(f"the run has created {self.most_orders} orders, the most it may")
        self.created += 1
        # A refused creation also uses up its number, because a marker belongs to one creation.
        self._number += 1
        return f"{self.run}-{self._number}"

    async def attempt(self, cart_reference: str | None = None, **members: Any) -> tuple[Exchange, TestOrder | None]:
        """Try to create an order: the answer, and the order unless it was refused.

        Args:
            cart_reference: that of another order, to test uniqueness; left out, the order's own marker.
            members: members of the order, in place of the default ones.

        Raises:
            NoEvidenceError: no answer came, or the answer holds no id.
            StopError: the state file can't be written. If it could not store the marker, nothing was sent.
        """
        marker = self.next_marker()
        cart: dict[str, Any] = {
            "reference": cart_reference or marker,
            "items": [item()],
            "total": price(0),
        }
        cart |= members.pop("cart", {})
        body = {
            # The body has the marker twice: a probe may change the cart, and a list may not find the order by one.
            "reference": self.run,
            "culture": "sv-SE",
            "currency": "SEK",
            "country": "SE",
            "attributes": {"calibration": marker},
            **members,
            "cart": {name: value for name, value in cart.items() if value is not NOTHING},
        }
        try:
            made = self.state.about_to_create(marker)
        except StateFileError as error:
            self.created -= 1
            raise StopError(str(error)) from None
        self.asked[marker] = self.wire.clock.monotonic()
        answer = await self.wire.write("POST", ORDERS, body=body)
        if not answer.succeeded:
            # The order may exist all the same, for example if a gateway sent the request twice. So the run looks for
            # it before it counts as not made.
            made.refused = answer.status < 500
            return answer, None
        order_id = id_in(answer)
        if order_id is None:
            raise NoEvidenceError("the answer to creating an order holds no id")
        try:
            self.state.created(made, order_id)
        except StateFileError as error:
            raise StopError(str(error)) from None
        return answer, TestOrder(order_id, made, answer)

    async def create(self, **members: Any) -> TestOrder:
        """Create an order. Arguments and errors are those of :meth:`attempt`.

        Raises:
            NoEvidenceError: also if the order was refused.
        """
        answer, order = await self.attempt(**members)
        self.same(CREATION, "a plain order", order is not None)
        if order is None:
            raise NoEvidenceError(f"creating an order was refused with {answer.status}")
        self.same(CREATION, "how it is answered", (answer.status, bool(answer.mapping), bool(answer.body)))
        return order

    async def shared(self, name: str, make: Callable[[], Awaitable[TestOrder]]) -> TestOrder:
        """An order that several probes read; the first probe that needs it creates it."""
        if name not in self._shared:
            self._shared[name] = await make()
        return self._shared[name]

    @property
    def shared_markers(self) -> frozenset[str]:
        """The markers of the orders that probes share."""
        return frozenset(order.made.marker for order in self._shared.values())

    def share(self, name: str, order: TestOrder) -> None:
        """Let other probes read an order."""
        self._shared[name] = order

    async def pay(self, order: TestOrder, payment: Mapping[str, Any]) -> tuple[Exchange, str]:
        """Add a payment: the answer, and the payment's id, empty if it was refused.

        Raises:
            NoEvidenceError: the payment was accepted and is not shown, or was refused and is shown.
        """
        before = len(list_or_empty((await self.read(order)).mapping.get("payments")))
        order.ready = False
        answer = await self.wire.write("POST", PAYMENTS, order.id, payment)
        payments = list_or_empty((await self.read(order)).mapping.get("payments"))
        found = text_or_none(mapping_or_empty(payments[-1]).get("id")) if len(payments) == before + 1 else None
        if answer.succeeded != (found is not None):
            self.doubt(f"POST {PAYMENTS}")
            raise NoEvidenceError("a payment was accepted but is not shown, or was refused but is shown")
        return answer, found or ""

    async def sample(self) -> TestOrder:
        """An order in checkout that no probe changes: its cart has two lines and no total."""

        async def make() -> TestOrder:
            order = await self.create(
                cart={"items": [item(10.0), item(2.5)], "total": NOTHING}, customer={"type": "Person"}
            )
            order.ready = False
            return order

        return await self.shared("sample", make)

    # --------------------------------------------------------------------------------------------------- looking

    async def read(self, order: TestOrder, times: int = 2) -> Exchange:
        """Read an order several times.

        Raises:
            NoEvidenceError: it can't be read, or the reads differ.
        """
        first = await self._read_once(order)
        for _ in range(times - 1):
            if _shown(await self._read_once(order)) != _shown(first):
                self.doubt(READ)
                raise NoEvidenceError("two reads of one order differ")
        order.status = status_of(first)
        return first

    async def _read_once(self, order: TestOrder) -> Exchange:
        tried = 0
        while (answer := await self.wire.read(ORDER, order.id)).status == 404 and tried < MISSED:
            tried += 1
            # A replica that lags may not have a new order yet.
            if self.wire.clock.monotonic() - order.creation.began > PATIENCE:
                self.doubt(READ)
            await self.wire.clock.sleep(LOOK_AGAIN * tried)
        if answer.status != 200 or answer.mapping.get("id") != order.id:
            self.doubt(READ)
            if answer.status != 200 or not answer.mapping:
                raise NoEvidenceError(f"reading an order was answered {answer.status}")
            raise NoEvidenceError("reading an order was answered with something else")
        return answer

    async def listed(self, **query: str) -> Exchange:
        """A page of this run's orders, as two reads agree on it; the filter is by their reference.

        Raises:
            NoEvidenceError: there is no page, the reads differ, or the page has orders that the filter excludes.
        """
        first, again = await self.listed_once(**query), await self.listed_once(**query)
        if (again.status, again.mapping) != (first.status, first.mapping):
            self.doubt(LIST)
            raise NoEvidenceError("two reads of one list differ")
        return first

    async def listed_once(self, **query: str) -> Exchange:
        """As :meth:`listed`, with a single read, for a list that may be changing."""
        answer = await self.wire.read(ORDERS, **{"reference": self.run, **query})
        if answer.status == 200:
            if "data" not in answer.mapping:
                self.doubt(LIST)
                raise NoEvidenceError("a list has no data")
            if not all(self._is_ours(order) for order in answer.orders):
                self.doubt(LIST)
                raise NoEvidenceError("a list by reference holds orders with another one")
        return answer

    async def until_listed(self, order: TestOrder) -> Exchange:
        """Wait for a page that holds the order.

        Raises:
            NoEvidenceError: no page held it in time.
        """
        until = self.wire.clock.monotonic() + PATIENCE
        while True:
            page = await self.listed_once(limit="50")
            if any(one.get("id") == order.id for one in page.orders):
                # The list may show more orders by now, but must still show these.
                if not _ids(page) <= _ids(await self.listed(limit="50")):
                    self.doubt(LIST)
                    raise NoEvidenceError("a list does not show an order any more")
                return page
            self.behind = True
            if self.wire.clock.monotonic() > until:
                raise NoEvidenceError("a list by reference does not show an order of this run")
            await self.wire.clock.sleep(LOOK_AGAIN)

    def _is_ours(self, order: Mapping[str, Any]) -> bool:
        return order.get("reference") == self.run or order.get("id") in {one.order_id for one in self.state.made}

    # -------------------------------------------------------------------------------------------------- changing

    async def put_status(self, order: TestOrder, status: str) -> Exchange:
        """Request a status, once.

        Raises:
            ValueError: the status triggers adapters, and the user has not allowed that.
        """
        if status in RUNS_ADAPTERS and not (self.allow_completing and status == "accepted"):
            raise ValueError(f"a calibration must not move an order to {status}")
        before, order.status = order.status, ""
        answer = await self.wire.write("PUT", STATE, order.id, {"currentStatus": status})
        if before and order.ready:
            self.same(STATUS, f"{before} to {status}", answer.refused)
        return answer

    async def moved(self, order: TestOrder, status: str) -> tuple[Exchange, Exchange]:
        """Request a status: returns the answer, and the order after the time that a change may take.

        Raises:
            NoEvidenceError: the answer and the order contradict each other.
        """
        before = order.status
        answer = await self.put_status(order, status)
        read = await self._read_once(order)
        if answer.succeeded:
            until = self.wire.clock.monotonic() + PATIENCE
            while status_of(read) != status and self.wire.clock.monotonic() < until:
                await self.wire.clock.sleep(LOOK_AGAIN)
                read = await self._read_once(order)
        read = await self.read(order)
        done = status_of(read) == status
        if (answer.succeeded and not done) or (answer.refused and done and before not in ("", status)):
            self.doubt(STATUS)
            raise NoEvidenceError("a change of status was accepted but not made, or refused but made")
        return answer, read

    async def in_status(self, order: TestOrder, status: str) -> None:
        """Bring the order into a status.

        Raises:
            NoEvidenceError: the service did not move it there.
        """
        answer, read = await self.moved(order, status)
        if status_of(read) != status:
            raise NoEvidenceError(f"a test order did not become {status}: HTTP {answer.status}")

    async def put_cart(
        self, order: TestOrder, cart: Mapping[str, Any], *, amounts: Sequence[float] = (0.0,), odd: bool = False
    ) -> tuple[Exchange, Exchange]:
        """Replace the cart: the answer, and the order after it.

        Args:
            order: the order.
            cart: the members of the cart besides its lines.
            amounts: the amounts of its lines.
            odd: whether the service may refuse the cart.

        Raises:
            NoEvidenceError: the cart was accepted and is not shown, or was refused and is shown.
        """
        self._carts += 1
        lines = [item(amount, self._carts) for amount in amounts]
        answer = await self.wire.write("PUT", CART, order.id, {**cart, "items": lines})
        until = self.wire.clock.monotonic() + PATIENCE
        while True:
            after = await self.read(order)
            shown = _skus(after) == [line["sku"] for line in lines]
            if answer.status != 202 or shown or self.wire.clock.monotonic() > until:
                break
            await self.wire.clock.sleep(LOOK_AGAIN)
        if not odd:
            self.same(f"PUT {CART}", "a plain cart", answer.succeeded)
        if shown != answer.succeeded:
            self.doubt(f"PUT {CART}")
            raise NoEvidenceError("a cart was accepted but is not shown, or was refused but is shown")
        return answer, after

    async def patch(self, order: TestOrder, attributes: Mapping[str, Any]) -> tuple[Exchange, Exchange]:
        """Change attributes, none of them to null: the answer, and the order after it.

        Raises:
            NoEvidenceError: the attributes were accepted and are not shown, or were refused and are shown.
        """
        answer = await self.wire.write("PATCH", ATTRIBUTES, order.id, attributes)
        after = await self.read(order)
        now = mapping_or_empty(after.mapping.get("attributes"))
        self.same(f"PATCH {ATTRIBUTES}", "plain attributes", answer.succeeded)
        if answer.succeeded != all(now.get(name) == value for name, value in attributes.items()):
            self.doubt(f"PATCH {ATTRIBUTES}")
            raise NoEvidenceError("attributes were accepted but are not shown, or were refused but are shown")
        return answer, after

    async def delete(self, order_id: str, status: str) -> tuple[Exchange, Exchange]:
        """Delete an order, once: the answer, and the answer to reading it afterwards.

        Args:
            order_id: the order's id.
            status: the order's status; empty if it is unknown.
        """
        answer = await self.wire.write("DELETE", ORDER, order_id)
        after = await self.wire.read(ORDER, order_id)
        if answer.status != 404 and status:
            self.same(DELETION, status, answer.succeeded)
        if answer.succeeded:
            self.same(DELETION, "what becomes of it", (after.status, status_of(after) == "removed"))
        return answer, after


_DESCRIBED: Final = (
    "id", "merchant", "channel", "reference", "culture", "currency", "country", "created", "lastModified", "state",
    "cart", "customer", "payments", "shippings", "consents", "hooks", "validations", "notifications", "attributes",
    "total",
)  # fmt: skip


def _shown(read: Exchange) -> object:
    """What every read of an order must agree on: the described members, and which others are there or null."""
    described = {name: read.mapping.get(name) for name in _DESCRIBED}
    return described, {name: value is None for name, value in read.mapping.items()}


def _skus(read: Exchange) -> list[object]:
    items = list_or_empty(mapping_or_empty(read.mapping.get("cart")).get("items"))
    return [mapping_or_empty(line).get("sku") for line in items]


def _ids(page: Exchange) -> set[str]:
    return {str(order.get("id")) for order in page.orders}


def status_of(read: Exchange) -> str:
    """The status of an order that was read; empty if the answer has no status."""
    return status_in(read.mapping)


def status_in(order: Mapping[str, Any]) -> str:
    """The status of an order, empty if it has none."""
    status = mapping_or_empty(order.get("state")).get("currentStatus")
    return status.lower() if isinstance(status, str) else ""


def id_in(answer: Exchange) -> str | None:
    """The id in the answer to a creation: in an object, as a bare text, or at the end of the Location header.

    None if there is none, or if it can't be put in the path of a request.
    """
    found = answer.mapping.get("id")
    if found is None and isinstance(answer.data, str):
        found = answer.data
    if found is None and answer.data is UNREADABLE:
        found = answer.body.decode("ascii", "replace").strip() or None
    if found is None:
        found = answer.headers.get("location", "").rstrip("/").rpartition("/")[2] or None
    return found if isinstance(found, str) and is_order_id(found) else None
