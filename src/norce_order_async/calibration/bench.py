"""What probes work with: orders of this run, made within the bound, marked, and removed in the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from norce_order_async._json import UNREADABLE, mapping_or_empty, text_or_none
from norce_order_async.calibration.receiver import Receiver
from norce_order_async.calibration.state import Made, StateFile, StateFileError, is_order_id
from norce_order_async.calibration.wire import NOTHING, ORDER, ORDERS, Exchange, NoEvidenceError, StopError, Wire

MOST_ORDERS: Final = 20
"""Orders that one run may create."""
RUNS_ADAPTERS: Final = frozenset({"accepted", "completed"})
"""Statuses that adapters and exports of a channel listen for."""

PATIENCE: Final = 12.0
"""Seconds that a change which was only taken in may take, and a list until it shows an order."""
_LOOK_AGAIN: Final = 1.0
_CLEANING_TRIES: Final = 6
_MISSED: Final = 3
"""Answers of 404, one after the other, after which an order that was not deleted just now counts as gone."""


def price(amount: float) -> dict[str, float]:
    """An amount with VAT, and the same without."""
    return {"includingVat": amount, "excludingVat": amount}


def item(amount: float = 0.0) -> dict[str, Any]:
    """A line of a cart."""
    return {
        "sku": "NORCE-CALIBRATE",
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

    __test__ = False


@dataclass(slots=True)
class Bench:
    """One run's orders.

    Args:
        wire: the service.
        state: the file that outlives the run.
        run: what makes this run's orders its own: the reference that all of them have.
        allow_completing: whether an order may become accepted.
        other_channel: another channel of the merchant, to read from.
        receiver: takes the service's callbacks; None without an address that it can reach.
        most_orders: how many may be created.
    """

    wire: Wire
    state: StateFile
    run: str
    allow_completing: bool = False
    other_channel: str | None = None
    receiver: Receiver | None = None
    most_orders: int = MOST_ORDERS
    created: int = 0
    """Orders that were created, or may have been."""
    _number: int = 0
    _deleted: set[str] = field(default_factory=set[str])
    """Ids of orders that this run has removed."""
    _shared: dict[str, TestOrder] = field(default_factory=dict[str, TestOrder])

    # -------------------------------------------------------------------------------------------------- creating

    def next_marker(self) -> str:
        """The cart reference of the next order.

        Raises:
            NoEvidenceError: the run has created as many as it may.
        """
        if self.created >= self.most_orders:
            raise NoEvidenceError(f"the run has created {self.most_orders} orders, the most it may")
        self.created += 1
        # A number is used once, also where its creation was refused: a marker stands for one creation.
        self._number += 1
        return f"{self.run}-{self._number}"

    async def attempt(self, cart_reference: str | None = None, **members: Any) -> tuple[Exchange, TestOrder | None]:
        """Try to create an order: the answer, and the order unless it was refused.

        Args:
            cart_reference: another order's, to see whether it is unique; its own marker unless given.
            members: of the order, in place of what it has otherwise.

        Raises:
            NoEvidenceError: no answer came, or none that leads to the order.
            StopError: the state file can't be written; where it could not take the marker, nothing was sent.
        """
        marker = self.next_marker()
        cart: dict[str, Any] = {
            "reference": cart_reference or marker,
            "items": [item()],
            "total": price(0),
        }
        cart |= members.pop("cart", {})
        body = {
            # The marker is in it twice: a probe may change the cart, and a list may not find it by one of them.
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
        answer = await self.wire.write("POST", ORDERS, body=body)
        if not answer.succeeded:
            if answer.status in (400, 401, 403, 404, 405, 415, 422):
                self.state.gone(made)
                self.created -= 1
            # A 409 may be the answer to a second sending by a gateway, of which the first has made the order. So it is
            # looked for before it counts as not made.
            made.refused = answer.status == 409
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
        """Create an order; arguments and errors as :meth:`attempt`.

        Raises:
            NoEvidenceError: it was refused, too.
        """
        answer, order = await self.attempt(**members)
        if order is None:
            raise NoEvidenceError(f"creating an order was refused with {answer.status}")
        return order

    async def shared(self, name: str, make: Callable[[], Awaitable[TestOrder]]) -> TestOrder:
        """An order that several probes look at, made by the first one that needs it."""
        if name not in self._shared:
            self._shared[name] = await make()
        return self._shared[name]

    def share(self, name: str, order: TestOrder) -> None:
        """Let other probes look at an order."""
        self._shared[name] = order

    async def sample(self) -> TestOrder:
        """An order in checkout that is changed by nobody: its cart has two lines and no total."""

        def make() -> Awaitable[TestOrder]:
            cart = {"items": [item(10.0), item(2.5)], "total": NOTHING}
            return self.create(cart=cart, customer={"type": "Person"})

        return await self.shared("sample", make)

    # --------------------------------------------------------------------------------------------------- looking

    async def read(self, order: TestOrder) -> Exchange:
        """The order, by its id.

        Raises:
            NoEvidenceError: it can't be read.
        """
        answer = await self.wire.read(ORDER, order.id)
        if answer.status != 200 or not answer.mapping:
            raise NoEvidenceError(f"reading an order was answered {answer.status}")
        if answer.mapping.get("id") != order.id:
            raise NoEvidenceError("reading an order was answered with something else")
        return answer

    async def listed(self, **query: str) -> Exchange:
        """A page of this run's orders; the filter is by their reference.

        Raises:
            NoEvidenceError: there is no page, or it holds other orders: the filter is not followed then.
        """
        answer = await self.wire.read(ORDERS, **{"reference": self.run, **query})
        if answer.status == 200:
            if "data" not in answer.mapping:
                raise NoEvidenceError("a list has no data")
            if not all(self._is_ours(order) for order in answer.orders):
                raise NoEvidenceError("a list by reference holds orders with another one")
        return answer

    async def until_listed(self, order: TestOrder) -> Exchange:
        """A page that holds the order, as soon as one does.

        Raises:
            NoEvidenceError: none did in time.
        """
        until = self.wire.clock.monotonic() + PATIENCE
        while True:
            page = await self.listed(limit="50")
            if any(one.get("id") == order.id for one in page.orders):
                return page
            if self.wire.clock.monotonic() > until:
                raise NoEvidenceError("a list by reference does not show an order of this run")
            await self.wire.clock.sleep(_LOOK_AGAIN)

    def _is_ours(self, order: Mapping[str, Any]) -> bool:
        return order.get("reference") == self.run or order.get("id") in {one.order_id for one in self.state.made}

    # -------------------------------------------------------------------------------------------------- changing

    async def put_status(self, order: TestOrder, status: str) -> Exchange:
        """Ask for a status, once.

        Raises:
            ValueError: a status that runs adapters, which the user has not allowed.
        """
        if status in RUNS_ADAPTERS and not (self.allow_completing and status == "accepted"):
            raise ValueError(f"a calibration must not move an order to {status}")
        return await self.wire.write("PUT", ORDER + "/state", order.id, {"currentStatus": status})

    async def moved(self, order: TestOrder, status: str) -> tuple[Exchange, Exchange]:
        """Ask for a status: the answer, and the order as it is when the change has had its time."""
        answer = await self.put_status(order, status)
        read = await self.read(order)
        if answer.succeeded:
            until = self.wire.clock.monotonic() + PATIENCE
            while status_of(read) != status and self.wire.clock.monotonic() < until:
                await self.wire.clock.sleep(_LOOK_AGAIN)
                read = await self.read(order)
        return answer, read

    async def in_status(self, order: TestOrder, status: str) -> None:
        """Bring the order into a status.

        Raises:
            NoEvidenceError: it does not go there.
        """
        answer, read = await self.moved(order, status)
        if status_of(read) != status:
            raise NoEvidenceError(f"a test order did not become {status}: HTTP {answer.status}")

    # -------------------------------------------------------------------------------------------------- removing

    async def clean(self, *, keep_shared: bool = False) -> list[Made]:
        """Remove the orders that the state file names.

        Args:
            keep_shared: leave those that probes share.

        Returns:
            Those that the service does not let go. What only had no answer is left in the state file.
        """
        kept = {order.made.marker for order in self._shared.values()} if keep_shared else set[str]()
        stuck: list[Made] = []
        for made in self.state.left:
            if made.marker in kept:
                continue
            try:
                if await self._removed(made):
                    self.state.gone(made)
                else:
                    stuck.append(made)
            except NoEvidenceError:
                continue
        return stuck

    async def _removed(self, made: Made) -> bool:
        if made.order_id is not None and not await self._is_removed(made.order_id, made):
            return False
        if made.order_id in self._deleted:
            return True
        # Its id is unknown, or leads to nothing and was perhaps never its own: the marker says whether it is there.
        ids = await self._found(made)
        if made.refused and not ids:
            self.created -= 1
        return all([await self._is_removed(order_id, made) for order_id in ids])

    async def _found(self, made: Made) -> list[str]:
        """The orders with a marker whose creation had no answer. A list may show them late, so it is asked twice."""
        known = {one.order_id for one in self.state.made if one is not made}
        for patience in (PATIENCE, 0.0):
            found: list[str] = []
            for query in ({"cart_reference": made.marker}, {"reference": made.run, "limit": "50"}):
                page = await self.wire.read(ORDERS, **query)
                if page.status != 200 or "data" not in page.mapping:
                    raise NoEvidenceError("orders can't be listed")
                if not all(is_of(order, made.run) for order in page.orders):
                    raise NoEvidenceError("a list does not follow its filter")
                found += [order_id for order in page.orders if (order_id := _marked(order, made.marker)) is not None]
            if found or not patience:
                return [order_id for order_id in dict.fromkeys(found) if order_id not in known]
            await self.wire.clock.sleep(patience)
        return []

    async def _is_removed(self, order_id: str, made: Made) -> bool:
        unanswered: NoEvidenceError | None = None
        missed = 0
        for tried in range(_CLEANING_TRIES):
            read = await self.wire.read(ORDER, order_id)
            if read.status == 404:
                # A copy of the data that is behind may not have a new order yet.
                missed += 1
                if missed == _MISSED:
                    return True
                await self.wire.clock.sleep(PATIENCE / _MISSED)
                continue
            missed = 0
            if read.status == 200 and read.mapping and not is_of(read.mapping, made.run):
                # Not an order that a calibration made: whatever the file says, it is left alone.
                return False
            try:
                if is_of(read.mapping, made.run) and await self._remove(order_id, status_of(read)):
                    self._deleted.add(order_id)
                    return True
                unanswered = None
            except NoEvidenceError as error:
                unanswered = error
            await self.wire.clock.sleep(_LOOK_AGAIN * tried)
        if unanswered is not None:
            raise unanswered
        return False

    async def _remove(self, order_id: str, status: str) -> bool:
        """Delete it, or take it back to checkout and delete it, or have it removed."""
        answer = await self.wire.write("DELETE", ORDER, order_id)
        if answer.status != 404 and not answer.succeeded:
            if status == "removed":
                return True
            if status == "processing":
                await self.wire.write("PUT", ORDER + "/state", order_id, {"currentStatus": "checkout"})
            else:
                await self.wire.write("PUT", ORDER + "/state", order_id, {"currentStatus": "removed"})
        after = await self.wire.read(ORDER, order_id)
        if after.status == 404:
            return answer.status == 404 or answer.succeeded
        return status_of(after) == "removed"


def _marked(order: Mapping[str, Any], marker: str) -> str | None:
    """The id of an order of a list, if it carries the marker."""
    cart, attributes = mapping_or_empty(order.get("cart")), mapping_or_empty(order.get("attributes"))
    if marker not in (cart.get("reference"), attributes.get("calibration")):
        return None
    return text_or_none(order.get("id"))


def is_of(order: Mapping[str, Any], run: str) -> bool:
    """Whether a run of that name made the order."""
    texts = (order.get("reference"), mapping_or_empty(order.get("attributes")).get("calibration"))
    return any(isinstance(text, str) and (text == run or text.startswith(f"{run}-")) for text in texts)


def status_of(read: Exchange) -> str:
    """The status of an order that was read; empty if the answer has no status."""
    status = mapping_or_empty(read.mapping.get("state")).get("currentStatus")
    return status.lower() if isinstance(status, str) else ""


def id_in(answer: Exchange) -> str | None:
    """The id of what was created: in an object, as a bare text, or at the end of the Location header.

    None where it is nothing that the path of a request may hold.
    """
    found = answer.mapping.get("id")
    if found is None and isinstance(answer.data, str):
        found = answer.data
    if found is None and answer.data is UNREADABLE:
        found = answer.body.decode("ascii", "replace").strip() or None
    if found is None:
        found = answer.headers.get("location", "").rstrip("/").rpartition("/")[2] or None
    return found if isinstance(found, str) and is_order_id(found) else None
