"""What probes work with: orders of this run, made within the bound, marked, and removed in the end.

A service, or what stands before it, may answer wrongly now and then. So an order is read twice and the reads must
agree, a change that was taken must show and one that was refused must not, and the same asked again must come to the
same. What contradicts itself is noted as a doubt about its operation, and of what rests on that nothing is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from norce_order_async._json import UNREADABLE, list_or_empty, mapping_or_empty, text_or_none
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
_SWEEPS: Final = 3
"""How often what lists show is removed, until they show nothing."""
_MISSED: Final = 3
"""Answers of 404, one after the other, after which an order that was not deleted just now counts as gone."""

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
    """A line of a cart; ``number`` tells it from those of other carts."""
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
    """Whether nothing keeps it from any status."""
    status: str = "checkout"
    """The one that it was last seen in; empty after a change without an answer."""

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
    _doubts: Counter[str] = field(default_factory=Counter[str])
    _outcomes: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _carts: int = 0
    _asked: dict[str, float] = field(default_factory=dict[str, float])
    """When each order of this run was asked for, by its marker."""
    _behind: bool = False
    """Whether a list was seen to show an order late."""

    # -------------------------------------------------------------------------------------------------- doubting

    def doubt(self, operation: str) -> None:
        """Note that the service contradicted itself where this was asked, such as ``GET /api/v0/checkout/orders``."""
        self._doubts[operation] += 1

    def same(self, operation: str, asked: str, outcome: object) -> None:
        """Note what the same came to as often as it is asked in a run; another outcome than before is a doubt."""
        if self._outcomes.setdefault((operation, asked), repr(outcome)) != repr(outcome):
            self.doubt(operation)

    @property
    def doubted(self) -> frozenset[str]:
        """The operations that contradicted themselves; of reads once is not enough, as a copy may be behind."""
        return frozenset(name for name, count in self._doubts.items() if count > (1 if name.startswith("GET") else 0))

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
        self._asked[marker] = self.wire.clock.monotonic()
        answer = await self.wire.write("POST", ORDERS, body=body)
        if not answer.succeeded:
            # It may have been done all the same, as where a gateway has sent it twice. So it is looked for before it
            # counts as not made.
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
        """Create an order; arguments and errors as :meth:`attempt`.

        Raises:
            NoEvidenceError: it was refused, too.
        """
        answer, order = await self.attempt(**members)
        self.same(CREATION, "a plain order", order is not None)
        if order is None:
            raise NoEvidenceError(f"creating an order was refused with {answer.status}")
        self.same(CREATION, "how it is answered", (answer.status, bool(answer.mapping), bool(answer.body)))
        return order

    async def shared(self, name: str, make: Callable[[], Awaitable[TestOrder]]) -> TestOrder:
        """An order that several probes look at, made by the first one that needs it."""
        if name not in self._shared:
            self._shared[name] = await make()
        return self._shared[name]

    def share(self, name: str, order: TestOrder) -> None:
        """Let other probes look at an order."""
        self._shared[name] = order

    async def pay(self, order: TestOrder, payment: Mapping[str, Any]) -> tuple[Exchange, str]:
        """Add a payment: the answer, and the payment's id, empty if it was refused.

        Raises:
            NoEvidenceError: it was taken and does not show, or was refused and does.
        """
        before = len(list_or_empty((await self.read(order)).mapping.get("payments")))
        order.ready = False
        answer = await self.wire.write("POST", PAYMENTS, order.id, payment)
        payments = list_or_empty((await self.read(order)).mapping.get("payments"))
        found = text_or_none(mapping_or_empty(payments[-1]).get("id")) if len(payments) == before + 1 else None
        if answer.succeeded != (found is not None):
            self.doubt(f"POST {PAYMENTS}")
            raise NoEvidenceError("a payment was taken and is not shown, or was refused and is")
        return answer, found or ""

    async def sample(self) -> TestOrder:
        """An order in checkout that is changed by nobody: its cart has two lines and no total."""

        async def make() -> TestOrder:
            order = await self.create(
                cart={"items": [item(10.0), item(2.5)], "total": NOTHING}, customer={"type": "Person"}
            )
            order.ready = False
            return order

        return await self.shared("sample", make)

    # --------------------------------------------------------------------------------------------------- looking

    async def read(self, order: TestOrder, times: int = 2) -> Exchange:
        """The order, by its id, read so many times.

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
        while (answer := await self.wire.read(ORDER, order.id)).status == 404 and tried < _MISSED:
            tried += 1
            # A copy of the data that is behind may not have a new order yet.
            if self.wire.clock.monotonic() - order.creation.began > PATIENCE:
                self.doubt(READ)
            await self.wire.clock.sleep(_LOOK_AGAIN * tried)
        if answer.status != 200 or answer.mapping.get("id") != order.id:
            self.doubt(READ)
            if answer.status != 200 or not answer.mapping:
                raise NoEvidenceError(f"reading an order was answered {answer.status}")
            raise NoEvidenceError("reading an order was answered with something else")
        return answer

    async def listed(self, **query: str) -> Exchange:
        """A page of this run's orders, as two reads agree on it; the filter is by their reference.

        Raises:
            NoEvidenceError: there is no page, or the reads differ, or it holds other orders: the filter is not followed
                then.
        """
        first, again = await self.listed_once(**query), await self.listed_once(**query)
        if (again.status, again.mapping) != (first.status, first.mapping):
            self.doubt(LIST)
            raise NoEvidenceError("two reads of one list differ")
        return first

    async def listed_once(self, **query: str) -> Exchange:
        """The same, read once: for a list that may change meanwhile."""
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
        """A page that holds the order, as soon as one does.

        Raises:
            NoEvidenceError: none did in time.
        """
        until = self.wire.clock.monotonic() + PATIENCE
        while True:
            page = await self.listed_once(limit="50")
            if any(one.get("id") == order.id for one in page.orders):
                # More may have come to be shown meanwhile, and what was shown must be.
                if not _ids(page) <= _ids(await self.listed(limit="50")):
                    self.doubt(LIST)
                    raise NoEvidenceError("a list shows an order no more")
                return page
            self._behind = True
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
        before, order.status = order.status, ""
        answer = await self.wire.write("PUT", STATE, order.id, {"currentStatus": status})
        if before and order.ready:
            self.same(STATUS, f"{before} to {status}", answer.refused)
        return answer

    async def moved(self, order: TestOrder, status: str) -> tuple[Exchange, Exchange]:
        """Ask for a status: the answer, and the order as it is when the change has had its time.

        Raises:
            NoEvidenceError: it was refused and done.
        """
        before = order.status
        answer = await self.put_status(order, status)
        read = await self._read_once(order)
        if answer.succeeded:
            until = self.wire.clock.monotonic() + PATIENCE
            while status_of(read) != status and self.wire.clock.monotonic() < until:
                await self.wire.clock.sleep(_LOOK_AGAIN)
                read = await self._read_once(order)
        read = await self.read(order)
        done = status_of(read) == status
        if (answer.succeeded and not done) or (answer.refused and done and before not in ("", status)):
            self.doubt(STATUS)
            raise NoEvidenceError("a change of status was taken and not done, or refused and done")
        return answer, read

    async def in_status(self, order: TestOrder, status: str) -> None:
        """Bring the order into a status.

        Raises:
            NoEvidenceError: it does not go there.
        """
        answer, read = await self.moved(order, status)
        if status_of(read) != status:
            raise NoEvidenceError(f"a test order did not become {status}: HTTP {answer.status}")

    async def put_cart(
        self, order: TestOrder, cart: Mapping[str, Any], *, amounts: Sequence[float] = (0.0,), odd: bool = False
    ) -> tuple[Exchange, Exchange]:
        """Replace the cart: the answer, and the order after it.

        Args:
            order: whose cart.
            cart: what it has beside lines of these amounts.
            amounts: of its lines.
            odd: whether the service may refuse it.

        Raises:
            NoEvidenceError: it was taken and does not show, or was refused and does.
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
            await self.wire.clock.sleep(_LOOK_AGAIN)
        if not odd:
            self.same(f"PUT {CART}", "a plain cart", answer.succeeded)
        if shown != answer.succeeded:
            self.doubt(f"PUT {CART}")
            raise NoEvidenceError("a cart was taken and is not shown, or was refused and is")
        return answer, after

    async def patch(self, order: TestOrder, attributes: Mapping[str, Any]) -> tuple[Exchange, Exchange]:
        """Change attributes, none of them to null: the answer, and the order after it.

        Raises:
            NoEvidenceError: they were taken and do not show, or were refused and do.
        """
        answer = await self.wire.write("PATCH", ATTRIBUTES, order.id, attributes)
        after = await self.read(order)
        now = mapping_or_empty(after.mapping.get("attributes"))
        self.same(f"PATCH {ATTRIBUTES}", "plain attributes", answer.succeeded)
        if answer.succeeded != all(now.get(name) == value for name, value in attributes.items()):
            self.doubt(f"PATCH {ATTRIBUTES}")
            raise NoEvidenceError("attributes were taken and are not shown, or were refused and are")
        return answer, after

    async def delete(self, order_id: str, status: str) -> tuple[Exchange, Exchange]:
        """Ask for an order to be deleted, once: the answer, and what reading it is answered then.

        Args:
            order_id: which one.
            status: that it is in; empty if that is not known.
        """
        answer = await self.wire.write("DELETE", ORDER, order_id)
        after = await self.wire.read(ORDER, order_id)
        if answer.status != 404 and status:
            self.same(DELETION, status, answer.succeeded)
        if answer.succeeded:
            self.same(DELETION, "what becomes of it", (after.status, status_of(after) == "removed"))
        return answer, after

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
        return stuck if keep_shared else [*stuck, *await self._overlooked(stuck)]

    async def _overlooked(self, stuck: Sequence[Made]) -> list[Made]:
        """Remove what lists still show of these runs, whatever was answered before; what is left of that.

        A creation may be refused and done, and an order that can't be read now be read later.
        """
        left: dict[str, Made] = {}
        if self._behind or self._doubts:
            last = max(self._asked.values(), default=-PATIENCE)
            await self.wire.clock.sleep(max(0.0, last + PATIENCE - self.wire.clock.monotonic()))
        for run in sorted({made.run for made in self.state.made}):
            for _ in range(_SWEEPS):
                page = await self._page_of(run)
                if page is None:
                    # Nothing says that what was not seen to go is not there.
                    for made in self.state.made:
                        made.gone = made.gone and (made.run != run or made.order_id in self._deleted)
                    break
                shown = self._still_shown(page, run)
                left = {order_id: made for order_id, made in left.items() if made.run != run} | shown
                for order_id, made in shown.items():
                    with suppress(StateFileError):
                        self.state.created(made, order_id)
                    made.gone = False
                    with suppress(NoEvidenceError):
                        if made not in stuck and await self._is_removed(order_id, made):
                            self.state.gone(made)
                if not shown:
                    break
        left = {order_id: made for order_id, made in left.items() if order_id not in self._deleted}
        for made in left.values():
            made.gone = False
        return [made for made in left.values() if made not in stuck]

    def _still_shown(self, page: Exchange, run: str) -> dict[str, Made]:
        shown: dict[str, Made] = {}
        for order in page.orders:
            order_id, attributes = text_or_none(order.get("id")), mapping_or_empty(order.get("attributes"))
            made = next((one for one in self.state.made if one.marker == attributes.get("calibration")), None)
            if made is None or order_id is None or not is_order_id(order_id) or order_id in self._deleted:
                continue
            if is_of(order, run) and status_in(order) != "removed":
                shown[order_id] = made
        return shown

    async def _page_of(self, run: str) -> Exchange | None:
        for _ in range(_CLEANING_TRIES):
            with suppress(NoEvidenceError):
                page = await self.wire.read(ORDERS, reference=run, limit="50")
                if page.status == 200 and "data" in page.mapping:
                    return page
        return None

    async def _removed(self, made: Made) -> bool:
        if made.order_id is not None and not await self._is_removed(made.order_id, made):
            return False
        if made.order_id in self._deleted:
            return True
        # Its id is unknown, or leads to nothing and was perhaps never its own: the marker says whether it is there.
        ids = await self._found(made)
        if made.refused and not ids:
            self.created -= 1
        elif made.refused:
            self.doubt(CREATION)
        return all([await self._is_removed(order_id, made) for order_id in ids])

    async def _found(self, made: Made) -> list[str]:
        """The orders with a marker whose creation had no answer, or was refused.

        A list may show them late, so it is asked again when it has had its time.
        """
        known = {one.order_id for one in self.state.made if one is not made}
        asked = self._asked.get(made.marker, self.wire.clock.monotonic())
        for patience in (max(0.0, asked + PATIENCE - self.wire.clock.monotonic()), 0.0):
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
        answer, after = await self.delete(order_id, status)
        if answer.status != 404 and not answer.succeeded:
            if status == "removed":
                return True
            if status == "processing":
                await self.wire.write("PUT", STATE, order_id, {"currentStatus": "checkout"})
            else:
                await self.wire.write("PUT", STATE, order_id, {"currentStatus": "removed"})
            after = await self.wire.read(ORDER, order_id)
        if after.status == 404:
            return answer.status == 404 or answer.succeeded
        return status_of(after) == "removed"


_DESCRIBED: Final = (
    "id", "merchant", "channel", "reference", "culture", "currency", "country", "created", "lastModified", "state",
    "cart", "customer", "payments", "shippings", "consents", "hooks", "validations", "notifications", "attributes",
    "total",
)  # fmt: skip


def _shown(read: Exchange) -> object:
    """What must be the same in every read of an order: what it is, and which other members it has or has as null."""
    described = {name: read.mapping.get(name) for name in _DESCRIBED}
    return described, {name: value is None for name, value in read.mapping.items()}


def _skus(read: Exchange) -> list[object]:
    items = list_or_empty(mapping_or_empty(read.mapping.get("cart")).get("items"))
    return [mapping_or_empty(line).get("sku") for line in items]


def _ids(page: Exchange) -> set[str]:
    return {str(order.get("id")) for order in page.orders}


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
    return status_in(read.mapping)


def status_in(order: Mapping[str, Any]) -> str:
    """The status of an order, empty if it has none."""
    status = mapping_or_empty(order.get("state")).get("currentStatus")
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
