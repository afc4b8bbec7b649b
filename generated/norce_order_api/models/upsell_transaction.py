"""UpsellTransaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_word as _read_word,
    with_rest as _with_rest,
)
from .upsell_state import UPSELL_STATE_VALUES, UPSELL_STATE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .upsell_state import UpsellState


@define
class UpsellTransaction(Model):
    """One upsell attempt.

    Attributes:
        id: Identifier of the attempt at the payment provider.
        state: State, translated from the provider's own.
        attributes: Data that differs between providers.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "state",
            "attributes",
        }
    )

    id: str | None = None
    state: UpsellState | str | None = None
    attributes: Attributes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.state) is not None:
            _result["state"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "UpsellTransaction")
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
            self.id = _or_keep(self, _v, "id", "UpsellTransaction.id", _v if isinstance(_v, str) else None)

        self.state = _v = src_dict.get("state")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in UPSELL_STATE_VALUES:
            self.state = _or_keep(
                self,
                _v,
                "state",
                "UpsellTransaction.state",
                _read_word(_v, UPSELL_STATE_WORDS, "UpsellTransaction.state"),
            )

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "UpsellTransaction.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 3:
            _note_odd(self, src_dict, "UpsellTransaction")
        return self
