"""Removes the orders of a run, and those that an earlier run has left.

No single answer is trusted here: the service may refuse a creation but still create the order, confirm a deletion that
it does not make, or list an order late. So each order is read after its deletion, and lists are searched for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from norce_order_async._json import mapping_or_empty, text_or_none
from norce_order_async.calibration.bench import (
    CREATION,
    LOOK_AGAIN,
    MISSED,
    PATIENCE,
    STATE,
    Bench,
    status_in,
    status_of,
)
from norce_order_async.calibration.state import Made, StateFileError, is_order_id
from norce_order_async.calibration.wire import ORDER, ORDERS, Exchange, NoEvidenceError

_TRIES: Final = 6
_SWEEPS: Final = 3
"""Largest number of searches of the lists, until they show no order."""


class Cleaner:
    """Removes the orders that a bench's state file names."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._wire = bench.wire
        self._state = bench.state
        self._deleted: set[str] = set()
        """Ids of orders that this run has removed."""

    async def clean(self, *, keep_shared: bool = False) -> list[Made]:
        """Remove the orders that the state file names.

        Args:
            keep_shared: whether to keep the orders that probes share.

        Returns:
            The orders that the service does not remove. An order for which no answer came stays in the state file.
        """
        kept = self._bench.shared_markers if keep_shared else frozenset[str]()
        stuck: list[Made] = []
        for made in self._state.left:
            if made.marker in kept:
                continue
            try:
                if await self._removed(made):
                    self._state.gone(made)
                else:
                    stuck.append(made)
            except NoEvidenceError:
                continue
        return stuck if keep_shared else [*stuck, *await self._overlooked(stuck)]

    async def _overlooked(self, stuck: Sequence[Made]) -> list[Made]:
        """Remove the orders of these runs that lists still show; returns those that are left.

        A refused creation may have made an order, and an order that can't be read now may be readable later.
        """
        left: dict[str, Made] = {}
        if self._bench.behind or self._bench.has_doubts:
            last = max(self._bench.asked.values(), default=-PATIENCE)
            await self._wire.clock.sleep(max(0.0, last + PATIENCE - self._wire.clock.monotonic()))
        for run in sorted({made.run for made in self._state.made}):
            for _ in range(_SWEEPS):
                page = await self._page_of(run)
                if page is None:
                    # Without a list, an order that this run has not deleted may still be there.
                    for made in self._state.made:
                        made.gone = made.gone and (made.run != run or made.order_id in self._deleted)
                    break
                shown = self._still_shown(page, run)
                left = {order_id: made for order_id, made in left.items() if made.run != run} | shown
                for order_id, made in shown.items():
                    with suppress(StateFileError):
                        self._state.created(made, order_id)
                    made.gone = False
                    with suppress(NoEvidenceError):
                        if made not in stuck and await self._is_removed(order_id, made):
                            self._state.gone(made)
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
            made = next((one for one in self._state.made if one.marker == attributes.get("calibration")), None)
            if made is None or order_id is None or not is_order_id(order_id) or order_id in self._deleted:
                continue
            if is_of(order, run) and status_in(order) != "removed":
                shown[order_id] = made
        return shown

    async def _page_of(self, run: str) -> Exchange | None:
        for _ in range(_TRIES):
            with suppress(NoEvidenceError):
                page = await self._wire.read(ORDERS, reference=run, limit="50")
                if page.status == 200 and "data" in page.mapping:
                    return page
        return None

    async def _removed(self, made: Made) -> bool:
        if made.order_id is not None and not await self._is_removed(made.order_id, made):
            return False
        if made.order_id in self._deleted:
            return True
        # Its id is unknown or leads to no order, so look for its marker.
        ids = await self._found(made)
        if made.refused and not ids:
            self._bench.created -= 1
        elif made.refused:
            self._bench.doubt(CREATION)
        return all([await self._is_removed(order_id, made) for order_id in ids])

    async def _found(self, made: Made) -> list[str]:
        """The ids of the orders with a marker, if its creation had no answer or was refused.

        A list may show an order late, so it is read again some time later.
        """
        known = {one.order_id for one in self._state.made if one is not made}
        asked = self._bench.asked.get(made.marker, self._wire.clock.monotonic())
        for patience in (max(0.0, asked + PATIENCE - self._wire.clock.monotonic()), 0.0):
            found: list[str] = []
            for query in ({"cart_reference": made.marker}, {"reference": made.run, "limit": "50"}):
                page = await self._wire.read(ORDERS, **query)
                if page.status != 200 or "data" not in page.mapping:
                    raise NoEvidenceError("orders can't be listed")
                if not all(is_of(order, made.run) for order in page.orders):
                    raise NoEvidenceError("a list does not follow its filter")
                found += [order_id for order in page.orders if (order_id := _marked(order, made.marker)) is not None]
            if found or not patience:
                return [order_id for order_id in dict.fromkeys(found) if order_id not in known]
            await self._wire.clock.sleep(patience)
        return []

    async def _is_removed(self, order_id: str, made: Made) -> bool:
        unanswered: NoEvidenceError | None = None
        missed = 0
        for tried in range(_TRIES):
            read = await self._wire.read(ORDER, order_id)
            if read.status == 404:
                # A replica that lags may not have a new order yet.
                missed += 1
                if missed == MISSED:
                    return True
                await self._wire.clock.sleep(PATIENCE / MISSED)
                continue
            missed = 0
            if read.status == 200 and read.mapping and not is_of(read.mapping, made.run):
                # The order is not of that run, whatever the file says: leave it alone.
                return False
            try:
                if is_of(read.mapping, made.run) and await self._remove(order_id, status_of(read)):
                    self._deleted.add(order_id)
                    return True
                unanswered = None
            except NoEvidenceError as error:
                unanswered = error
            await self._wire.clock.sleep(LOOK_AGAIN * tried)
        if unanswered is not None:
            raise unanswered
        return False

    async def _remove(self, order_id: str, status: str) -> bool:
        """Delete an order. If the service refuses, move it to checkout or to removed."""
        answer, after = await self._bench.delete(order_id, status)
        if answer.status != 404 and not answer.succeeded:
            if status == "removed":
                return True
            if status == "processing":
                await self._wire.write("PUT", STATE, order_id, {"currentStatus": "checkout"})
            else:
                await self._wire.write("PUT", STATE, order_id, {"currentStatus": "removed"})
            after = await self._wire.read(ORDER, order_id)
        if after.status == 404:
            return answer.status == 404 or answer.succeeded
        return status_of(after) == "removed"


def _marked(order: Mapping[str, Any], marker: str) -> str | None:
    """The id of a listed order, if it has the marker."""
    cart, attributes = mapping_or_empty(order.get("cart")), mapping_or_empty(order.get("attributes"))
    if marker not in (cart.get("reference"), attributes.get("calibration")):
        return None
    return text_or_none(order.get("id"))


def is_of(order: Mapping[str, Any], run: str) -> bool:
    """Whether a run with this reference made the order."""
    texts = (order.get("reference"), mapping_or_empty(order.get("attributes")).get("calibration"))
    return any(isinstance(text, str) and (text == run or text.startswith(f"{run}-")) for text in texts)
