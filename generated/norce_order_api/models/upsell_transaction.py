"""UpsellTransaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_word as _read_word,
    write_word as _write_word,
)
from .upsell_state import UPSELL_STATE_VALUES, UPSELL_STATE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .upsell_state import UpsellState


@define
class UpsellTransaction:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        if self.state is not None:
            _result["state"] = _write_word(self.state)
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "UpsellTransaction")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "UpsellTransaction.id")
            id = None

        state = src_dict.get("state")
        if state is not None and (type(state) is not str or state not in UPSELL_STATE_VALUES):
            _raw = state
            state = _read_word(_raw, UPSELL_STATE_WORDS, "UpsellTransaction.state")
            if state is None:
                _keep_raw(_rest, "state", _raw, "UpsellTransaction.state")

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "UpsellTransaction.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "UpsellTransaction")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "UpsellTransaction")
        _model = cls(
            id,
            state,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
