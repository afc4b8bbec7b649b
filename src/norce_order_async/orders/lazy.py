"""An order as the service wrote it, decoded only when a caller looks past its head.

A job often needs ids and statuses alone, of a page of a hundred whole orders or of one that it reads. The head (status,
reference, times) is read straight from the JSON data where it stands there as the description says. A part of an order,
such as its cart, is decoded by itself. Anything odd in the head or in place of a part, and :attr:`OrderBody.model`,
decodes the whole order, tolerantly and with its drift recorded: there is one reading of odd data, not two.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from norce_order_async import models
from norce_order_async._json import is_list, is_mapping, mapping_or_empty, read_json
from norce_order_async.orders.lifecycle import STATUSES
from norce_order_async.pipeline.operations import LIST_ORDERS
from norce_order_async.pipeline.response import DriftRecord

if TYPE_CHECKING:
    from norce_order_async.models import OrderData, OrderStatus, State

Part = Literal[
    "attributes",
    "cart",
    "consents",
    "customer",
    "hooks",
    "notifications",
    "payments",
    "shippings",
    "state",
    "total",
    "validations",
]
"""The members of an order that are decoded by themselves."""

_MODELS: Final[dict[str, str]] = {"cart": "Cart", "customer": "Customer", "state": "State", "total": "Price"}
_ELEMENTS: Final[dict[str, str]] = {
    "consents": "Consent",
    "hooks": "Hook",
    "notifications": "Notification",
    "payments": "Payment",
    "shippings": "Shipping",
    "validations": "Callback",
}
"""The models of the parts, and of the elements of those that are lists. Attributes are plain data."""


class OrderBody:
    """One order's JSON data and, once a caller has asked for them, its models.

    ``source`` is what surprises in the data are counted under: the operation that brought them. ``body`` are the bytes
    of the data, where they are at hand: with them, the data are given up to the models that are made of them.
    """

    __slots__ = ("_body", "_drift", "_model", "_parts", "_received", "_source", "_undecoded")

    def __init__(
        self,
        received: Mapping[str, Any] | None,
        drift: DriftRecord,
        model: OrderData | None = None,
        source: str = LIST_ORDERS.id,
        body: bytes | None = None,
    ) -> None:
        self._received = received
        self._drift = drift
        self._model = model
        self._source = source
        self._body = body
        self._parts: dict[str, Any] = {}
        self._undecoded: Mapping[str, Any] | None = None
        """The data of which parts have been decoded while the rest has not."""

    def again(self) -> OrderBody:
        """The same for another handle, which gets models of its own."""
        received = self._received if self._body is None else None
        return OrderBody(received, self._drift, source=self._source, body=self._body)

    @property
    def plain(self) -> Mapping[str, Any]:
        """The JSON data as they were received. Of an order that was decoded the bytes are kept where there are any,
        which are a quarter of the size, and read when a caller asks."""
        if self._received is None:
            self._received = mapping_or_empty(read_json(self._body or b""))
        return self._received

    @property
    def model(self) -> OrderData:
        """The whole order, decoded at the first use."""
        if self._model is None:
            data = self._given_up()
            if self._parts:
                data = {name: value for name, value in data.items() if name not in self._parts}
            self._model = self._drift.reading(self._source, models.OrderData.from_dict, data)
            for name, part in self._parts.items():
                setattr(self._model, name, part)
            self._parts, self._undecoded = {}, None
        return self._model

    def whole(self) -> OrderData:
        """The same as :attr:`model`."""
        return self.model

    def takes(self, model: OrderData) -> None:
        """The models are there already."""
        self._given_up()
        self._model = model

    def part(self, name: Part) -> Any:
        """One member of :attr:`model`, of which the others need not be decoded."""
        if self._model is not None:
            return getattr(self._model, name)
        if name in self._parts:
            return self._parts[name]
        value = self._data.get(name)
        model, element = _MODELS.get(name), _ELEMENTS.get(name)
        part: Any = None
        if is_mapping(value) and model:
            part = self._drift.reading(self._source, getattr(models, model).from_dict, value)
        elif is_mapping(value) and not element:
            part = value
        elif is_list(value) and element and all(map(is_mapping, value)):
            part = self._drift.reading(self._source, _listed, getattr(models, element), value)
        elif name in self._data:
            return getattr(self.model, name)
        self._undecoded = self._given_up()
        self._parts[name] = part
        return part

    @property
    def _data(self) -> Mapping[str, Any]:
        """The data that the models are made of."""
        return self.plain if self._undecoded is None else self._undecoded

    def _given_up(self) -> Mapping[str, Any]:
        """The same, and from now on not what :attr:`plain` gives: a caller may change what the models hold of it."""
        data = self._data
        if self._body is not None and data is self._received:
            self._received = None
        return data

    # The head. Once there are models they are asked, because they can be changed.

    @property
    def status(self) -> OrderStatus | str | None:
        """The current status."""
        if self._model is None:
            word = mapping_or_empty(self._data.get("state")).get("currentStatus")
            if type(word) is str and word in STATUSES:
                return word
        state: State | None = self.part("state")
        return state.current_status if state else None

    @property
    def reference(self) -> str | None:
        """The identifier in another system."""
        if self._model is None:
            reference = self._data.get("reference")
            if reference is None or type(reference) is str:
                return reference
        return self.model.reference

    @property
    def created(self) -> datetime | None:
        """When the order was created."""
        if self._model is None:
            try:
                return _time(self._data.get("created"))
            except ValueError:
                pass
        return self.model.created

    @property
    def last_modified(self) -> datetime | None:
        """When the order was last changed."""
        if self._model is None:
            try:
                return _time(self._data.get("lastModified"))
            except ValueError:
                pass
        return self.model.last_modified


def _listed(kind: Any, values: list[dict[str, Any]]) -> list[Any]:
    return [kind.from_dict(value) for value in values]


def _time(value: object) -> datetime | None:
    """A time as the description has it; ValueError for anything odd."""
    if value is None:
        return None
    time = datetime.fromisoformat(value) if type(value) is str else None
    if time is None or time.tzinfo is None:
        raise ValueError("no time with an offset")
    return time
