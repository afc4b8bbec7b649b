"""Addon."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    is_number as _is_number,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    write_number as _write_number,
)


@define
class Addon:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.price is not None:
            _result["price"] = _write_number(self.price, "Addon.price")
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Addon")
        _rest: dict[str, Any] = {}

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Addon.reference")
            reference = None

        price = src_dict.get("price")
        if price is not None and not _is_number(price):
            _keep_raw(_rest, "price", price, "Addon.price")
            price = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Addon")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Addon")
        _model = cls(
            reference,
            price,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
