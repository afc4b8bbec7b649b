"""Product."""

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
class Product:
    """A product of a carrier.

    Attributes:
        reference: Identifier of the product.
        name: The carrier's name for the product.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "reference",
            "name",
        }
    )

    reference: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.name is not None:
            _result["name"] = self.name
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Product")
        _rest: dict[str, Any] = {}

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Product.reference")
            reference = None

        name = src_dict.get("name")
        if name is not None and not isinstance(name, str):
            _keep_raw(_rest, "name", name, "Product.name")
            name = None

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Product")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Product")
        _model = cls(
            reference,
            name,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
