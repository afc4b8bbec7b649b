"""PickupLocation."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    supply as _supply,
    with_rest as _with_rest,
    write_object as _write_object,
)


@define
class PickupLocation(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.name) is not None:
            _result["name"] = _v
        if (_v := self.address) is not None:
            _result["address"] = _v.to_dict() if _v.__class__ is PickupLocationAddress else _write_object(_v)
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "PickupLocation")
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
            self.reference = _or_keep(
                self, _v, "reference", "PickupLocation.reference", _v if isinstance(_v, str) else None
            )

        self.name = _v = src_dict.get("name")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.name = _or_keep(self, _v, "name", "PickupLocation.name", _v if isinstance(_v, str) else None)

        self.address = _v = src_dict.get("address")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.address = _new_pickup_location_address().__fill__(_v)
        else:
            self.address = _or_keep(self, _v, "address", "PickupLocation.address")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 3:
            _note_odd(self, src_dict, "PickupLocation")
        return self


from .pickup_location_address import PickupLocationAddress

_new_pickup_location_address = _supply(PickupLocationAddress)
