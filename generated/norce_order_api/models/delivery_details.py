"""DeliveryDetails."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    write_object as _write_object,
)


@define
class DeliveryDetails:
    """How a shipping is delivered.

    Attributes:
        carrier: Name of the carrier.
        carrier_product_id: Carrier's own identifier of the product.
        class_: Class of shipping.
        product: Chosen carrier product.
        pickup_location: Chosen pickup point.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "carrier",
            "carrierProductId",
            "class",
            "product",
            "pickupLocation",
        }
    )

    carrier: str | None = field(default=None, repr=False)
    carrier_product_id: str | None = field(default=None, repr=False)
    class_: str | None = field(default=None, repr=False)
    product: Product | None = field(default=None, repr=False)
    pickup_location: PickupLocation | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.carrier is not None:
            _result["carrier"] = self.carrier
        if self.carrier_product_id is not None:
            _result["carrierProductId"] = self.carrier_product_id
        if self.class_ is not None:
            _result["class"] = self.class_
        if self.product is not None:
            _result["product"] = _write_object(self.product)
        if self.pickup_location is not None:
            _result["pickupLocation"] = _write_object(self.pickup_location)
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "DeliveryDetails")
        _rest: dict[str, Any] = {}

        carrier = src_dict.get("carrier")
        if carrier is not None and not isinstance(carrier, str):
            _keep_raw(_rest, "carrier", carrier, "DeliveryDetails.carrier")
            carrier = None

        carrier_product_id = src_dict.get("carrierProductId")
        if carrier_product_id is not None and not isinstance(carrier_product_id, str):
            _keep_raw(_rest, "carrierProductId", carrier_product_id, "DeliveryDetails.carrierProductId")
            carrier_product_id = None

        class_ = src_dict.get("class")
        if class_ is not None and not isinstance(class_, str):
            _keep_raw(_rest, "class", class_, "DeliveryDetails.class")
            class_ = None

        product: Product | None = None
        _raw = src_dict.get("product")
        if _raw.__class__ is dict:
            product = Product.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "product", _raw, "DeliveryDetails.product")

        pickup_location: PickupLocation | None = None
        _raw = src_dict.get("pickupLocation")
        if _raw.__class__ is dict:
            pickup_location = PickupLocation.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "pickupLocation", _raw, "DeliveryDetails.pickupLocation")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "DeliveryDetails")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "DeliveryDetails")
        _model = cls(
            carrier,
            carrier_product_id,
            class_,
            product,
            pickup_location,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .pickup_location import PickupLocation
from .product import Product
