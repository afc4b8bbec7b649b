"""Addon."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    with_rest as _with_rest,
    write_number as _write_number,
)


@define
class Addon(Model):
    """Extra service bought on top of a delivery option.

    Attributes:
        reference: Identifier of the add-on at the shipping provider.
        price: What the add-on costs, in whole currency units.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "reference",
            "price",
        }
    )

    reference: str | None = field(default=None, repr=False)
    price: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.price) is not None:
            _result["price"] = (
                _v
                if (_v.__class__ is float and _v - _v == 0.0) or _v.__class__ is int
                else _write_number(_v, "Addon.price")
            )
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Addon")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(self, _v, "reference", "Addon.reference", _v if isinstance(_v, str) else None)

        self.price = _v = src_dict.get("price")
        if _v is None:
            _places += 1
        elif (_v.__class__ is not float or _v - _v != 0.0) and _v.__class__ is not int:
            self.price = _or_keep(self, _v, "price", "Addon.price")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 2:
            _note_odd(self, src_dict, "Addon")
        return self
