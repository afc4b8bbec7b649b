"""OrderData."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    keep_list as _keep_list,
    note_odd as _note_odd,
    or_keep as _or_keep,
    supply as _supply,
    time_or_keep as _time_or_keep,
    with_rest as _with_rest,
    write_object as _write_object,
    write_time as _write_time,
)

if TYPE_CHECKING:
    from .attributes import Attributes


@define
class OrderData(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _list: list[Any]
        _one: Any
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.merchant) is not None:
            _result["merchant"] = _v
        if (_v := self.channel) is not None:
            _result["channel"] = _v
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.created) is not None:
            _result["created"] = _write_time(self, _v, "created", "OrderData.created")
        if (_v := self.last_modified) is not None:
            _result["lastModified"] = _write_time(self, _v, "lastModified", "OrderData.lastModified")
        if (_v := self.state) is not None:
            _result["state"] = _v.to_dict() if _v.__class__ is State else _write_object(_v)
        if (_v := self.culture) is not None:
            _result["culture"] = _v
        if (_v := self.currency) is not None:
            _result["currency"] = _v
        if (_v := self.country) is not None:
            _result["country"] = _v
        if (_v := self.cart) is not None:
            _result["cart"] = _v.to_dict() if _v.__class__ is Cart else _write_object(_v)
        if (_v := self.shippings) is not None:
            _result["shippings"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Shipping else _write_object(_one))
        if (_v := self.payments) is not None:
            _result["payments"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Payment else _write_object(_one))
        if (_v := self.customer) is not None:
            _result["customer"] = _v.to_dict() if _v.__class__ is Customer else _write_object(_v)
        if (_v := self.consents) is not None:
            _result["consents"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Consent else _write_object(_one))
        if (_v := self.validations) is not None:
            _result["validations"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Callback else _write_object(_one))
        if (_v := self.hooks) is not None:
            _result["hooks"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Hook else _write_object(_one))
        if (_v := self.notifications) is not None:
            _result["notifications"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Notification else _write_object(_one))
        if (_v := self.total) is not None:
            _result["total"] = _v.to_dict() if _v.__class__ is Price else _write_object(_v)
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "OrderData")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _list: list[Any]
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.id = _v = src_dict.get("id")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.id = _or_keep(self, _v, "id", "OrderData.id", _v if isinstance(_v, str) else None)

        self.merchant = _v = src_dict.get("merchant")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.merchant = _or_keep(self, _v, "merchant", "OrderData.merchant", _v if isinstance(_v, str) else None)

        self.channel = _v = src_dict.get("channel")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.channel = _or_keep(self, _v, "channel", "OrderData.channel", _v if isinstance(_v, str) else None)

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(self, _v, "reference", "OrderData.reference", _v if isinstance(_v, str) else None)

        self.created = _v = src_dict.get("created")
        if _v is None:
            _places += 1
        else:
            self.created = _time_or_keep(self, _v, "created", "OrderData.created")

        self.last_modified = _v = src_dict.get("lastModified")
        if _v is None:
            _places += 1
        else:
            self.last_modified = _time_or_keep(self, _v, "lastModified", "OrderData.lastModified")

        self.state = _v = src_dict.get("state")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.state = _new_state().__fill__(_v)
        else:
            self.state = _or_keep(self, _v, "state", "OrderData.state")

        self.culture = _v = src_dict.get("culture")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.culture = _or_keep(self, _v, "culture", "OrderData.culture", _v if isinstance(_v, str) else None)

        self.currency = _v = src_dict.get("currency")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.currency = _or_keep(self, _v, "currency", "OrderData.currency", _v if isinstance(_v, str) else None)

        self.country = _v = src_dict.get("country")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.country = _or_keep(self, _v, "country", "OrderData.country", _v if isinstance(_v, str) else None)

        self.cart = _v = src_dict.get("cart")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.cart = _new_cart().__fill__(_v)
        else:
            self.cart = _or_keep(self, _v, "cart", "OrderData.cart")

        self.shippings = _v = src_dict.get("shippings")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.shippings = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_shipping().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "shippings", "OrderData.shippings")
        else:
            self.shippings = _or_keep(self, _v, "shippings", "OrderData.shippings")

        self.payments = _v = src_dict.get("payments")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.payments = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_payment().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "payments", "OrderData.payments")
        else:
            self.payments = _or_keep(self, _v, "payments", "OrderData.payments")

        self.customer = _v = src_dict.get("customer")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.customer = _new_customer().__fill__(_v)
        else:
            self.customer = _or_keep(self, _v, "customer", "OrderData.customer")

        self.consents = _v = src_dict.get("consents")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.consents = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_consent().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "consents", "OrderData.consents")
        else:
            self.consents = _or_keep(self, _v, "consents", "OrderData.consents")

        self.validations = _v = src_dict.get("validations")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.validations = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_callback().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "validations", "OrderData.validations")
        else:
            self.validations = _or_keep(self, _v, "validations", "OrderData.validations")

        self.hooks = _v = src_dict.get("hooks")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.hooks = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_hook().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "hooks", "OrderData.hooks")
        else:
            self.hooks = _or_keep(self, _v, "hooks", "OrderData.hooks")

        self.notifications = _v = src_dict.get("notifications")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.notifications = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_notification().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "notifications", "OrderData.notifications")
        else:
            self.notifications = _or_keep(self, _v, "notifications", "OrderData.notifications")

        self.total = _v = src_dict.get("total")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.total = _new_price().__fill__(_v)
        else:
            self.total = _or_keep(self, _v, "total", "OrderData.total")

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "OrderData.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 20:
            _note_odd(self, src_dict, "OrderData")
        return self


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

_new_callback = _supply(Callback)
_new_cart = _supply(Cart)
_new_consent = _supply(Consent)
_new_customer = _supply(Customer)
_new_hook = _supply(Hook)
_new_notification = _supply(Notification)
_new_payment = _supply(Payment)
_new_price = _supply(Price)
_new_shipping = _supply(Shipping)
_new_state = _supply(State)
