"""PickupLocation."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    write_object as _write_object,
)


@define
class PickupLocation:
    """A pickup point.

    Attributes:
        reference: Identifier of the pickup point.
        name: Name of the pickup point.
        address: Where it is.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "reference",
            "name",
            "address",
        }
    )

    reference: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    address: PickupLocationAddress | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.name is not None:
            _result["name"] = self.name
        if self.address is not None:
            _result["address"] = _write_object(self.address)
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "PickupLocation")
        _rest: dict[str, Any] = {}

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "PickupLocation.reference")
            reference = None

        name = src_dict.get("name")
        if name is not None and not isinstance(name, str):
            _keep_raw(_rest, "name", name, "PickupLocation.name")
            name = None

        address: PickupLocationAddress | None = None
        _raw = src_dict.get("address")
        if _raw.__class__ is dict:
            address = PickupLocationAddress.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "address", _raw, "PickupLocation.address")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "PickupLocation")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "PickupLocation")
        _model = cls(
            reference,
            name,
            address,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .pickup_location_address import PickupLocationAddress
