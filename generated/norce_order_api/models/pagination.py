"""Pagination."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define

from ..types import (
    Model,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_integer as _read_integer,
    with_rest as _with_rest,
    write_number as _write_number,
)


@define
class Pagination(Model):
    """Paging figures.

    Attributes:
        offset: Offset asked for.
        limit: Limit asked for.
        size: Number of hits after filtering.
        value_sum: Sum of the value of the hits after filtering, in whole currency units.
        total_size: Number of entries in all.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "offset",
            "limit",
            "size",
            "valueSum",
            "totalSize",
        }
    )

    offset: int | None = None
    limit: int | None = None
    size: int | None = None
    value_sum: float | None = None
    total_size: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.offset) is not None:
            _result["offset"] = _v
        if (_v := self.limit) is not None:
            _result["limit"] = _v
        if (_v := self.size) is not None:
            _result["size"] = _v
        if (_v := self.value_sum) is not None:
            _result["valueSum"] = (
                _v
                if (_v.__class__ is float and _v - _v == 0.0) or _v.__class__ is int
                else _write_number(_v, "Pagination.valueSum")
            )
        if (_v := self.total_size) is not None:
            _result["totalSize"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Pagination")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.offset = _v = src_dict.get("offset")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.offset = _or_keep(self, _v, "offset", "Pagination.offset", _read_integer(_v))

        self.limit = _v = src_dict.get("limit")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.limit = _or_keep(self, _v, "limit", "Pagination.limit", _read_integer(_v))

        self.size = _v = src_dict.get("size")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.size = _or_keep(self, _v, "size", "Pagination.size", _read_integer(_v))

        self.value_sum = _v = src_dict.get("valueSum")
        if _v is None:
            _places += 1
        elif (_v.__class__ is not float or _v - _v != 0.0) and _v.__class__ is not int:
            self.value_sum = _or_keep(self, _v, "valueSum", "Pagination.valueSum")

        self.total_size = _v = src_dict.get("totalSize")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.total_size = _or_keep(self, _v, "totalSize", "Pagination.totalSize", _read_integer(_v))

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 5:
            _note_odd(self, src_dict, "Pagination")
        return self
