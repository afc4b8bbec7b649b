"""State."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_word as _read_word,
    write_list as _write_list,
    write_object as _write_object,
    write_word as _write_word,
)
from .order_status import ORDER_STATUS_VALUES, ORDER_STATUS_WORDS

if TYPE_CHECKING:
    from .order_status import OrderStatus


@define
class State:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.current_status is not None:
            _result["currentStatus"] = _write_word(self.current_status)
        if self.transitions is not None:
            _result["transitions"] = [_write_object(_one) for _one in self.transitions]
            if "transitions" in self.additional_properties:
                _result["transitions"] = _write_list(
                    _result["transitions"],
                    self.additional_properties["transitions"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Transition.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "State")
        _rest: dict[str, Any] = {}

        current_status = src_dict.get("currentStatus")
        if current_status is not None and (
            type(current_status) is not str or current_status not in ORDER_STATUS_VALUES
        ):
            _raw = current_status
            current_status = _read_word(_raw, ORDER_STATUS_WORDS, "State.currentStatus")
            if current_status is None:
                _keep_raw(_rest, "currentStatus", _raw, "State.currentStatus")

        transitions: list[Transition] | None = None
        _raw = src_dict.get("transitions")
        if _raw.__class__ is list:
            transitions = [Transition.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(transitions) != len(_raw):
                _keep_raw(_rest, "transitions", _raw, "State.transitions")
        elif _raw is not None:
            _keep_raw(_rest, "transitions", _raw, "State.transitions")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "State")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "State")
        _model = cls(
            current_status,
            transitions,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .transition import Transition
