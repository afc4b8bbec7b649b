"""PaymentTransaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    is_number as _is_number,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_datetime as _read_datetime,
    read_word as _read_word,
    write_datetime as _write_datetime,
    write_number as _write_number,
    write_object as _write_object,
    write_word as _write_word,
)
from .payment_event import PAYMENT_EVENT_VALUES, PAYMENT_EVENT_WORDS

if TYPE_CHECKING:
    from .payment_event import PaymentEvent


@define
class PaymentTransaction:
    """Entry in the log of a payment.

    Attributes:
        event: What caused it.
        psp_event: Event name at the payment provider.
        amount: Amount after the transaction, in whole currency units.
        is_success: Whether it went through.
        error_detail: What went wrong.
        psp_status: Status at the payment provider.
        request_json: What was sent, as a JSON text.
        response_json: What came back, as a JSON text.
        created: When it was posted.
        payment_action: Action that it belongs to.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "event",
            "pspEvent",
            "amount",
            "isSuccess",
            "errorDetail",
            "pspStatus",
            "requestJson",
            "responseJson",
            "created",
            "paymentAction",
        }
    )

    event: PaymentEvent | str | None = None
    psp_event: str | None = field(default=None, repr=False)
    amount: float | None = None
    is_success: bool | None = None
    error_detail: str | None = field(default=None, repr=False)
    psp_status: str | None = field(default=None, repr=False)
    request_json: str | None = field(default=None, repr=False)
    response_json: str | None = field(default=None, repr=False)
    created: datetime | None = None
    payment_action: PaymentAction | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.event is not None:
            _result["event"] = _write_word(self.event)
        if self.psp_event is not None:
            _result["pspEvent"] = self.psp_event
        if self.amount is not None:
            _result["amount"] = _write_number(self.amount, "PaymentTransaction.amount")
        if self.is_success is not None:
            _result["isSuccess"] = self.is_success
        if self.error_detail is not None:
            _result["errorDetail"] = self.error_detail
        if self.psp_status is not None:
            _result["pspStatus"] = self.psp_status
        if self.request_json is not None:
            _result["requestJson"] = self.request_json
        if self.response_json is not None:
            _result["responseJson"] = self.response_json
        if self.created is not None:
            _result["created"] = _write_datetime(self.created, "PaymentTransaction.created")
        if self.payment_action is not None:
            _result["paymentAction"] = _write_object(self.payment_action)
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "PaymentTransaction")
        _rest: dict[str, Any] = {}

        event = src_dict.get("event")
        if event is not None and (type(event) is not str or event not in PAYMENT_EVENT_VALUES):
            _raw = event
            event = _read_word(_raw, PAYMENT_EVENT_WORDS, "PaymentTransaction.event")
            if event is None:
                _keep_raw(_rest, "event", _raw, "PaymentTransaction.event")

        psp_event = src_dict.get("pspEvent")
        if psp_event is not None and not isinstance(psp_event, str):
            _keep_raw(_rest, "pspEvent", psp_event, "PaymentTransaction.pspEvent")
            psp_event = None

        amount = src_dict.get("amount")
        if amount is not None and not _is_number(amount):
            _keep_raw(_rest, "amount", amount, "PaymentTransaction.amount")
            amount = None

        is_success = src_dict.get("isSuccess")
        if is_success is not None and not isinstance(is_success, bool):
            _keep_raw(_rest, "isSuccess", is_success, "PaymentTransaction.isSuccess")
            is_success = None

        error_detail = src_dict.get("errorDetail")
        if error_detail is not None and not isinstance(error_detail, str):
            _keep_raw(_rest, "errorDetail", error_detail, "PaymentTransaction.errorDetail")
            error_detail = None

        psp_status = src_dict.get("pspStatus")
        if psp_status is not None and not isinstance(psp_status, str):
            _keep_raw(_rest, "pspStatus", psp_status, "PaymentTransaction.pspStatus")
            psp_status = None

        request_json = src_dict.get("requestJson")
        if request_json is not None and not isinstance(request_json, str):
            _keep_raw(_rest, "requestJson", request_json, "PaymentTransaction.requestJson")
            request_json = None

        response_json = src_dict.get("responseJson")
        if response_json is not None and not isinstance(response_json, str):
            _keep_raw(_rest, "responseJson", response_json, "PaymentTransaction.responseJson")
            response_json = None

        created = src_dict.get("created")
        if created is not None:
            _raw = created
            created = _read_datetime(_raw, "PaymentTransaction.created")
            if created is None:
                _keep_raw(_rest, "created", _raw, "PaymentTransaction.created")

        payment_action: PaymentAction | None = None
        _raw = src_dict.get("paymentAction")
        if _raw.__class__ is dict:
            payment_action = PaymentAction.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "paymentAction", _raw, "PaymentTransaction.paymentAction")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "PaymentTransaction")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "PaymentTransaction")
        _model = cls(
            event,
            psp_event,
            amount,
            is_success,
            error_detail,
            psp_status,
            request_json,
            response_json,
            created,
            payment_action,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .payment_action import PaymentAction
