"""Payment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    is_number as _is_number,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_word as _read_word,
    write_list as _write_list,
    write_number as _write_number,
    write_object as _write_object,
    write_word as _write_word,
)
from .payment_state import PAYMENT_STATE_VALUES, PAYMENT_STATE_WORDS
from .payment_type import PAYMENT_TYPE_VALUES, PAYMENT_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .payment_state import PaymentState
    from .payment_type import PaymentType


@define
class Payment:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        if self.adapter_id is not None:
            _result["adapterId"] = self.adapter_id
        if self.name is not None:
            _result["name"] = self.name
        if self.merchant is not None:
            _result["merchant"] = self.merchant
        if self.channel is not None:
            _result["channel"] = self.channel
        if self.currency is not None:
            _result["currency"] = self.currency
        if self.type_ is not None:
            _result["type"] = _write_word(self.type_)
        if self.order_id is not None:
            _result["orderId"] = self.order_id
        if self.amount is not None:
            _result["amount"] = _write_number(self.amount, "Payment.amount")
        if self.upper_limit_amount is not None:
            _result["upperLimitAmount"] = _write_number(self.upper_limit_amount, "Payment.upperLimitAmount")
        if self.state is not None:
            _result["state"] = _write_word(self.state)
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        if self.actions is not None:
            _result["actions"] = [_write_object(_one) for _one in self.actions]
            if "actions" in self.additional_properties:
                _result["actions"] = _write_list(
                    _result["actions"],
                    self.additional_properties["actions"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [PaymentAction.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.recurring is not None:
            _result["recurring"] = _write_object(self.recurring)
        if self.upsell is not None:
            _result["upsell"] = _write_object(self.upsell)
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Payment")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "Payment.id")
            id = None

        adapter_id = src_dict.get("adapterId")
        if adapter_id is not None and not isinstance(adapter_id, str):
            _keep_raw(_rest, "adapterId", adapter_id, "Payment.adapterId")
            adapter_id = None

        name = src_dict.get("name")
        if name is not None and not isinstance(name, str):
            _keep_raw(_rest, "name", name, "Payment.name")
            name = None

        merchant = src_dict.get("merchant")
        if merchant is not None and not isinstance(merchant, str):
            _keep_raw(_rest, "merchant", merchant, "Payment.merchant")
            merchant = None

        channel = src_dict.get("channel")
        if channel is not None and not isinstance(channel, str):
            _keep_raw(_rest, "channel", channel, "Payment.channel")
            channel = None

        currency = src_dict.get("currency")
        if currency is not None and not isinstance(currency, str):
            _keep_raw(_rest, "currency", currency, "Payment.currency")
            currency = None

        type_ = src_dict.get("type")
        if type_ is not None and (type(type_) is not str or type_ not in PAYMENT_TYPE_VALUES):
            _raw = type_
            type_ = _read_word(_raw, PAYMENT_TYPE_WORDS, "Payment.type")
            if type_ is None:
                _keep_raw(_rest, "type", _raw, "Payment.type")

        order_id = src_dict.get("orderId")
        if order_id is not None and not isinstance(order_id, str):
            _keep_raw(_rest, "orderId", order_id, "Payment.orderId")
            order_id = None

        amount = src_dict.get("amount")
        if amount is not None and not _is_number(amount):
            _keep_raw(_rest, "amount", amount, "Payment.amount")
            amount = None

        upper_limit_amount = src_dict.get("upperLimitAmount")
        if upper_limit_amount is not None and not _is_number(upper_limit_amount):
            _keep_raw(_rest, "upperLimitAmount", upper_limit_amount, "Payment.upperLimitAmount")
            upper_limit_amount = None

        state = src_dict.get("state")
        if state is not None and (type(state) is not str or state not in PAYMENT_STATE_VALUES):
            _raw = state
            state = _read_word(_raw, PAYMENT_STATE_WORDS, "Payment.state")
            if state is None:
                _keep_raw(_rest, "state", _raw, "Payment.state")

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Payment.reference")
            reference = None

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Payment.attributes")

        actions: list[PaymentAction] | None = None
        _raw = src_dict.get("actions")
        if _raw.__class__ is list:
            actions = [PaymentAction.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(actions) != len(_raw):
                _keep_raw(_rest, "actions", _raw, "Payment.actions")
        elif _raw is not None:
            _keep_raw(_rest, "actions", _raw, "Payment.actions")

        recurring: Recurring | None = None
        _raw = src_dict.get("recurring")
        if _raw.__class__ is dict:
            recurring = Recurring.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "recurring", _raw, "Payment.recurring")

        upsell: Upsell | None = None
        _raw = src_dict.get("upsell")
        if _raw.__class__ is dict:
            upsell = Upsell.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "upsell", _raw, "Payment.upsell")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Payment")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Payment")
        _model = cls(
            id,
            adapter_id,
            name,
            merchant,
            channel,
            currency,
            type_,
            order_id,
            amount,
            upper_limit_amount,
            state,
            reference,
            attributes,
            actions,
            recurring,
            upsell,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .payment_action import PaymentAction
from .recurring import Recurring
from .upsell import Upsell
