"""Consent."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
)


@define
class Consent:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        if self.checked is not None:
            _result["checked"] = self.checked
        if self.text is not None:
            _result["text"] = self.text
        if self.required is not None:
            _result["required"] = self.required
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Consent")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "Consent.id")
            id = None

        checked = src_dict.get("checked")
        if checked is not None and not isinstance(checked, bool):
            _keep_raw(_rest, "checked", checked, "Consent.checked")
            checked = None

        text = src_dict.get("text")
        if text is not None and not isinstance(text, str):
            _keep_raw(_rest, "text", text, "Consent.text")
            text = None

        required = src_dict.get("required")
        if required is not None and not isinstance(required, bool):
            _keep_raw(_rest, "required", required, "Consent.required")
            required = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Consent")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Consent")
        _model = cls(
            id,
            checked,
            text,
            required,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
