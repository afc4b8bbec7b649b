"""Recurring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_absent as _note_absent,
    note_nulls as _note_nulls,
)

if TYPE_CHECKING:
    from .attributes import Attributes


@define
class Recurring:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.token is not None:
            _result["token"] = self.token
        if self.description is not None:
            _result["description"] = self.description
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Recurring")
        _rest: dict[str, Any] = {}

        token = src_dict.get("token")
        if token is not None and not isinstance(token, str):
            _keep_raw(_rest, "token", token, "Recurring.token")
            token = None
        if src_dict.get("token") is None:
            _note_absent(src_dict, "token", "Recurring.token")

        description = src_dict.get("description")
        if description is not None and not isinstance(description, str):
            _keep_raw(_rest, "description", description, "Recurring.description")
            description = None

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Recurring.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Recurring")
        if None in src_dict.values():
            _note_nulls(
                src_dict,
                {
                    "description",
                    "attributes",
                },
                "Recurring",
            )
        _model = cls(
            token,
            description,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
