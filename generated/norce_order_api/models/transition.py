"""Transition."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_word as _read_word,
    time_or_keep as _time_or_keep,
    with_rest as _with_rest,
    write_time as _write_time,
)
from .order_status import ORDER_STATUS_VALUES, ORDER_STATUS_WORDS

if TYPE_CHECKING:
    from .order_status import OrderStatus


@define
class Transition(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.status) is not None:
            _result["status"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.time_stamp) is not None:
            _result["timeStamp"] = _write_time(self, _v, "timeStamp", "Transition.timeStamp")
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Transition")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.status = _v = src_dict.get("status")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in ORDER_STATUS_VALUES:
            self.status = _or_keep(
                self, _v, "status", "Transition.status", _read_word(_v, ORDER_STATUS_WORDS, "Transition.status")
            )

        self.time_stamp = _v = src_dict.get("timeStamp")
        if _v is None:
            _places += 1
        else:
            self.time_stamp = _time_or_keep(self, _v, "timeStamp", "Transition.timeStamp")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 2:
            _note_odd(self, src_dict, "Transition")
        return self
