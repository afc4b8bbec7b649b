"""OrderPaginationSet."""

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
class OrderPaginationSet:
    """A page of orders.

    Attributes:
        data: The orders of this page.
        pagination: Where the page lies in the whole.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "data",
            "pagination",
        }
    )

    data: list[OrderData] | None = field(default=None, repr=False)
    pagination: Pagination | None = field(default=None, repr=False)
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.data is not None:
            _result["data"] = [_write_object(_one) for _one in self.data]
            if "data" in self.additional_properties:
                _result["data"] = _write_list(
                    _result["data"],
                    self.additional_properties["data"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [OrderData.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.pagination is not None:
            _result["pagination"] = _write_object(self.pagination)
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "OrderPaginationSet")
        _rest: dict[str, Any] = {}

        data: list[OrderData] | None = None
        _raw = src_dict.get("data")
        if _raw.__class__ is list:
            data = [OrderData.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(data) != len(_raw):
                _keep_raw(_rest, "data", _raw, "OrderPaginationSet.data")
        elif _raw is not None:
            _keep_raw(_rest, "data", _raw, "OrderPaginationSet.data")

        pagination: Pagination | None = None
        _raw = src_dict.get("pagination")
        if _raw.__class__ is dict:
            pagination = Pagination.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "pagination", _raw, "OrderPaginationSet.pagination")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "OrderPaginationSet")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "OrderPaginationSet")
        _model = cls(
            data,
            pagination,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .order_data import OrderData
from .pagination import Pagination
