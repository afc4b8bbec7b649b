"""PaymentAction."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_absent as _note_absent,
    note_nulls as _note_nulls,
)


@define
class PaymentAction:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.adapter_id is not None:
            _result["adapterId"] = self.adapter_id
        if self.type_ is not None:
            _result["type"] = self.type_
        if self.url is not None:
            _result["url"] = self.url
        if self.id is not None:
            _result["id"] = self.id
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "PaymentAction")
        _rest: dict[str, Any] = {}

        adapter_id = src_dict.get("adapterId")
        if adapter_id is not None and not isinstance(adapter_id, str):
            _keep_raw(_rest, "adapterId", adapter_id, "PaymentAction.adapterId")
            adapter_id = None
        if src_dict.get("adapterId") is None:
            _note_absent(src_dict, "adapterId", "PaymentAction.adapterId")

        type_ = src_dict.get("type")
        if type_ is not None and not isinstance(type_, str):
            _keep_raw(_rest, "type", type_, "PaymentAction.type")
            type_ = None
        if src_dict.get("type") is None:
            _note_absent(src_dict, "type", "PaymentAction.type")

        url = src_dict.get("url")
        if url is not None and not isinstance(url, str):
            _keep_raw(_rest, "url", url, "PaymentAction.url")
            url = None
        if src_dict.get("url") is None:
            _note_absent(src_dict, "url", "PaymentAction.url")

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "PaymentAction.id")
            id = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "PaymentAction")
        if None in src_dict.values():
            _note_nulls(
                src_dict,
                {
                    "id",
                },
                "PaymentAction",
            )
        _model = cls(
            adapter_id,
            type_,
            url,
            id,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
