"""OrderData."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_datetime as _read_datetime,
    write_datetime as _write_datetime,
    write_list as _write_list,
    write_object as _write_object,
)

if TYPE_CHECKING:
    from .attributes import Attributes


@define
class OrderData:
    """The checkout order.

    Attributes:
        id: Identifier of the order.
        merchant: Merchant that the order belongs to.
        channel: Channel that the order belongs to.
        reference: Identifier of the order in another system.
        created: When it was created.
        last_modified: When it was last changed.
        state: Where in its life cycle the order is.
        culture: Language and region (RFC 1766).
        currency: Three-letter ISO 4217 currency code.
        country: Two-letter ISO 3166 country code.
        cart: Cart of the order.
        shippings: Shippings of the order.
        payments: Payments of the order.
        customer: Who orders.
        consents: Consents of the order.
        validations: Callbacks that must succeed for a step such as validate to go through (unless they run out of
            time).
        hooks: Hooks; managed through their own endpoint.
        notifications: Callbacks made after an event, such as the order being completed.
        total: Grand total with shipping.
        attributes: Free-form extra data kept with the order.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "merchant",
            "channel",
            "reference",
            "created",
            "lastModified",
            "state",
            "culture",
            "currency",
            "country",
            "cart",
            "shippings",
            "payments",
            "customer",
            "consents",
            "validations",
            "hooks",
            "notifications",
            "total",
            "attributes",
        }
    )

    id: str | None = None
    merchant: str | None = field(default=None, repr=False)
    channel: str | None = field(default=None, repr=False)
    reference: str | None = field(default=None, repr=False)
    created: datetime | None = None
    last_modified: datetime | None = None
    state: State | None = field(default=None, repr=False)
    culture: str | None = field(default=None, repr=False)
    currency: str | None = field(default=None, repr=False)
    country: str | None = field(default=None, repr=False)
    cart: Cart | None = field(default=None, repr=False)
    shippings: list[Shipping] | None = field(default=None, repr=False)
    payments: list[Payment] | None = field(default=None, repr=False)
    customer: Customer | None = field(default=None, repr=False)
    consents: list[Consent] | None = field(default=None, repr=False)
    validations: list[Callback] | None = field(default=None, repr=False)
    hooks: list[Hook] | None = field(default=None, repr=False)
    notifications: list[Notification] | None = field(default=None, repr=False)
    total: Price | None = field(default=None, repr=False)
    attributes: Attributes | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        if self.merchant is not None:
            _result["merchant"] = self.merchant
        if self.channel is not None:
            _result["channel"] = self.channel
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.created is not None:
            _result["created"] = _write_datetime(self.created, "OrderData.created")
        if self.last_modified is not None:
            _result["lastModified"] = _write_datetime(self.last_modified, "OrderData.lastModified")
        if self.state is not None:
            _result["state"] = _write_object(self.state)
        if self.culture is not None:
            _result["culture"] = self.culture
        if self.currency is not None:
            _result["currency"] = self.currency
        if self.country is not None:
            _result["country"] = self.country
        if self.cart is not None:
            _result["cart"] = _write_object(self.cart)
        if self.shippings is not None:
            _result["shippings"] = [_write_object(_one) for _one in self.shippings]
            if "shippings" in self.additional_properties:
                _result["shippings"] = _write_list(
                    _result["shippings"],
                    self.additional_properties["shippings"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Shipping.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.payments is not None:
            _result["payments"] = [_write_object(_one) for _one in self.payments]
            if "payments" in self.additional_properties:
                _result["payments"] = _write_list(
                    _result["payments"],
                    self.additional_properties["payments"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Payment.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.customer is not None:
            _result["customer"] = _write_object(self.customer)
        if self.consents is not None:
            _result["consents"] = [_write_object(_one) for _one in self.consents]
            if "consents" in self.additional_properties:
                _result["consents"] = _write_list(
                    _result["consents"],
                    self.additional_properties["consents"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Consent.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.validations is not None:
            _result["validations"] = [_write_object(_one) for _one in self.validations]
            if "validations" in self.additional_properties:
                _result["validations"] = _write_list(
                    _result["validations"],
                    self.additional_properties["validations"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Callback.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.hooks is not None:
            _result["hooks"] = [_write_object(_one) for _one in self.hooks]
            if "hooks" in self.additional_properties:
                _result["hooks"] = _write_list(
                    _result["hooks"],
                    self.additional_properties["hooks"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Hook.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.notifications is not None:
            _result["notifications"] = [_write_object(_one) for _one in self.notifications]
            if "notifications" in self.additional_properties:
                _result["notifications"] = _write_list(
                    _result["notifications"],
                    self.additional_properties["notifications"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Notification.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.total is not None:
            _result["total"] = _write_object(self.total)
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "OrderData")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "OrderData.id")
            id = None

        merchant = src_dict.get("merchant")
        if merchant is not None and not isinstance(merchant, str):
            _keep_raw(_rest, "merchant", merchant, "OrderData.merchant")
            merchant = None

        channel = src_dict.get("channel")
        if channel is not None and not isinstance(channel, str):
            _keep_raw(_rest, "channel", channel, "OrderData.channel")
            channel = None

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "OrderData.reference")
            reference = None

        created = src_dict.get("created")
        if created is not None:
            _raw = created
            created = _read_datetime(_raw, "OrderData.created")
            if created is None:
                _keep_raw(_rest, "created", _raw, "OrderData.created")

        last_modified = src_dict.get("lastModified")
        if last_modified is not None:
            _raw = last_modified
            last_modified = _read_datetime(_raw, "OrderData.lastModified")
            if last_modified is None:
                _keep_raw(_rest, "lastModified", _raw, "OrderData.lastModified")

        state: State | None = None
        _raw = src_dict.get("state")
        if _raw.__class__ is dict:
            state = State.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "state", _raw, "OrderData.state")

        culture = src_dict.get("culture")
        if culture is not None and not isinstance(culture, str):
            _keep_raw(_rest, "culture", culture, "OrderData.culture")
            culture = None

        currency = src_dict.get("currency")
        if currency is not None and not isinstance(currency, str):
            _keep_raw(_rest, "currency", currency, "OrderData.currency")
            currency = None

        country = src_dict.get("country")
        if country is not None and not isinstance(country, str):
            _keep_raw(_rest, "country", country, "OrderData.country")
            country = None

        cart: Cart | None = None
        _raw = src_dict.get("cart")
        if _raw.__class__ is dict:
            cart = Cart.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "cart", _raw, "OrderData.cart")

        shippings: list[Shipping] | None = None
        _raw = src_dict.get("shippings")
        if _raw.__class__ is list:
            shippings = [Shipping.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(shippings) != len(_raw):
                _keep_raw(_rest, "shippings", _raw, "OrderData.shippings")
        elif _raw is not None:
            _keep_raw(_rest, "shippings", _raw, "OrderData.shippings")

        payments: list[Payment] | None = None
        _raw = src_dict.get("payments")
        if _raw.__class__ is list:
            payments = [Payment.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(payments) != len(_raw):
                _keep_raw(_rest, "payments", _raw, "OrderData.payments")
        elif _raw is not None:
            _keep_raw(_rest, "payments", _raw, "OrderData.payments")

        customer: Customer | None = None
        _raw = src_dict.get("customer")
        if _raw.__class__ is dict:
            customer = Customer.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "customer", _raw, "OrderData.customer")

        consents: list[Consent] | None = None
        _raw = src_dict.get("consents")
        if _raw.__class__ is list:
            consents = [Consent.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(consents) != len(_raw):
                _keep_raw(_rest, "consents", _raw, "OrderData.consents")
        elif _raw is not None:
            _keep_raw(_rest, "consents", _raw, "OrderData.consents")

        validations: list[Callback] | None = None
        _raw = src_dict.get("validations")
        if _raw.__class__ is list:
            validations = [Callback.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(validations) != len(_raw):
                _keep_raw(_rest, "validations", _raw, "OrderData.validations")
        elif _raw is not None:
            _keep_raw(_rest, "validations", _raw, "OrderData.validations")

        hooks: list[Hook] | None = None
        _raw = src_dict.get("hooks")
        if _raw.__class__ is list:
            hooks = [Hook.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(hooks) != len(_raw):
                _keep_raw(_rest, "hooks", _raw, "OrderData.hooks")
        elif _raw is not None:
            _keep_raw(_rest, "hooks", _raw, "OrderData.hooks")

        notifications: list[Notification] | None = None
        _raw = src_dict.get("notifications")
        if _raw.__class__ is list:
            notifications = [Notification.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(notifications) != len(_raw):
                _keep_raw(_rest, "notifications", _raw, "OrderData.notifications")
        elif _raw is not None:
            _keep_raw(_rest, "notifications", _raw, "OrderData.notifications")

        total: Price | None = None
        _raw = src_dict.get("total")
        if _raw.__class__ is dict:
            total = Price.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "total", _raw, "OrderData.total")

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "OrderData.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "OrderData")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "OrderData")
        _model = cls(
            id,
            merchant,
            channel,
            reference,
            created,
            last_modified,
            state,
            culture,
            currency,
            country,
            cart,
            shippings,
            payments,
            customer,
            consents,
            validations,
            hooks,
            notifications,
            total,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .callback import Callback
from .cart import Cart
from .consent import Consent
from .customer import Customer
from .hook import Hook
from .notification import Notification
from .payment import Payment
from .price import Price
from .shipping import Shipping
from .state import State
