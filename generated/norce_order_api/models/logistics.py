"""Logistics."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_datetime as _read_datetime,
    read_integer as _read_integer,
    write_datetime as _write_datetime,
    write_list as _write_list,
)


@define
class Logistics:
    """Shipping-related facts about an item.

    Attributes:
        weight: Grams.
        height: Millimetres.
        width: Millimetres.
        length: Millimetres.
        tags: Labels that delivery rules can refer to.
        shipping_date: Date connected with the dispatch of the line (the pages give no text for it).
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "weight",
            "height",
            "width",
            "length",
            "tags",
            "shippingDate",
        }
    )

    weight: int | None = None
    height: int | None = None
    width: int | None = None
    length: int | None = None
    tags: list[str] | None = field(default=None, repr=False)
    shipping_date: datetime | None = None
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.weight is not None:
            _result["weight"] = self.weight
        if self.height is not None:
            _result["height"] = self.height
        if self.width is not None:
            _result["width"] = self.width
        if self.length is not None:
            _result["length"] = self.length
        if self.tags is not None:
            _result["tags"] = list(self.tags)
            if "tags" in self.additional_properties:
                _result["tags"] = _write_list(
                    _result["tags"],
                    self.additional_properties["tags"],
                    lambda _raw: list([_one for _one in _raw if isinstance(_one, str)]),
                )
        if self.shipping_date is not None:
            _result["shippingDate"] = _write_datetime(self.shipping_date, "Logistics.shippingDate")
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Logistics")
        _rest: dict[str, Any] = {}

        weight = src_dict.get("weight")
        if weight is not None and type(weight) is not int:
            _raw = weight
            weight = _read_integer(_raw)
            if weight is None:
                _keep_raw(_rest, "weight", _raw, "Logistics.weight")

        height = src_dict.get("height")
        if height is not None and type(height) is not int:
            _raw = height
            height = _read_integer(_raw)
            if height is None:
                _keep_raw(_rest, "height", _raw, "Logistics.height")

        width = src_dict.get("width")
        if width is not None and type(width) is not int:
            _raw = width
            width = _read_integer(_raw)
            if width is None:
                _keep_raw(_rest, "width", _raw, "Logistics.width")

        length = src_dict.get("length")
        if length is not None and type(length) is not int:
            _raw = length
            length = _read_integer(_raw)
            if length is None:
                _keep_raw(_rest, "length", _raw, "Logistics.length")

        tags: list[str] | None = None
        _raw = src_dict.get("tags")
        if _raw.__class__ is list:
            tags = [_one for _one in _raw if isinstance(_one, str)]
            if len(tags) != len(_raw):
                _keep_raw(_rest, "tags", _raw, "Logistics.tags")
        elif _raw is not None:
            _keep_raw(_rest, "tags", _raw, "Logistics.tags")

        shipping_date = src_dict.get("shippingDate")
        if shipping_date is not None:
            _raw = shipping_date
            shipping_date = _read_datetime(_raw, "Logistics.shippingDate")
            if shipping_date is None:
                _keep_raw(_rest, "shippingDate", _raw, "Logistics.shippingDate")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Logistics")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Logistics")
        _model = cls(
            weight,
            height,
            width,
            length,
            tags,
            shipping_date,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
