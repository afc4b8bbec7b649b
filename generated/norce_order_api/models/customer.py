"""Customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_word as _read_word,
    write_object as _write_object,
    write_word as _write_word,
)
from .customer_type import CUSTOMER_TYPE_VALUES, CUSTOMER_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .customer_type import CustomerType


@define
class Customer:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.billing is not None:
            _result["billing"] = _write_object(self.billing)
        if self.shipping is not None:
            _result["shipping"] = _write_object(self.shipping)
        if self.type_ is not None:
            _result["type"] = _write_word(self.type_)
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Customer")
        _rest: dict[str, Any] = {}

        billing: Address | None = None
        _raw = src_dict.get("billing")
        if _raw.__class__ is dict:
            billing = Address.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "billing", _raw, "Customer.billing")

        shipping: Address | None = None
        _raw = src_dict.get("shipping")
        if _raw.__class__ is dict:
            shipping = Address.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "shipping", _raw, "Customer.shipping")

        type_ = src_dict.get("type")
        if type_ is not None and (type(type_) is not str or type_ not in CUSTOMER_TYPE_VALUES):
            _raw = type_
            type_ = _read_word(_raw, CUSTOMER_TYPE_WORDS, "Customer.type")
            if type_ is None:
                _keep_raw(_rest, "type", _raw, "Customer.type")

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Customer.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Customer")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Customer")
        _model = cls(
            billing,
            shipping,
            type_,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .address import Address
