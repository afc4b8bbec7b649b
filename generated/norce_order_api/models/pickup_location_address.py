"""PickupLocationAddress."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
)


@define
class PickupLocationAddress:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.street_address is not None:
            _result["streetAddress"] = self.street_address
        if self.city is not None:
            _result["city"] = self.city
        if self.postal_code is not None:
            _result["postalCode"] = self.postal_code
        if self.country is not None:
            _result["country"] = self.country
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "PickupLocationAddress")
        _rest: dict[str, Any] = {}

        street_address = src_dict.get("streetAddress")
        if street_address is not None and not isinstance(street_address, str):
            _keep_raw(_rest, "streetAddress", street_address, "PickupLocationAddress.streetAddress")
            street_address = None

        city = src_dict.get("city")
        if city is not None and not isinstance(city, str):
            _keep_raw(_rest, "city", city, "PickupLocationAddress.city")
            city = None

        postal_code = src_dict.get("postalCode")
        if postal_code is not None and not isinstance(postal_code, str):
            _keep_raw(_rest, "postalCode", postal_code, "PickupLocationAddress.postalCode")
            postal_code = None

        country = src_dict.get("country")
        if country is not None and not isinstance(country, str):
            _keep_raw(_rest, "country", country, "PickupLocationAddress.country")
            country = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "PickupLocationAddress")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "PickupLocationAddress")
        _model = cls(
            street_address,
            city,
            postal_code,
            country,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
