"""BaseError."""

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
class BaseError:
    """Body returned with every non-2xx status (except a failed validation).

    Attributes:
        code: Machine-readable error identifier.
        message: Explanation of what went wrong.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "code",
            "message",
        }
    )

    code: str | None = field(default=None, repr=False)
    message: str | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.code is not None:
            _result["code"] = self.code
        if self.message is not None:
            _result["message"] = self.message
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "BaseError")
        _rest: dict[str, Any] = {}

        code = src_dict.get("code")
        if code is not None and not isinstance(code, str):
            _keep_raw(_rest, "code", code, "BaseError.code")
            code = None

        message = src_dict.get("message")
        if message is not None and not isinstance(message, str):
            _keep_raw(_rest, "message", message, "BaseError.message")
            message = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "BaseError")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "BaseError")
        _model = cls(
            code,
            message,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
