"""ValidationError."""

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
class ValidationError:
    """A failed validation.

    Attributes:
        code: What failed.
        adapter_id: Adapter that reported it.
        message: Explanation of what failed, when the validation gives one.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "code",
            "adapterId",
            "message",
        }
    )

    code: str | None = field(default=None, repr=False)
    adapter_id: str | None = field(default=None, repr=False)
    message: str | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.code is not None:
            _result["code"] = self.code
        if self.adapter_id is not None:
            _result["adapterId"] = self.adapter_id
        if self.message is not None:
            _result["message"] = self.message
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "ValidationError")
        _rest: dict[str, Any] = {}

        code = src_dict.get("code")
        if code is not None and not isinstance(code, str):
            _keep_raw(_rest, "code", code, "ValidationError.code")
            code = None

        adapter_id = src_dict.get("adapterId")
        if adapter_id is not None and not isinstance(adapter_id, str):
            _keep_raw(_rest, "adapterId", adapter_id, "ValidationError.adapterId")
            adapter_id = None

        message = src_dict.get("message")
        if message is not None and not isinstance(message, str):
            _keep_raw(_rest, "message", message, "ValidationError.message")
            message = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "ValidationError")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "ValidationError")
        _model = cls(
            code,
            adapter_id,
            message,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
