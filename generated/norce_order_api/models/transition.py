"""Transition."""

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
    read_word as _read_word,
    write_datetime as _write_datetime,
    write_word as _write_word,
)
from .order_status import ORDER_STATUS_VALUES, ORDER_STATUS_WORDS

if TYPE_CHECKING:
    from .order_status import OrderStatus


@define
class Transition:
    """One change of status.

    Attributes:
        status: Status that was entered.
        time_stamp: When (UTC).
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "status",
            "timeStamp",
        }
    )

    status: OrderStatus | str | None = None
    time_stamp: datetime | None = None
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.status is not None:
            _result["status"] = _write_word(self.status)
        if self.time_stamp is not None:
            _result["timeStamp"] = _write_datetime(self.time_stamp, "Transition.timeStamp")
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Transition")
        _rest: dict[str, Any] = {}

        status = src_dict.get("status")
        if status is not None and (type(status) is not str or status not in ORDER_STATUS_VALUES):
            _raw = status
            status = _read_word(_raw, ORDER_STATUS_WORDS, "Transition.status")
            if status is None:
                _keep_raw(_rest, "status", _raw, "Transition.status")

        time_stamp = src_dict.get("timeStamp")
        if time_stamp is not None:
            _raw = time_stamp
            time_stamp = _read_datetime(_raw, "Transition.timeStamp")
            if time_stamp is None:
                _keep_raw(_rest, "timeStamp", _raw, "Transition.timeStamp")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Transition")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Transition")
        _model = cls(
            status,
            time_stamp,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
