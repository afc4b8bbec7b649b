"""Cart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    write_list as _write_list,
    write_object as _write_object,
)

if TYPE_CHECKING:
    from .attributes import Attributes


@define
class Cart:
    """Contents of the cart.

    Attributes:
        reference: Identifier of the cart in the commerce platform.
        items: Cart lines.
        discounts: Discounts on cart level.
        total: Sum of the cart without shipping.
        attributes: Free-form extra data kept with the cart.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "reference",
            "items",
            "discounts",
            "total",
            "attributes",
        }
    )

    reference: str | None = field(default=None, repr=False)
    items: list[Item] | None = field(default=None, repr=False)
    discounts: list[Discount] | None = field(default=None, repr=False)
    total: Price | None = field(default=None, repr=False)
    attributes: Attributes | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.items is not None:
            _result["items"] = [_write_object(_one) for _one in self.items]
            if "items" in self.additional_properties:
                _result["items"] = _write_list(
                    _result["items"],
                    self.additional_properties["items"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Item.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.discounts is not None:
            _result["discounts"] = [_write_object(_one) for _one in self.discounts]
            if "discounts" in self.additional_properties:
                _result["discounts"] = _write_list(
                    _result["discounts"],
                    self.additional_properties["discounts"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Discount.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.total is not None:
            _result["total"] = _write_object(self.total)
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Cart")
        _rest: dict[str, Any] = {}

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Cart.reference")
            reference = None

        items: list[Item] | None = None
        _raw = src_dict.get("items")
        if _raw.__class__ is list:
            items = [Item.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(items) != len(_raw):
                _keep_raw(_rest, "items", _raw, "Cart.items")
        elif _raw is not None:
            _keep_raw(_rest, "items", _raw, "Cart.items")

        discounts: list[Discount] | None = None
        _raw = src_dict.get("discounts")
        if _raw.__class__ is list:
            discounts = [Discount.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(discounts) != len(_raw):
                _keep_raw(_rest, "discounts", _raw, "Cart.discounts")
        elif _raw is not None:
            _keep_raw(_rest, "discounts", _raw, "Cart.discounts")

        total: Price | None = None
        _raw = src_dict.get("total")
        if _raw.__class__ is dict:
            total = Price.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "total", _raw, "Cart.total")

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Cart.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Cart")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Cart")
        _model = cls(
            reference,
            items,
            discounts,
            total,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .discount import Discount
from .item import Item
from .price import Price
