"""Logistics."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    keep_list as _keep_list,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_integer as _read_integer,
    time_or_keep as _time_or_keep,
    with_rest as _with_rest,
    write_time as _write_time,
)


@define
class Logistics(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.weight) is not None:
            _result["weight"] = _v
        if (_v := self.height) is not None:
            _result["height"] = _v
        if (_v := self.width) is not None:
            _result["width"] = _v
        if (_v := self.length) is not None:
            _result["length"] = _v
        if (_v := self.tags) is not None:
            _result["tags"] = list(_v)
        if (_v := self.shipping_date) is not None:
            _result["shippingDate"] = _write_time(self, _v, "shippingDate", "Logistics.shippingDate")
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Logistics")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.weight = _v = src_dict.get("weight")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.weight = _or_keep(self, _v, "weight", "Logistics.weight", _read_integer(_v))

        self.height = _v = src_dict.get("height")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.height = _or_keep(self, _v, "height", "Logistics.height", _read_integer(_v))

        self.width = _v = src_dict.get("width")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.width = _or_keep(self, _v, "width", "Logistics.width", _read_integer(_v))

        self.length = _v = src_dict.get("length")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.length = _or_keep(self, _v, "length", "Logistics.length", _read_integer(_v))

        self.tags = _v = src_dict.get("tags")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.tags = [_one for _one in _v if isinstance(_one, str)]
            if len(self.tags) != len(_v):
                _keep_list(self, _v, "tags", "Logistics.tags")
        else:
            self.tags = _or_keep(self, _v, "tags", "Logistics.tags")

        self.shipping_date = _v = src_dict.get("shippingDate")
        if _v is None:
            _places += 1
        else:
            self.shipping_date = _time_or_keep(self, _v, "shippingDate", "Logistics.shippingDate")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 6:
            _note_odd(self, src_dict, "Logistics")
        return self
