"""Address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_word as _read_word,
    write_word as _write_word,
)
from .customer_type import CUSTOMER_TYPE_VALUES, CUSTOMER_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .customer_type import CustomerType


@define
class Address:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.type_ is not None:
            _result["type"] = _write_word(self.type_)
        if self.given_name is not None:
            _result["givenName"] = self.given_name
        if self.family_name is not None:
            _result["familyName"] = self.family_name
        if self.care_of is not None:
            _result["careOf"] = self.care_of
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.organization_name is not None:
            _result["organizationName"] = self.organization_name
        if self.street_address is not None:
            _result["streetAddress"] = self.street_address
        if self.street_address_2 is not None:
            _result["streetAddress2"] = self.street_address_2
        if self.postal_code is not None:
            _result["postalCode"] = self.postal_code
        if self.city is not None:
            _result["city"] = self.city
        if self.region is not None:
            _result["region"] = self.region
        if self.country is not None:
            _result["country"] = self.country
        if self.phone is not None:
            _result["phone"] = self.phone
        if self.email is not None:
            _result["email"] = self.email
        if self.national_identification_number is not None:
            _result["nationalIdentificationNumber"] = self.national_identification_number
        if self.organization_identification_number is not None:
            _result["organizationIdentificationNumber"] = self.organization_identification_number
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Address")
        _rest: dict[str, Any] = {}

        type_ = src_dict.get("type")
        if type_ is not None and (type(type_) is not str or type_ not in CUSTOMER_TYPE_VALUES):
            _raw = type_
            type_ = _read_word(_raw, CUSTOMER_TYPE_WORDS, "Address.type")
            if type_ is None:
                _keep_raw(_rest, "type", _raw, "Address.type")

        given_name = src_dict.get("givenName")
        if given_name is not None and not isinstance(given_name, str):
            _keep_raw(_rest, "givenName", given_name, "Address.givenName")
            given_name = None

        family_name = src_dict.get("familyName")
        if family_name is not None and not isinstance(family_name, str):
            _keep_raw(_rest, "familyName", family_name, "Address.familyName")
            family_name = None

        care_of = src_dict.get("careOf")
        if care_of is not None and not isinstance(care_of, str):
            _keep_raw(_rest, "careOf", care_of, "Address.careOf")
            care_of = None

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Address.reference")
            reference = None

        organization_name = src_dict.get("organizationName")
        if organization_name is not None and not isinstance(organization_name, str):
            _keep_raw(_rest, "organizationName", organization_name, "Address.organizationName")
            organization_name = None

        street_address = src_dict.get("streetAddress")
        if street_address is not None and not isinstance(street_address, str):
            _keep_raw(_rest, "streetAddress", street_address, "Address.streetAddress")
            street_address = None

        street_address_2 = src_dict.get("streetAddress2")
        if street_address_2 is not None and not isinstance(street_address_2, str):
            _keep_raw(_rest, "streetAddress2", street_address_2, "Address.streetAddress2")
            street_address_2 = None

        postal_code = src_dict.get("postalCode")
        if postal_code is not None and not isinstance(postal_code, str):
            _keep_raw(_rest, "postalCode", postal_code, "Address.postalCode")
            postal_code = None

        city = src_dict.get("city")
        if city is not None and not isinstance(city, str):
            _keep_raw(_rest, "city", city, "Address.city")
            city = None

        region = src_dict.get("region")
        if region is not None and not isinstance(region, str):
            _keep_raw(_rest, "region", region, "Address.region")
            region = None

        country = src_dict.get("country")
        if country is not None and not isinstance(country, str):
            _keep_raw(_rest, "country", country, "Address.country")
            country = None

        phone = src_dict.get("phone")
        if phone is not None and not isinstance(phone, str):
            _keep_raw(_rest, "phone", phone, "Address.phone")
            phone = None

        email = src_dict.get("email")
        if email is not None and not isinstance(email, str):
            _keep_raw(_rest, "email", email, "Address.email")
            email = None

        national_identification_number = src_dict.get("nationalIdentificationNumber")
        if national_identification_number is not None and not isinstance(national_identification_number, str):
            _keep_raw(
                _rest,
                "nationalIdentificationNumber",
                national_identification_number,
                "Address.nationalIdentificationNumber",
            )
            national_identification_number = None

        organization_identification_number = src_dict.get("organizationIdentificationNumber")
        if organization_identification_number is not None and not isinstance(organization_identification_number, str):
            _keep_raw(
                _rest,
                "organizationIdentificationNumber",
                organization_identification_number,
                "Address.organizationIdentificationNumber",
            )
            organization_identification_number = None

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Address.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Address")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Address")
        _model = cls(
            type_,
            given_name,
            family_name,
            care_of,
            reference,
            organization_name,
            street_address,
            street_address_2,
            postal_code,
            city,
            region,
            country,
            phone,
            email,
            national_identification_number,
            organization_identification_number,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
