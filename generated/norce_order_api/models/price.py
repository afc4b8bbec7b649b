"""Price."""

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
class Price:
    """An amount with and without VAT.

    Attributes:
        including_vat: With VAT, in whole units of the order currency.
        excluding_vat: Without VAT, in whole units of the order currency.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "includingVat",
            "excludingVat",
        }
    )

    including_vat: float | None = None
    excluding_vat: float | None = None
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.including_vat is not None:
            _result["includingVat"] = _write_number(self.including_vat, "Price.includingVat")
        if self.excluding_vat is not None:
            _result["excludingVat"] = _write_number(self.excluding_vat, "Price.excludingVat")
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Price")
        _rest: dict[str, Any] = {}

        including_vat = src_dict.get("includingVat")
        if including_vat is not None and not _is_number(including_vat):
            _keep_raw(_rest, "includingVat", including_vat, "Price.includingVat")
            including_vat = None

        excluding_vat = src_dict.get("excludingVat")
        if excluding_vat is not None and not _is_number(excluding_vat):
            _keep_raw(_rest, "excludingVat", excluding_vat, "Price.excludingVat")
            excluding_vat = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Price")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Price")
        _model = cls(
            including_vat,
            excluding_vat,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
