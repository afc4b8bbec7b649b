"""Pagination."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    is_number as _is_number,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_integer as _read_integer,
    write_number as _write_number,
)


@define
class Pagination:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.offset is not None:
            _result["offset"] = self.offset
        if self.limit is not None:
            _result["limit"] = self.limit
        if self.size is not None:
            _result["size"] = self.size
        if self.value_sum is not None:
            _result["valueSum"] = _write_number(self.value_sum, "Pagination.valueSum")
        if self.total_size is not None:
            _result["totalSize"] = self.total_size
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Pagination")
        _rest: dict[str, Any] = {}

        offset = src_dict.get("offset")
        if offset is not None and type(offset) is not int:
            _raw = offset
            offset = _read_integer(_raw)
            if offset is None:
                _keep_raw(_rest, "offset", _raw, "Pagination.offset")

        limit = src_dict.get("limit")
        if limit is not None and type(limit) is not int:
            _raw = limit
            limit = _read_integer(_raw)
            if limit is None:
                _keep_raw(_rest, "limit", _raw, "Pagination.limit")

        size = src_dict.get("size")
        if size is not None and type(size) is not int:
            _raw = size
            size = _read_integer(_raw)
            if size is None:
                _keep_raw(_rest, "size", _raw, "Pagination.size")

        value_sum = src_dict.get("valueSum")
        if value_sum is not None and not _is_number(value_sum):
            _keep_raw(_rest, "valueSum", value_sum, "Pagination.valueSum")
            value_sum = None

        total_size = src_dict.get("totalSize")
        if total_size is not None and type(total_size) is not int:
            _raw = total_size
            total_size = _read_integer(_raw)
            if total_size is None:
                _keep_raw(_rest, "totalSize", _raw, "Pagination.totalSize")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Pagination")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Pagination")
        _model = cls(
            offset,
            limit,
            size,
            value_sum,
            total_size,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
