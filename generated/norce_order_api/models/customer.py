"""Customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_word as _read_word,
    supply as _supply,
    with_rest as _with_rest,
    write_object as _write_object,
)
from .customer_type import CUSTOMER_TYPE_VALUES, CUSTOMER_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .customer_type import CustomerType


@define
class Customer(Model):
    """Customer of the order.

    Attributes:
        billing: Who is invoiced.
        shipping: Where goods are sent.
        type_: Private person or company.
        attributes: Free-form extra data kept with the customer.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "billing",
            "shipping",
            "type",
            "attributes",
        }
    )

    billing: Address | None = field(default=None, repr=False)
    shipping: Address | None = field(default=None, repr=False)
    type_: CustomerType | str | None = None
    attributes: Attributes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.billing) is not None:
            _result["billing"] = _v.to_dict() if _v.__class__ is Address else _write_object(_v)
        if (_v := self.shipping) is not None:
            _result["shipping"] = _v.to_dict() if _v.__class__ is Address else _write_object(_v)
        if (_v := self.type_) is not None:
            _result["type"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Customer")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.billing = _v = src_dict.get("billing")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.billing = _new_address().__fill__(_v)
        else:
            self.billing = _or_keep(self, _v, "billing", "Customer.billing")

        self.shipping = _v = src_dict.get("shipping")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.shipping = _new_address().__fill__(_v)
        else:
            self.shipping = _or_keep(self, _v, "shipping", "Customer.shipping")

        self.type_ = _v = src_dict.get("type")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in CUSTOMER_TYPE_VALUES:
            self.type_ = _or_keep(
                self, _v, "type", "Customer.type", _read_word(_v, CUSTOMER_TYPE_WORDS, "Customer.type")
            )

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Customer.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 4:
            _note_odd(self, src_dict, "Customer")
        return self


from .address import Address

_new_address = _supply(Address)
