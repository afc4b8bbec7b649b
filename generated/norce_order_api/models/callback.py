"""Callback."""

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
class Callback:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        if self.adapter_id is not None:
            _result["adapterId"] = self.adapter_id
        if self.url is not None:
            _result["url"] = self.url
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Callback")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "Callback.id")
            id = None

        adapter_id = src_dict.get("adapterId")
        if adapter_id is not None and not isinstance(adapter_id, str):
            _keep_raw(_rest, "adapterId", adapter_id, "Callback.adapterId")
            adapter_id = None

        url = src_dict.get("url")
        if url is not None and not isinstance(url, str):
            _keep_raw(_rest, "url", url, "Callback.url")
            url = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Callback")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Callback")
        _model = cls(
            id,
            adapter_id,
            url,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
