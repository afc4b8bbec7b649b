"""PaymentTransaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_word as _read_word,
    supply as _supply,
    time_or_keep as _time_or_keep,
    with_rest as _with_rest,
    write_number as _write_number,
    write_object as _write_object,
    write_time as _write_time,
)
from .payment_event import PAYMENT_EVENT_VALUES, PAYMENT_EVENT_WORDS

if TYPE_CHECKING:
    from .payment_event import PaymentEvent


@define
class PaymentTransaction(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.event) is not None:
            _result["event"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.psp_event) is not None:
            _result["pspEvent"] = _v
        if (_v := self.amount) is not None:
            _result["amount"] = (
                _v
                if (_v.__class__ is float and _v - _v == 0.0) or _v.__class__ is int
                else _write_number(_v, "PaymentTransaction.amount")
            )
        if (_v := self.is_success) is not None:
            _result["isSuccess"] = _v
        if (_v := self.error_detail) is not None:
            _result["errorDetail"] = _v
        if (_v := self.psp_status) is not None:
            _result["pspStatus"] = _v
        if (_v := self.request_json) is not None:
            _result["requestJson"] = _v
        if (_v := self.response_json) is not None:
            _result["responseJson"] = _v
        if (_v := self.created) is not None:
            _result["created"] = _write_time(self, _v, "created", "PaymentTransaction.created")
        if (_v := self.payment_action) is not None:
            _result["paymentAction"] = _v.to_dict() if _v.__class__ is PaymentAction else _write_object(_v)
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "PaymentTransaction")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.event = _v = src_dict.get("event")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in PAYMENT_EVENT_VALUES:
            self.event = _or_keep(
                self,
                _v,
                "event",
                "PaymentTransaction.event",
                _read_word(_v, PAYMENT_EVENT_WORDS, "PaymentTransaction.event"),
            )

        self.psp_event = _v = src_dict.get("pspEvent")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.psp_event = _or_keep(
                self, _v, "pspEvent", "PaymentTransaction.pspEvent", _v if isinstance(_v, str) else None
            )

        self.amount = _v = src_dict.get("amount")
        if _v is None:
            _places += 1
        elif (_v.__class__ is not float or _v - _v != 0.0) and _v.__class__ is not int:
            self.amount = _or_keep(self, _v, "amount", "PaymentTransaction.amount")

        self.is_success = _v = src_dict.get("isSuccess")
        if _v is None:
            _places += 1
        elif _v.__class__ is not bool:
            self.is_success = _or_keep(self, _v, "isSuccess", "PaymentTransaction.isSuccess")

        self.error_detail = _v = src_dict.get("errorDetail")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.error_detail = _or_keep(
                self, _v, "errorDetail", "PaymentTransaction.errorDetail", _v if isinstance(_v, str) else None
            )

        self.psp_status = _v = src_dict.get("pspStatus")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.psp_status = _or_keep(
                self, _v, "pspStatus", "PaymentTransaction.pspStatus", _v if isinstance(_v, str) else None
            )

        self.request_json = _v = src_dict.get("requestJson")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.request_json = _or_keep(
                self, _v, "requestJson", "PaymentTransaction.requestJson", _v if isinstance(_v, str) else None
            )

        self.response_json = _v = src_dict.get("responseJson")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.response_json = _or_keep(
                self, _v, "responseJson", "PaymentTransaction.responseJson", _v if isinstance(_v, str) else None
            )

        self.created = _v = src_dict.get("created")
        if _v is None:
            _places += 1
        else:
            self.created = _time_or_keep(self, _v, "created", "PaymentTransaction.created")

        self.payment_action = _v = src_dict.get("paymentAction")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.payment_action = _new_payment_action().__fill__(_v)
        else:
            self.payment_action = _or_keep(self, _v, "paymentAction", "PaymentTransaction.paymentAction")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 10:
            _note_odd(self, src_dict, "PaymentTransaction")
        return self


from .payment_action import PaymentAction

_new_payment_action = _supply(PaymentAction)
