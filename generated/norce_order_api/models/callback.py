"""Callback."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    with_rest as _with_rest,
)


@define
class Callback(Model):
    """Validation callback. Called v1 "Validation", with different members.

    Attributes:
        id: Identifier assigned to the callback.
        adapter_id: Adapter that owns the callback.
        url: Absolute address that receives a POST; an {order_id} placeholder in it is filled in with the id of
            the order.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "adapterId",
            "url",
        }
    )

    id: str | None = None
    adapter_id: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.adapter_id) is not None:
            _result["adapterId"] = _v
        if (_v := self.url) is not None:
            _result["url"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Callback")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.id = _v = src_dict.get("id")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.id = _or_keep(self, _v, "id", "Callback.id", _v if isinstance(_v, str) else None)

        self.adapter_id = _v = src_dict.get("adapterId")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.adapter_id = _or_keep(self, _v, "adapterId", "Callback.adapterId", _v if isinstance(_v, str) else None)

        self.url = _v = src_dict.get("url")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.url = _or_keep(self, _v, "url", "Callback.url", _v if isinstance(_v, str) else None)

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 3:
            _note_odd(self, src_dict, "Callback")
        return self
