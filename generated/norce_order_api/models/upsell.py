"""Upsell."""

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
class Upsell(Model):
    """Sales added after the checkout.

    Attributes:
        eligible: Whether more can be sold on this payment.
        expiration: If present, when the possibility ends.
        transactions: Attempts so far.
        attributes: Free-form extra data.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "eligible",
            "expiration",
            "transactions",
            "attributes",
        }
    )

    eligible: bool | None = None
    expiration: datetime | None = None
    transactions: list[UpsellTransaction] | None = field(default=None, repr=False)
    attributes: Attributes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _list: list[Any]
        _one: Any
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.eligible) is not None:
            _result["eligible"] = _v
        if (_v := self.expiration) is not None:
            _result["expiration"] = _write_time(self, _v, "expiration", "Upsell.expiration")
        if (_v := self.transactions) is not None:
            _result["transactions"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is UpsellTransaction else _write_object(_one))
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Upsell")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _list: list[Any]
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.eligible = _v = src_dict.get("eligible")
        if _v is None:
            _places += 1
        elif _v.__class__ is not bool:
            self.eligible = _or_keep(self, _v, "eligible", "Upsell.eligible")

        self.expiration = _v = src_dict.get("expiration")
        if _v is None:
            _places += 1
        else:
            self.expiration = _time_or_keep(self, _v, "expiration", "Upsell.expiration")

        self.transactions = _v = src_dict.get("transactions")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.transactions = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_upsell_transaction().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "transactions", "Upsell.transactions")
        else:
            self.transactions = _or_keep(self, _v, "transactions", "Upsell.transactions")

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Upsell.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 4:
            _note_odd(self, src_dict, "Upsell")
        return self


from .upsell_transaction import UpsellTransaction

_new_upsell_transaction = _supply(UpsellTransaction)
