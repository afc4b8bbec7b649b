"""DeliveryDetails."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    supply as _supply,
    with_rest as _with_rest,
    write_object as _write_object,
)


@define
class DeliveryDetails(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.carrier) is not None:
            _result["carrier"] = _v
        if (_v := self.carrier_product_id) is not None:
            _result["carrierProductId"] = _v
        if (_v := self.class_) is not None:
            _result["class"] = _v
        if (_v := self.product) is not None:
            _result["product"] = _v.to_dict() if _v.__class__ is Product else _write_object(_v)
        if (_v := self.pickup_location) is not None:
            _result["pickupLocation"] = _v.to_dict() if _v.__class__ is PickupLocation else _write_object(_v)
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "DeliveryDetails")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.carrier = _v = src_dict.get("carrier")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.carrier = _or_keep(self, _v, "carrier", "DeliveryDetails.carrier", _v if isinstance(_v, str) else None)

        self.carrier_product_id = _v = src_dict.get("carrierProductId")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.carrier_product_id = _or_keep(
                self, _v, "carrierProductId", "DeliveryDetails.carrierProductId", _v if isinstance(_v, str) else None
            )

        self.class_ = _v = src_dict.get("class")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.class_ = _or_keep(self, _v, "class", "DeliveryDetails.class", _v if isinstance(_v, str) else None)

        self.product = _v = src_dict.get("product")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.product = _new_product().__fill__(_v)
        else:
            self.product = _or_keep(self, _v, "product", "DeliveryDetails.product")

        self.pickup_location = _v = src_dict.get("pickupLocation")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.pickup_location = _new_pickup_location().__fill__(_v)
        else:
            self.pickup_location = _or_keep(self, _v, "pickupLocation", "DeliveryDetails.pickupLocation")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 5:
            _note_odd(self, src_dict, "DeliveryDetails")
        return self


from .pickup_location import PickupLocation
from .product import Product

_new_pickup_location = _supply(PickupLocation)
_new_product = _supply(Product)
