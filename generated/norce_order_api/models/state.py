"""State."""

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
    write_object as _write_object,
)
from .order_status import ORDER_STATUS_VALUES, ORDER_STATUS_WORDS

if TYPE_CHECKING:
    from .order_status import OrderStatus


@define
class State(Model):
    """Status of an order and its history.

    Attributes:
        current_status: Present status.
        transitions: Earlier changes of status.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "currentStatus",
            "transitions",
        }
    )

    current_status: OrderStatus | str | None = None
    transitions: list[Transition] | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _list: list[Any]
        _one: Any
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.current_status) is not None:
            _result["currentStatus"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.transitions) is not None:
            _result["transitions"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Transition else _write_object(_one))
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "State")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _list: list[Any]
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.current_status = _v = src_dict.get("currentStatus")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in ORDER_STATUS_VALUES:
            self.current_status = _or_keep(
                self,
                _v,
                "currentStatus",
                "State.currentStatus",
                _read_word(_v, ORDER_STATUS_WORDS, "State.currentStatus"),
            )

        self.transitions = _v = src_dict.get("transitions")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.transitions = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_transition().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "transitions", "State.transitions")
        else:
            self.transitions = _or_keep(self, _v, "transitions", "State.transitions")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 2:
            _note_odd(self, src_dict, "State")
        return self


from .transition import Transition

_new_transition = _supply(Transition)
