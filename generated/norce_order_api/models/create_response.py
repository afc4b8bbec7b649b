"""CreateResponse."""

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
class CreateResponse:
    """Answer to a successful creation.

    Attributes:
        id: Identifier of what was created.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
        }
    )

    id: str | None = None
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "CreateResponse")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "CreateResponse.id")
            id = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "CreateResponse")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "CreateResponse")
        _model = cls(
            id,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
