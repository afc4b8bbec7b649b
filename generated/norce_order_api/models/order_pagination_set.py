"""OrderPaginationSet."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    as_object as _as_object,
    keep_list as _keep_list,
    note_odd as _note_odd,
    or_keep as _or_keep,
    supply as _supply,
    with_rest as _with_rest,
    write_object as _write_object,
)


@define
class OrderPaginationSet(Model):
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

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _list: list[Any]
        _one: Any
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.data) is not None:
            _result["data"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is OrderData else _write_object(_one))
        if (_v := self.pagination) is not None:
            _result["pagination"] = _v.to_dict() if _v.__class__ is Pagination else _write_object(_v)
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "OrderPaginationSet")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _list: list[Any]
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.data = _v = src_dict.get("data")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.data = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_order_data().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "data", "OrderPaginationSet.data")
        else:
            self.data = _or_keep(self, _v, "data", "OrderPaginationSet.data")

        self.pagination = _v = src_dict.get("pagination")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.pagination = _new_pagination().__fill__(_v)
        else:
            self.pagination = _or_keep(self, _v, "pagination", "OrderPaginationSet.pagination")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 2:
            _note_odd(self, src_dict, "OrderPaginationSet")
        return self


from .order_data import OrderData
from .pagination import Pagination

_new_order_data = _supply(OrderData)
_new_pagination = _supply(Pagination)
