"""An order as the service wrote it, decoded only when a caller looks past its head.

A page of a listing is a hundred whole orders, of which a job often needs the ids and statuses alone. The head (status,
reference, times) is read straight from the JSON data where it stands there as the description says. Anything odd, and
anything beyond the head, decodes the whole order, tolerantly and with its drift recorded: there is one reading of odd
data, not two.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from norce_order_async import models
from norce_order_async._json import mapping_or_empty, read_json
from norce_order_async.orders.lifecycle import STATUSES
from norce_order_async.pipeline.operations import LIST_ORDERS
from norce_order_async.pipeline.response import DriftRecord

if TYPE_CHECKING:
    from norce_order_async.models import OrderData, OrderStatus


class OrderBody:
    """One order's JSON data and, once a caller has asked for them, its models.

    ``source`` is what surprises in the data are counted under: the operation that brought them.
    """

    __slots__ = ("_drift", "_model", "_received", "_source")

    def __init__(
        self,
        received: Mapping[str, Any] | bytes,
        drift: DriftRecord,
        model: OrderData | None = None,
        source: str = LIST_ORDERS.id,
    ) -> None:
        self._received = received
        self._drift = drift
        self._model = model
        self._source = source

    def again(self) -> OrderBody:
        """The same for another handle, which gets models of its own."""
        return OrderBody(self._received, self._drift, source=self._source)

    @property
    def plain(self) -> Mapping[str, Any]:
        """The JSON data as they were received. Of an order that came with its models the bytes are kept, which are a
        quarter of the size, and read when a caller asks."""
        if isinstance(self._received, bytes):
            self._received = mapping_or_empty(read_json(self._received))
        return self._received

    @property
    def model(self) -> OrderData:
        """The whole order, decoded at the first use."""
        if self._model is None:
            self._model = self._drift.reading(self._source, models.OrderData.from_dict, self.plain)
        return self._model

    # The head. Once there are models they are asked, because they can be changed.

    @property
    def status(self) -> OrderStatus | str | None:
        """The current status."""
        if self._model is None:
            word = mapping_or_empty(self.plain.get("state")).get("currentStatus")
            if type(word) is str and word in STATUSES:
                return word
        state = self.model.state
        return state.current_status if state else None

    @property
    def reference(self) -> str | None:
        """The identifier in another system."""
        if self._model is None:
            reference = self.plain.get("reference")
            if reference is None or type(reference) is str:
                return reference
        return self.model.reference

    @property
    def created(self) -> datetime | None:
        """When the order was created."""
        if self._model is None:
            try:
                return _time(self.plain.get("created"))
            except ValueError:
                pass
        return self.model.created

    @property
    def last_modified(self) -> datetime | None:
        """When the order was last changed."""
        if self._model is None:
            try:
                return _time(self.plain.get("lastModified"))
            except ValueError:
                pass
        return self.model.last_modified


def _time(value: object) -> datetime | None:
    """A time as the description has it; ValueError for anything odd."""
    if value is None:
        return None
    time = datetime.fromisoformat(value) if type(value) is str else None
    if time is None or time.tzinfo is None:
        raise ValueError("no time with an offset")
    return time
