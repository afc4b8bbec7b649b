"""Shipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    is_number as _is_number,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_absent as _note_absent,
    note_nulls as _note_nulls,
    read_word as _read_word,
    write_list as _write_list,
    write_number as _write_number,
    write_object as _write_object,
    write_word as _write_word,
)
from .shipping_state import SHIPPING_STATE_VALUES, SHIPPING_STATE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .shipping_state import ShippingState


@define
class Shipping:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.total is not None:
            _result["total"] = _write_object(self.total)
        if self.vat_rate is not None:
            _result["vatRate"] = _write_number(self.vat_rate, "Shipping.vatRate")
        if self.id is not None:
            _result["id"] = self.id
        if self.merchant is not None:
            _result["merchant"] = self.merchant
        if self.channel is not None:
            _result["channel"] = self.channel
        if self.state is not None:
            _result["state"] = _write_word(self.state)
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.tms_reference is not None:
            _result["tmsReference"] = self.tms_reference
        if self.order_id is not None:
            _result["orderId"] = self.order_id
        if self.adapter_id is not None:
            _result["adapterId"] = self.adapter_id
        if self.name is not None:
            _result["name"] = self.name
        if self.delivery_details is not None:
            _result["deliveryDetails"] = _write_object(self.delivery_details)
        if self.addons is not None:
            _result["addons"] = [_write_object(_one) for _one in self.addons]
            if "addons" in self.additional_properties:
                _result["addons"] = _write_list(
                    _result["addons"],
                    self.additional_properties["addons"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Addon.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Shipping")
        _rest: dict[str, Any] = {}

        total: Price | None = None
        _raw = src_dict.get("total")
        if _raw.__class__ is dict:
            total = Price.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "total", _raw, "Shipping.total")
        if src_dict.get("total") is None:
            _note_absent(src_dict, "total", "Shipping.total")

        vat_rate = src_dict.get("vatRate")
        if vat_rate is not None and not _is_number(vat_rate):
            _keep_raw(_rest, "vatRate", vat_rate, "Shipping.vatRate")
            vat_rate = None
        if src_dict.get("vatRate") is None:
            _note_absent(src_dict, "vatRate", "Shipping.vatRate")

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "Shipping.id")
            id = None

        merchant = src_dict.get("merchant")
        if merchant is not None and not isinstance(merchant, str):
            _keep_raw(_rest, "merchant", merchant, "Shipping.merchant")
            merchant = None

        channel = src_dict.get("channel")
        if channel is not None and not isinstance(channel, str):
            _keep_raw(_rest, "channel", channel, "Shipping.channel")
            channel = None

        state = src_dict.get("state")
        if state is not None and (type(state) is not str or state not in SHIPPING_STATE_VALUES):
            _raw = state
            state = _read_word(_raw, SHIPPING_STATE_WORDS, "Shipping.state")
            if state is None:
                _keep_raw(_rest, "state", _raw, "Shipping.state")

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Shipping.reference")
            reference = None

        tms_reference = src_dict.get("tmsReference")
        if tms_reference is not None and not isinstance(tms_reference, str):
            _keep_raw(_rest, "tmsReference", tms_reference, "Shipping.tmsReference")
            tms_reference = None

        order_id = src_dict.get("orderId")
        if order_id is not None and not isinstance(order_id, str):
            _keep_raw(_rest, "orderId", order_id, "Shipping.orderId")
            order_id = None

        adapter_id = src_dict.get("adapterId")
        if adapter_id is not None and not isinstance(adapter_id, str):
            _keep_raw(_rest, "adapterId", adapter_id, "Shipping.adapterId")
            adapter_id = None

        name = src_dict.get("name")
        if name is not None and not isinstance(name, str):
            _keep_raw(_rest, "name", name, "Shipping.name")
            name = None

        delivery_details: DeliveryDetails | None = None
        _raw = src_dict.get("deliveryDetails")
        if _raw.__class__ is dict:
            delivery_details = DeliveryDetails.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "deliveryDetails", _raw, "Shipping.deliveryDetails")

        addons: list[Addon] | None = None
        _raw = src_dict.get("addons")
        if _raw.__class__ is list:
            addons = [Addon.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(addons) != len(_raw):
                _keep_raw(_rest, "addons", _raw, "Shipping.addons")
        elif _raw is not None:
            _keep_raw(_rest, "addons", _raw, "Shipping.addons")

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Shipping.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Shipping")
        if None in src_dict.values():
            _note_nulls(
                src_dict,
                {
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
                },
                "Shipping",
            )
        _model = cls(
            total,
            vat_rate,
            id,
            merchant,
            channel,
            state,
            reference,
            tms_reference,
            order_id,
            adapter_id,
            name,
            delivery_details,
            addons,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .addon import Addon
from .delivery_details import DeliveryDetails
from .price import Price
