"""Product."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    with_rest as _with_rest,
)


@define
class Product(Model):
    """A product of a carrier.

    Attributes:
        reference: Identifier of the product.
        name: The carrier's name for the product.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "reference",
            "name",
        }
    )

    reference: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.name) is not None:
            _result["name"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Product")
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
            self.reference = _or_keep(self, _v, "reference", "Product.reference", _v if isinstance(_v, str) else None)

        self.name = _v = src_dict.get("name")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.name = _or_keep(self, _v, "name", "Product.name", _v if isinstance(_v, str) else None)

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 2:
            _note_odd(self, src_dict, "Product")
        return self
