"""ValidationErrors."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    write_list as _write_list,
    write_object as _write_object,
)


@define
class ValidationErrors:
    """Failed validations, in the second of the two shapes that the service uses.

    Attributes:
        errors: What failed.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "errors",
        }
    )

    errors: list[ValidationError] | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.errors is not None:
            _result["errors"] = [_write_object(_one) for _one in self.errors]
            if "errors" in self.additional_properties:
                _result["errors"] = _write_list(
                    _result["errors"],
                    self.additional_properties["errors"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [ValidationError.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "ValidationErrors")
        _rest: dict[str, Any] = {}

        errors: list[ValidationError] | None = None
        _raw = src_dict.get("errors")
        if _raw.__class__ is list:
            errors = [ValidationError.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(errors) != len(_raw):
                _keep_raw(_rest, "errors", _raw, "ValidationErrors.errors")
        elif _raw is not None:
            _keep_raw(_rest, "errors", _raw, "ValidationErrors.errors")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "ValidationErrors")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "ValidationErrors")
        _model = cls(
            errors,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .validation_error import ValidationError
