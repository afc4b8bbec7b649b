"""Payment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    keep_list as _keep_list,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_word as _read_word,
    supply as _supply,
    with_rest as _with_rest,
    write_number as _write_number,
    write_object as _write_object,
)
from .payment_state import PAYMENT_STATE_VALUES, PAYMENT_STATE_WORDS
from .payment_type import PAYMENT_TYPE_VALUES, PAYMENT_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .payment_state import PaymentState
    from .payment_type import PaymentType


@define
class Payment(Model):
    """A payment of an order.

    Attributes:
        id: Identifier of the payment.
        adapter_id: Adapter that owns the payment.
        name: Name of the payment provider.
        merchant: Merchant.
        channel: Channel.
        currency: Three-letter ISO 4217 currency code.
        type_: Kind of payment.
        order_id: Order that it pays for.
        amount: Part of the order total that this payment covers, in whole currency units.
        upper_limit_amount: Most that this payment can cover, for instance the balance of a gift card, in whole
            currency units.
        state: State of the payment.
        reference: Identifier at the payment provider.
        attributes: Free-form extra data kept with the payment.
        actions: Actions available once the payment has been made.
        recurring: Data for charging again later.
        upsell: State of purchases added after the checkout.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "adapterId",
            "name",
            "merchant",
            "channel",
            "currency",
            "type",
            "orderId",
            "amount",
            "upperLimitAmount",
            "state",
            "reference",
            "attributes",
            "actions",
            "recurring",
            "upsell",
        }
    )

    id: str | None = None
    adapter_id: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    merchant: str | None = field(default=None, repr=False)
    channel: str | None = field(default=None, repr=False)
    currency: str | None = field(default=None, repr=False)
    type_: PaymentType | str | None = None
    order_id: str | None = field(default=None, repr=False)
    amount: float | None = None
    upper_limit_amount: float | None = None
    state: PaymentState | str | None = None
    reference: str | None = field(default=None, repr=False)
    attributes: Attributes | None = field(default=None, repr=False)
    actions: list[PaymentAction] | None = field(default=None, repr=False)
    recurring: Recurring | None = field(default=None, repr=False)
    upsell: Upsell | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _list: list[Any]
        _one: Any
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.adapter_id) is not None:
            _result["adapterId"] = _v
        if (_v := self.name) is not None:
            _result["name"] = _v
        if (_v := self.merchant) is not None:
            _result["merchant"] = _v
        if (_v := self.channel) is not None:
            _result["channel"] = _v
        if (_v := self.currency) is not None:
            _result["currency"] = _v
        if (_v := self.type_) is not None:
            _result["type"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.order_id) is not None:
            _result["orderId"] = _v
        if (_v := self.amount) is not None:
            _result["amount"] = (
                _v
                if (_v.__class__ is float and _v - _v == 0.0) or _v.__class__ is int
                else _write_number(_v, "Payment.amount")
            )
        if (_v := self.upper_limit_amount) is not None:
            _result["upperLimitAmount"] = (
                _v
                if (_v.__class__ is float and _v - _v == 0.0) or _v.__class__ is int
                else _write_number(_v, "Payment.upperLimitAmount")
            )
        if (_v := self.state) is not None:
            _result["state"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        if (_v := self.actions) is not None:
            _result["actions"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is PaymentAction else _write_object(_one))
        if (_v := self.recurring) is not None:
            _result["recurring"] = _v.to_dict() if _v.__class__ is Recurring else _write_object(_v)
        if (_v := self.upsell) is not None:
            _result["upsell"] = _v.to_dict() if _v.__class__ is Upsell else _write_object(_v)
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Payment")
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
            self.id = _or_keep(self, _v, "id", "Payment.id", _v if isinstance(_v, str) else None)

        self.adapter_id = _v = src_dict.get("adapterId")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.adapter_id = _or_keep(self, _v, "adapterId", "Payment.adapterId", _v if isinstance(_v, str) else None)

        self.name = _v = src_dict.get("name")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.name = _or_keep(self, _v, "name", "Payment.name", _v if isinstance(_v, str) else None)

        self.merchant = _v = src_dict.get("merchant")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.merchant = _or_keep(self, _v, "merchant", "Payment.merchant", _v if isinstance(_v, str) else None)

        self.channel = _v = src_dict.get("channel")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.channel = _or_keep(self, _v, "channel", "Payment.channel", _v if isinstance(_v, str) else None)

        self.currency = _v = src_dict.get("currency")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.currency = _or_keep(self, _v, "currency", "Payment.currency", _v if isinstance(_v, str) else None)

        self.type_ = _v = src_dict.get("type")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in PAYMENT_TYPE_VALUES:
            self.type_ = _or_keep(self, _v, "type", "Payment.type", _read_word(_v, PAYMENT_TYPE_WORDS, "Payment.type"))

        self.order_id = _v = src_dict.get("orderId")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.order_id = _or_keep(self, _v, "orderId", "Payment.orderId", _v if isinstance(_v, str) else None)

        self.amount = _v = src_dict.get("amount")
        if _v is None:
            _places += 1
        elif (_v.__class__ is not float or _v - _v != 0.0) and _v.__class__ is not int:
            self.amount = _or_keep(self, _v, "amount", "Payment.amount")

        self.upper_limit_amount = _v = src_dict.get("upperLimitAmount")
        if _v is None:
            _places += 1
        elif (_v.__class__ is not float or _v - _v != 0.0) and _v.__class__ is not int:
            self.upper_limit_amount = _or_keep(self, _v, "upperLimitAmount", "Payment.upperLimitAmount")

        self.state = _v = src_dict.get("state")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in PAYMENT_STATE_VALUES:
            self.state = _or_keep(
                self, _v, "state", "Payment.state", _read_word(_v, PAYMENT_STATE_WORDS, "Payment.state")
            )

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(self, _v, "reference", "Payment.reference", _v if isinstance(_v, str) else None)

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Payment.attributes")

        self.actions = _v = src_dict.get("actions")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.actions = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_payment_action().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "actions", "Payment.actions")
        else:
            self.actions = _or_keep(self, _v, "actions", "Payment.actions")

        self.recurring = _v = src_dict.get("recurring")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.recurring = _new_recurring().__fill__(_v)
        else:
            self.recurring = _or_keep(self, _v, "recurring", "Payment.recurring")

        self.upsell = _v = src_dict.get("upsell")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.upsell = _new_upsell().__fill__(_v)
        else:
            self.upsell = _or_keep(self, _v, "upsell", "Payment.upsell")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 16:
            _note_odd(self, src_dict, "Payment")
        return self


from .payment_action import PaymentAction
from .recurring import Recurring
from .upsell import Upsell

_new_payment_action = _supply(PaymentAction)
_new_recurring = _supply(Recurring)
_new_upsell = _supply(Upsell)
