"""PaymentAction."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    drift as _drift,
    note_odd as _note_odd,
    or_keep as _or_keep,
    with_rest as _with_rest,
)


@define
class PaymentAction(Model):
    """Something that can be done with a payment afterwards.

    Attributes:
        adapter_id: Adapter that carries it out.
        type_: Kind of action.
        url: Address that carries it out.
        id: Identifier of the action.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "adapterId",
            "type",
            "url",
            "id",
        }
    )

    adapter_id: str | None = field(repr=False)
    type_: str | None = field(repr=False)
    url: str | None = field(repr=False)
    id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.adapter_id) is not None:
            _result["adapterId"] = _v
        if (_v := self.type_) is not None:
            _result["type"] = _v
        if (_v := self.url) is not None:
            _result["url"] = _v
        if (_v := self.id) is not None:
            _result["id"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "PaymentAction")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.adapter_id = _v = src_dict.get("adapterId")
        if _v is None:
            _places += 1
            if "adapterId" not in src_dict:
                _drift("PaymentAction.adapterId", "missing")
        elif _v.__class__ is not str:
            self.adapter_id = _or_keep(
                self, _v, "adapterId", "PaymentAction.adapterId", _v if isinstance(_v, str) else None
            )

        self.type_ = _v = src_dict.get("type")
        if _v is None:
            _places += 1
            if "type" not in src_dict:
                _drift("PaymentAction.type", "missing")
        elif _v.__class__ is not str:
            self.type_ = _or_keep(self, _v, "type", "PaymentAction.type", _v if isinstance(_v, str) else None)

        self.url = _v = src_dict.get("url")
        if _v is None:
            _places += 1
            if "url" not in src_dict:
                _drift("PaymentAction.url", "missing")
        elif _v.__class__ is not str:
            self.url = _or_keep(self, _v, "url", "PaymentAction.url", _v if isinstance(_v, str) else None)

        self.id = _v = src_dict.get("id")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.id = _or_keep(self, _v, "id", "PaymentAction.id", _v if isinstance(_v, str) else None)

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 4:
            _note_odd(self, src_dict, "PaymentAction")
        return self
