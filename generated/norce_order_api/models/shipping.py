"""Shipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    drift as _drift,
    keep_list as _keep_list,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_word as _read_word,
    supply as _supply,
    with_rest as _with_rest,
    write_number as _write_number,
    write_object as _write_object,
)
from .shipping_state import SHIPPING_STATE_VALUES, SHIPPING_STATE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .shipping_state import ShippingState


@define
class Shipping(Model):
    """A shipping of an order.

    Attributes:
        total: What the shipping costs in total.
        vat_rate: VAT as a fraction; 0.25 stands for 25 %.
        id: Identifier of the shipping.
        merchant: Merchant.
        channel: Channel.
        state: State of the shipping.
        reference: Identifier in another system.
        tms_reference: Identifier in the transport management system.
        order_id: Order that it belongs to.
        adapter_id: Adapter that owns the shipping.
        name: Display name.
        delivery_details: How it is delivered.
        addons: Bought extras.
        attributes: Free-form extra data kept with the shipping.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "total",
            "vatRate",
            "id",
            "merchant",
            "channel",
            "state",
            "reference",
            "tmsReference",
            "orderId",
            "adapterId",
            "name",
            "deliveryDetails",
            "addons",
            "attributes",
        }
    )

    total: Price | None = field(repr=False)
    vat_rate: float | None
    id: str | None = None
    merchant: str | None = field(default=None, repr=False)
    channel: str | None = field(default=None, repr=False)
    state: ShippingState | str | None = None
    reference: str | None = field(default=None, repr=False)
    tms_reference: str | None = field(default=None, repr=False)
    order_id: str | None = field(default=None, repr=False)
    adapter_id: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    delivery_details: DeliveryDetails | None = field(default=None, repr=False)
    addons: list[Addon] | None = field(default=None, repr=False)
    attributes: Attributes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _list: list[Any]
        _one: Any
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.total) is not None:
            _result["total"] = _v.to_dict() if _v.__class__ is Price else _write_object(_v)
        if (_v := self.vat_rate) is not None:
            _result["vatRate"] = (
                _v
                if (_v.__class__ is float and _v - _v == 0.0) or _v.__class__ is int
                else _write_number(_v, "Shipping.vatRate")
            )
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.merchant) is not None:
            _result["merchant"] = _v
        if (_v := self.channel) is not None:
            _result["channel"] = _v
        if (_v := self.state) is not None:
            _result["state"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.tms_reference) is not None:
            _result["tmsReference"] = _v
        if (_v := self.order_id) is not None:
            _result["orderId"] = _v
        if (_v := self.adapter_id) is not None:
            _result["adapterId"] = _v
        if (_v := self.name) is not None:
            _result["name"] = _v
        if (_v := self.delivery_details) is not None:
            _result["deliveryDetails"] = _v.to_dict() if _v.__class__ is DeliveryDetails else _write_object(_v)
        if (_v := self.addons) is not None:
            _result["addons"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Addon else _write_object(_one))
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Shipping")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _list: list[Any]
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.total = _v = src_dict.get("total")
        if _v is None:
            _places += 1
            if "total" not in src_dict:
                _drift("Shipping.total", "missing")
        elif _v.__class__ is dict:
            self.total = _new_price().__fill__(_v)
        else:
            self.total = _or_keep(self, _v, "total", "Shipping.total")

        self.vat_rate = _v = src_dict.get("vatRate")
        if _v is None:
            _places += 1
            if "vatRate" not in src_dict:
                _drift("Shipping.vatRate", "missing")
        elif (_v.__class__ is not float or _v - _v != 0.0) and _v.__class__ is not int:
            self.vat_rate = _or_keep(self, _v, "vatRate", "Shipping.vatRate")

        self.id = _v = src_dict.get("id")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.id = _or_keep(self, _v, "id", "Shipping.id", _v if isinstance(_v, str) else None)

        self.merchant = _v = src_dict.get("merchant")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.merchant = _or_keep(self, _v, "merchant", "Shipping.merchant", _v if isinstance(_v, str) else None)

        self.channel = _v = src_dict.get("channel")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.channel = _or_keep(self, _v, "channel", "Shipping.channel", _v if isinstance(_v, str) else None)

        self.state = _v = src_dict.get("state")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in SHIPPING_STATE_VALUES:
            self.state = _or_keep(
                self, _v, "state", "Shipping.state", _read_word(_v, SHIPPING_STATE_WORDS, "Shipping.state")
            )

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(self, _v, "reference", "Shipping.reference", _v if isinstance(_v, str) else None)

        self.tms_reference = _v = src_dict.get("tmsReference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.tms_reference = _or_keep(
                self, _v, "tmsReference", "Shipping.tmsReference", _v if isinstance(_v, str) else None
            )

        self.order_id = _v = src_dict.get("orderId")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.order_id = _or_keep(self, _v, "orderId", "Shipping.orderId", _v if isinstance(_v, str) else None)

        self.adapter_id = _v = src_dict.get("adapterId")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.adapter_id = _or_keep(self, _v, "adapterId", "Shipping.adapterId", _v if isinstance(_v, str) else None)

        self.name = _v = src_dict.get("name")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.name = _or_keep(self, _v, "name", "Shipping.name", _v if isinstance(_v, str) else None)

        self.delivery_details = _v = src_dict.get("deliveryDetails")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.delivery_details = _new_delivery_details().__fill__(_v)
        else:
            self.delivery_details = _or_keep(self, _v, "deliveryDetails", "Shipping.deliveryDetails")

        self.addons = _v = src_dict.get("addons")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.addons = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_addon().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "addons", "Shipping.addons")
        else:
            self.addons = _or_keep(self, _v, "addons", "Shipping.addons")

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Shipping.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 14:
            _note_odd(self, src_dict, "Shipping")
        return self


from .addon import Addon
from .delivery_details import DeliveryDetails
from .price import Price

_new_addon = _supply(Addon)
_new_delivery_details = _supply(DeliveryDetails)
_new_price = _supply(Price)
