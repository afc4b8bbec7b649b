"""Cart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    keep_list as _keep_list,
    note_odd as _note_odd,
    or_keep as _or_keep,
    supply as _supply,
    with_rest as _with_rest,
    write_object as _write_object,
)

if TYPE_CHECKING:
    from .attributes import Attributes


@define
class Cart(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _list: list[Any]
        _one: Any
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.items) is not None:
            _result["items"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Item else _write_object(_one))
        if (_v := self.discounts) is not None:
            _result["discounts"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Discount else _write_object(_one))
        if (_v := self.total) is not None:
            _result["total"] = _v.to_dict() if _v.__class__ is Price else _write_object(_v)
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Cart")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _list: list[Any]
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(self, _v, "reference", "Cart.reference", _v if isinstance(_v, str) else None)

        self.items = _v = src_dict.get("items")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.items = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_item().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "items", "Cart.items")
        else:
            self.items = _or_keep(self, _v, "items", "Cart.items")

        self.discounts = _v = src_dict.get("discounts")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.discounts = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_discount().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "discounts", "Cart.discounts")
        else:
            self.discounts = _or_keep(self, _v, "discounts", "Cart.discounts")

        self.total = _v = src_dict.get("total")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.total = _new_price().__fill__(_v)
        else:
            self.total = _or_keep(self, _v, "total", "Cart.total")

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Cart.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 5:
            _note_odd(self, src_dict, "Cart")
        return self


from .discount import Discount
from .item import Item
from .price import Price

_new_discount = _supply(Discount)
_new_item = _supply(Item)
_new_price = _supply(Price)
