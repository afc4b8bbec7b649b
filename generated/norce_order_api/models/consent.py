"""Consent."""

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
class Consent(Model):
    """A consent shown in the checkout.

    Attributes:
        id: Identifier of the consent.
        checked: Whether the customer has ticked it.
        text: Wording shown to the customer.
        required: If set, the order cannot move to processing until it is ticked.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "checked",
            "text",
            "required",
        }
    )

    id: str | None = None
    checked: bool | None = None
    text: str | None = field(default=None, repr=False)
    required: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.checked) is not None:
            _result["checked"] = _v
        if (_v := self.text) is not None:
            _result["text"] = _v
        if (_v := self.required) is not None:
            _result["required"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Consent")
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
            self.id = _or_keep(self, _v, "id", "Consent.id", _v if isinstance(_v, str) else None)

        self.checked = _v = src_dict.get("checked")
        if _v is None:
            _places += 1
        elif _v.__class__ is not bool:
            self.checked = _or_keep(self, _v, "checked", "Consent.checked")

        self.text = _v = src_dict.get("text")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.text = _or_keep(self, _v, "text", "Consent.text", _v if isinstance(_v, str) else None)

        self.required = _v = src_dict.get("required")
        if _v is None:
            _places += 1
        elif _v.__class__ is not bool:
            self.required = _or_keep(self, _v, "required", "Consent.required")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 4:
            _note_odd(self, src_dict, "Consent")
        return self
