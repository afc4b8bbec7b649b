"""Hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_word as _read_word,
    with_rest as _with_rest,
)
from .order_version import ORDER_VERSION_VALUES, ORDER_VERSION_WORDS

if TYPE_CHECKING:
    from .order_version import OrderVersion


@define
class Hook(Model):
    """Synchronous callback run when part of the order changes.

    Attributes:
        id: Identifier assigned to the hook.
        adapter_id: Adapter that owns the hook.
        subscribe_to: JSON pointer into the order whose change triggers the hook, for instance /reference.
        target: JSON pointer of the part of the order that the hook answers with patches to.
        invoke: Absolute address that receives a POST; an {order_id} placeholder in it is filled in with the id of
            the order.
        version: Which shape of the order is posted to the address.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "adapterId",
            "subscribeTo",
            "target",
            "invoke",
            "version",
        }
    )

    id: str | None = None
    adapter_id: str | None = field(default=None, repr=False)
    subscribe_to: str | None = field(default=None, repr=False)
    target: str | None = field(default=None, repr=False)
    invoke: str | None = field(default=None, repr=False)
    version: OrderVersion | str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.adapter_id) is not None:
            _result["adapterId"] = _v
        if (_v := self.subscribe_to) is not None:
            _result["subscribeTo"] = _v
        if (_v := self.target) is not None:
            _result["target"] = _v
        if (_v := self.invoke) is not None:
            _result["invoke"] = _v
        if (_v := self.version) is not None:
            _result["version"] = _v.spelled if _v.__class__ is _Word else _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Hook")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.id = _v = src_dict.get("id")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.id = _or_keep(self, _v, "id", "Hook.id", _v if isinstance(_v, str) else None)

        self.adapter_id = _v = src_dict.get("adapterId")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.adapter_id = _or_keep(self, _v, "adapterId", "Hook.adapterId", _v if isinstance(_v, str) else None)

        self.subscribe_to = _v = src_dict.get("subscribeTo")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.subscribe_to = _or_keep(
                self, _v, "subscribeTo", "Hook.subscribeTo", _v if isinstance(_v, str) else None
            )

        self.target = _v = src_dict.get("target")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.target = _or_keep(self, _v, "target", "Hook.target", _v if isinstance(_v, str) else None)

        self.invoke = _v = src_dict.get("invoke")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.invoke = _or_keep(self, _v, "invoke", "Hook.invoke", _v if isinstance(_v, str) else None)

        self.version = _v = src_dict.get("version")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in ORDER_VERSION_VALUES:
            self.version = _or_keep(
                self, _v, "version", "Hook.version", _read_word(_v, ORDER_VERSION_WORDS, "Hook.version")
            )

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 6:
            _note_odd(self, src_dict, "Hook")
        return self
