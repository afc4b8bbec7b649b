"""An order as the service wrote it, decoded only if a caller reads more than its head.

A job often needs only ids and statuses, of a page of a hundred orders or of a single order. The head (status,
reference, times) is read directly from the JSON data if it has the form of the description. A part of an order, such as
its cart, is decoded by itself. If the head or a part has another form, the whole order is decoded, tolerantly and with
its drift recorded, as for :attr:`OrderBody.model`. So odd data are read in one way only.
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
"""The models of the parts, and of the elements of parts that are lists. Attributes are plain data."""


class OrderBody:
    """One order's JSON data, and its models once a caller has asked for them.

    Args:
        received: the JSON data; None if they are read from ``body`` when they are needed.
        drift: counts differences from the description.
        model: the whole order, if it is decoded already.
        source: the operation that the data came from; differences are counted for it.
        body: the bytes of the data, if they are kept. Then the models may take over the data, which are read again from
            the bytes if a caller asks for them.
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
        """The data that decoded parts were made of, while other parts are not decoded yet."""

    def again(self) -> OrderBody:
        """The same order for another ``Order`` object, which gets models of its own."""
        received = self._received if self._body is None else None
        return OrderBody(received, self._drift, source=self._source, body=self._body)

    @property
    def plain(self) -> Mapping[str, Any]:
        """The JSON data as they were received. After decoding only the bytes are kept, if there are any, because they
        have a quarter of the size; the data are read from them again."""
        if self._received is None:
            self._received = mapping_or_empty(read_json(self._body or b""))
        return self._received

    @property
    def model(self) -> OrderData:
        """The whole order, decoded when it is first used."""
        if self._model is None:
            data = self._handed_over()
            if self._parts:
                data = {name: value for name, value in data.items() if name not in self._parts}
            self._model = self._drift.reading(self._source, models.OrderData.from_dict, data)
            for name, part in self._parts.items():
                setattr(self._model, name, part)
            self._parts, self._undecoded = {}, None
        return self._model

    def whole(self) -> OrderData:
        """The same as :attr:`model`, as a function."""
        return self.model

    def set_model(self, model: OrderData) -> None:
        """Use a model that was decoded elsewhere."""
        self._handed_over()
        self._model = model

    def part(self, name: Part) -> Any:
        """One member of :attr:`model`. The others are not decoded for it."""
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
        self._undecoded = self._handed_over()
        self._parts[name] = part
        return part

    @property
    def _data(self) -> Mapping[str, Any]:
        """The data that the models are made of."""
        return self.plain if self._undecoded is None else self._undecoded

    def _handed_over(self) -> Mapping[str, Any]:
        """The same data for the models. :attr:`plain` no longer gives this object, because a caller may change the
        parts of it that the models hold."""
        data = self._data
        if self._body is not None and data is self._received:
            self._received = None
        return data

    # The head. It is read from the models once there are any, because callers can change them.

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
        return self._head_time("created", "created")

    @property
    def last_modified(self) -> datetime | None:
        """When the order was last changed."""
        return self._head_time("lastModified", "last_modified")

    def _head_time(self, name: str, member: str) -> datetime | None:
        """A time of the head, by its name in the data and its member of the model."""
        if self._model is None:
            try:
                return _time(self._data.get(name))
            except ValueError:
                pass
        time: datetime | None = getattr(self.model, member)
        return time


def _listed(kind: Any, values: list[dict[str, Any]]) -> list[Any]:
    return [kind.from_dict(value) for value in values]


def _time(value: object) -> datetime | None:
    """A time in the form of the description.

    Raises:
        ValueError: it has another form.
    """
    if value is None:
        return None
    time = datetime.fromisoformat(value) if type(value) is str else None
    if time is None or time.tzinfo is None:
        raise ValueError("no time with an offset")
    return time
