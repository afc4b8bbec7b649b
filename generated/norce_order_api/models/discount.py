"""Discount."""

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
from .discount_type import DISCOUNT_TYPE_VALUES, DISCOUNT_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .discount_type import DiscountType


@define
class Discount:
    """A price reduction.

    Attributes:
        type_: What the discount reduces: items or shipping.
        name: Display name.
        reference: External identifier of the discount.
        description: Explanatory text.
        code: Code that activated it.
        value: Amount taken off in total.
        attributes: Free-form extra data kept with the discount.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "type",
            "name",
            "reference",
            "description",
            "code",
            "value",
            "attributes",
        }
    )

    type_: DiscountType | str | None = None
    name: str | None = field(default=None, repr=False)
    reference: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    value: Price | None = field(default=None, repr=False)
    attributes: Attributes | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.type_ is not None:
            _result["type"] = _write_word(self.type_)
        if self.name is not None:
            _result["name"] = self.name
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.description is not None:
            _result["description"] = self.description
        if self.code is not None:
            _result["code"] = self.code
        if self.value is not None:
            _result["value"] = _write_object(self.value)
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Discount")
        _rest: dict[str, Any] = {}

        type_ = src_dict.get("type")
        if type_ is not None and (type(type_) is not str or type_ not in DISCOUNT_TYPE_VALUES):
            _raw = type_
            type_ = _read_word(_raw, DISCOUNT_TYPE_WORDS, "Discount.type")
            if type_ is None:
                _keep_raw(_rest, "type", _raw, "Discount.type")

        name = src_dict.get("name")
        if name is not None and not isinstance(name, str):
            _keep_raw(_rest, "name", name, "Discount.name")
            name = None

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Discount.reference")
            reference = None

        description = src_dict.get("description")
        if description is not None and not isinstance(description, str):
            _keep_raw(_rest, "description", description, "Discount.description")
            description = None

        code = src_dict.get("code")
        if code is not None and not isinstance(code, str):
            _keep_raw(_rest, "code", code, "Discount.code")
            code = None

        value: Price | None = None
        _raw = src_dict.get("value")
        if _raw.__class__ is dict:
            value = Price.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "value", _raw, "Discount.value")

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Discount.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Discount")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Discount")
        _model = cls(
            type_,
            name,
            reference,
            description,
            code,
            value,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .price import Price
