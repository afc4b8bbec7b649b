"""Recurring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    drift as _drift,
    note_odd as _note_odd,
    or_keep as _or_keep,
    with_rest as _with_rest,
)

if TYPE_CHECKING:
    from .attributes import Attributes


@define
class Recurring(Model):
    """Data of a recurring payment.

    Attributes:
        token: Token that later charges are made with.
        description: Explanatory text.
        attributes: Free-form extra data.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "token",
            "description",
            "attributes",
        }
    )

    token: str | None = field(repr=False)
    description: str | None = field(default=None, repr=False)
    attributes: Attributes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.token) is not None:
            _result["token"] = _v
        if (_v := self.description) is not None:
            _result["description"] = _v
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Recurring")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.token = _v = src_dict.get("token")
        if _v is None:
            _places += 1
            if "token" not in src_dict:
                _drift("Recurring.token", "missing")
        elif _v.__class__ is not str:
            self.token = _or_keep(self, _v, "token", "Recurring.token", _v if isinstance(_v, str) else None)

        self.description = _v = src_dict.get("description")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.description = _or_keep(
                self, _v, "description", "Recurring.description", _v if isinstance(_v, str) else None
            )

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Recurring.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 3:
            _note_odd(self, src_dict, "Recurring")
        return self
