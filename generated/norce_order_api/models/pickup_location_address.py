"""PickupLocationAddress."""

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
class PickupLocationAddress(Model):
    """Address of a pickup point.

    Attributes:
        street_address: Street.
        city: Town or city.
        postal_code: Postal or zip code.
        country: Two-letter ISO 3166 country code.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "streetAddress",
            "city",
            "postalCode",
            "country",
        }
    )

    street_address: str | None = field(default=None, repr=False)
    city: str | None = field(default=None, repr=False)
    postal_code: str | None = field(default=None, repr=False)
    country: str | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.street_address) is not None:
            _result["streetAddress"] = _v
        if (_v := self.city) is not None:
            _result["city"] = _v
        if (_v := self.postal_code) is not None:
            _result["postalCode"] = _v
        if (_v := self.country) is not None:
            _result["country"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "PickupLocationAddress")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.street_address = _v = src_dict.get("streetAddress")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.street_address = _or_keep(
                self, _v, "streetAddress", "PickupLocationAddress.streetAddress", _v if isinstance(_v, str) else None
            )

        self.city = _v = src_dict.get("city")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.city = _or_keep(self, _v, "city", "PickupLocationAddress.city", _v if isinstance(_v, str) else None)

        self.postal_code = _v = src_dict.get("postalCode")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.postal_code = _or_keep(
                self, _v, "postalCode", "PickupLocationAddress.postalCode", _v if isinstance(_v, str) else None
            )

        self.country = _v = src_dict.get("country")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.country = _or_keep(
                self, _v, "country", "PickupLocationAddress.country", _v if isinstance(_v, str) else None
            )

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 4:
            _note_odd(self, src_dict, "PickupLocationAddress")
        return self
