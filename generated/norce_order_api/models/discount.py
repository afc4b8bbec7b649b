"""Discount."""

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
from .discount_type import DISCOUNT_TYPE_VALUES, DISCOUNT_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .discount_type import DiscountType


@define
class Discount(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.type_) is not None:
            _result["type"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.name) is not None:
            _result["name"] = _v
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.description) is not None:
            _result["description"] = _v
        if (_v := self.code) is not None:
            _result["code"] = _v
        if (_v := self.value) is not None:
            _result["value"] = _v.to_dict() if _v.__class__ is Price else _write_object(_v)
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Discount")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.type_ = _v = src_dict.get("type")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in DISCOUNT_TYPE_VALUES:
            self.type_ = _or_keep(
                self, _v, "type", "Discount.type", _read_word(_v, DISCOUNT_TYPE_WORDS, "Discount.type")
            )

        self.name = _v = src_dict.get("name")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.name = _or_keep(self, _v, "name", "Discount.name", _v if isinstance(_v, str) else None)

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(self, _v, "reference", "Discount.reference", _v if isinstance(_v, str) else None)

        self.description = _v = src_dict.get("description")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.description = _or_keep(
                self, _v, "description", "Discount.description", _v if isinstance(_v, str) else None
            )

        self.code = _v = src_dict.get("code")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.code = _or_keep(self, _v, "code", "Discount.code", _v if isinstance(_v, str) else None)

        self.value = _v = src_dict.get("value")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.value = _new_price().__fill__(_v)
        else:
            self.value = _or_keep(self, _v, "value", "Discount.value")

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Discount.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 7:
            _note_odd(self, src_dict, "Discount")
        return self


from .price import Price

_new_price = _supply(Price)
