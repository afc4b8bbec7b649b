"""Address."""

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
    with_rest as _with_rest,
)
from .customer_type import CUSTOMER_TYPE_VALUES, CUSTOMER_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .customer_type import CustomerType


@define
class Address(Model):
    """Postal address together with contact and identity details.

    Attributes:
        type_: Whether the address belongs to a private person or a company.
        given_name: First name.
        family_name: Surname.
        care_of: C/o line.
        reference: External identifier of the customer.
        organization_name: Company name.
        street_address: Street line one.
        street_address_2: Street line two.
        postal_code: Postal or zip code.
        city: Town or city.
        region: State, county or region.
        country: Two-letter ISO 3166 country code.
        phone: Telephone number.
        email: E-mail.
        national_identification_number: Identity number of a person, for instance a Swedish personnummer.
        organization_identification_number: Registration number of a legal entity, for instance a Swedish
            organisationsnummer.
        attributes: Free-form extra data kept with the address.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "type",
            "givenName",
            "familyName",
            "careOf",
            "reference",
            "organizationName",
            "streetAddress",
            "streetAddress2",
            "postalCode",
            "city",
            "region",
            "country",
            "phone",
            "email",
            "nationalIdentificationNumber",
            "organizationIdentificationNumber",
            "attributes",
        }
    )

    type_: CustomerType | str | None = None
    given_name: str | None = field(default=None, repr=False)
    family_name: str | None = field(default=None, repr=False)
    care_of: str | None = field(default=None, repr=False)
    reference: str | None = field(default=None, repr=False)
    organization_name: str | None = field(default=None, repr=False)
    street_address: str | None = field(default=None, repr=False)
    street_address_2: str | None = field(default=None, repr=False)
    postal_code: str | None = field(default=None, repr=False)
    city: str | None = field(default=None, repr=False)
    region: str | None = field(default=None, repr=False)
    country: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    national_identification_number: str | None = field(default=None, repr=False)
    organization_identification_number: str | None = field(default=None, repr=False)
    attributes: Attributes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.type_) is not None:
            _result["type"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.given_name) is not None:
            _result["givenName"] = _v
        if (_v := self.family_name) is not None:
            _result["familyName"] = _v
        if (_v := self.care_of) is not None:
            _result["careOf"] = _v
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.organization_name) is not None:
            _result["organizationName"] = _v
        if (_v := self.street_address) is not None:
            _result["streetAddress"] = _v
        if (_v := self.street_address_2) is not None:
            _result["streetAddress2"] = _v
        if (_v := self.postal_code) is not None:
            _result["postalCode"] = _v
        if (_v := self.city) is not None:
            _result["city"] = _v
        if (_v := self.region) is not None:
            _result["region"] = _v
        if (_v := self.country) is not None:
            _result["country"] = _v
        if (_v := self.phone) is not None:
            _result["phone"] = _v
        if (_v := self.email) is not None:
            _result["email"] = _v
        if (_v := self.national_identification_number) is not None:
            _result["nationalIdentificationNumber"] = _v
        if (_v := self.organization_identification_number) is not None:
            _result["organizationIdentificationNumber"] = _v
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Address")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.type_ = _v = src_dict.get("type")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in CUSTOMER_TYPE_VALUES:
            self.type_ = _or_keep(self, _v, "type", "Address.type", _read_word(_v, CUSTOMER_TYPE_WORDS, "Address.type"))

        self.given_name = _v = src_dict.get("givenName")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.given_name = _or_keep(self, _v, "givenName", "Address.givenName", _v if isinstance(_v, str) else None)

        self.family_name = _v = src_dict.get("familyName")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.family_name = _or_keep(
                self, _v, "familyName", "Address.familyName", _v if isinstance(_v, str) else None
            )

        self.care_of = _v = src_dict.get("careOf")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.care_of = _or_keep(self, _v, "careOf", "Address.careOf", _v if isinstance(_v, str) else None)

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(self, _v, "reference", "Address.reference", _v if isinstance(_v, str) else None)

        self.organization_name = _v = src_dict.get("organizationName")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.organization_name = _or_keep(
                self, _v, "organizationName", "Address.organizationName", _v if isinstance(_v, str) else None
            )

        self.street_address = _v = src_dict.get("streetAddress")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.street_address = _or_keep(
                self, _v, "streetAddress", "Address.streetAddress", _v if isinstance(_v, str) else None
            )

        self.street_address_2 = _v = src_dict.get("streetAddress2")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.street_address_2 = _or_keep(
                self, _v, "streetAddress2", "Address.streetAddress2", _v if isinstance(_v, str) else None
            )

        self.postal_code = _v = src_dict.get("postalCode")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.postal_code = _or_keep(
                self, _v, "postalCode", "Address.postalCode", _v if isinstance(_v, str) else None
            )

        self.city = _v = src_dict.get("city")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.city = _or_keep(self, _v, "city", "Address.city", _v if isinstance(_v, str) else None)

        self.region = _v = src_dict.get("region")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.region = _or_keep(self, _v, "region", "Address.region", _v if isinstance(_v, str) else None)

        self.country = _v = src_dict.get("country")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.country = _or_keep(self, _v, "country", "Address.country", _v if isinstance(_v, str) else None)

        self.phone = _v = src_dict.get("phone")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.phone = _or_keep(self, _v, "phone", "Address.phone", _v if isinstance(_v, str) else None)

        self.email = _v = src_dict.get("email")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.email = _or_keep(self, _v, "email", "Address.email", _v if isinstance(_v, str) else None)

        self.national_identification_number = _v = src_dict.get("nationalIdentificationNumber")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.national_identification_number = _or_keep(
                self,
                _v,
                "nationalIdentificationNumber",
                "Address.nationalIdentificationNumber",
                _v if isinstance(_v, str) else None,
            )

        self.organization_identification_number = _v = src_dict.get("organizationIdentificationNumber")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.organization_identification_number = _or_keep(
                self,
                _v,
                "organizationIdentificationNumber",
                "Address.organizationIdentificationNumber",
                _v if isinstance(_v, str) else None,
            )

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Address.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 17:
            _note_odd(self, src_dict, "Address")
        return self
