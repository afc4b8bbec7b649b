"""Notification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_integer as _read_integer,
    read_word as _read_word,
    with_rest as _with_rest,
)
from .order_version import ORDER_VERSION_VALUES, ORDER_VERSION_WORDS

if TYPE_CHECKING:
    from .json_schema import JsonSchema
    from .order_version import OrderVersion


@define
class Notification(Model):
    """Asynchronous callback sent after something has happened to the order.

    Attributes:
        id: Identifier of the notification.
        adapter_id: System responsible for it; also selects the configuration that placeholders in invoke are read
            from.
        reference: Name used to follow the same notification over many orders; best kept unique within one order.
        description: What it is for.
        scope: JSON pointer into the order; elements of arrays cannot be addressed.
        schema: JSON Schema (2020-12) that the value at scope must satisfy for the notification to be sent.
        invoke: Address to call; may hold {configuration...} and {order...} placeholders.
        version: Which shape of the order is posted to the address.
        delay: Milliseconds to wait before sending.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "adapterId",
            "reference",
            "description",
            "scope",
            "schema",
            "invoke",
            "version",
            "delay",
        }
    )

    id: str | None = None
    adapter_id: str | None = field(default=None, repr=False)
    reference: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    scope: str | None = field(default=None, repr=False)
    schema: JsonSchema | None = field(default=None, repr=False)
    invoke: str | None = field(default=None, repr=False)
    version: OrderVersion | str | None = None
    delay: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.adapter_id) is not None:
            _result["adapterId"] = _v
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.description) is not None:
            _result["description"] = _v
        if (_v := self.scope) is not None:
            _result["scope"] = _v
        if (_v := self.schema) is not None:
            _result["schema"] = _v
        if (_v := self.invoke) is not None:
            _result["invoke"] = _v
        if (_v := self.version) is not None:
            _result["version"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.delay) is not None:
            _result["delay"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Notification")
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
            self.id = _or_keep(self, _v, "id", "Notification.id", _v if isinstance(_v, str) else None)

        self.adapter_id = _v = src_dict.get("adapterId")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.adapter_id = _or_keep(
                self, _v, "adapterId", "Notification.adapterId", _v if isinstance(_v, str) else None
            )

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(
                self, _v, "reference", "Notification.reference", _v if isinstance(_v, str) else None
            )

        self.description = _v = src_dict.get("description")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.description = _or_keep(
                self, _v, "description", "Notification.description", _v if isinstance(_v, str) else None
            )

        self.scope = _v = src_dict.get("scope")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.scope = _or_keep(self, _v, "scope", "Notification.scope", _v if isinstance(_v, str) else None)

        self.schema = _v = src_dict.get("schema")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.schema = _or_keep(self, _v, "schema", "Notification.schema")

        self.invoke = _v = src_dict.get("invoke")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.invoke = _or_keep(self, _v, "invoke", "Notification.invoke", _v if isinstance(_v, str) else None)

        self.version = _v = src_dict.get("version")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in ORDER_VERSION_VALUES:
            self.version = _or_keep(
                self, _v, "version", "Notification.version", _read_word(_v, ORDER_VERSION_WORDS, "Notification.version")
            )

        self.delay = _v = src_dict.get("delay")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.delay = _or_keep(self, _v, "delay", "Notification.delay", _read_integer(_v))

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 9:
            _note_odd(self, src_dict, "Notification")
        return self
