"""Upsell."""

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
class Upsell:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.eligible is not None:
            _result["eligible"] = self.eligible
        if self.expiration is not None:
            _result["expiration"] = _write_datetime(self.expiration, "Upsell.expiration")
        if self.transactions is not None:
            _result["transactions"] = [_write_object(_one) for _one in self.transactions]
            if "transactions" in self.additional_properties:
                _result["transactions"] = _write_list(
                    _result["transactions"],
                    self.additional_properties["transactions"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [UpsellTransaction.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Upsell")
        _rest: dict[str, Any] = {}

        eligible = src_dict.get("eligible")
        if eligible is not None and not isinstance(eligible, bool):
            _keep_raw(_rest, "eligible", eligible, "Upsell.eligible")
            eligible = None

        expiration = src_dict.get("expiration")
        if expiration is not None:
            _raw = expiration
            expiration = _read_datetime(_raw, "Upsell.expiration")
            if expiration is None:
                _keep_raw(_rest, "expiration", _raw, "Upsell.expiration")

        transactions: list[UpsellTransaction] | None = None
        _raw = src_dict.get("transactions")
        if _raw.__class__ is list:
            transactions = [UpsellTransaction.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(transactions) != len(_raw):
                _keep_raw(_rest, "transactions", _raw, "Upsell.transactions")
        elif _raw is not None:
            _keep_raw(_rest, "transactions", _raw, "Upsell.transactions")

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Upsell.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Upsell")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Upsell")
        _model = cls(
            eligible,
            expiration,
            transactions,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .upsell_transaction import UpsellTransaction
