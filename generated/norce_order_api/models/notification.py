"""Notification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_integer as _read_integer,
    read_word as _read_word,
    write_word as _write_word,
)
from .order_version import ORDER_VERSION_VALUES, ORDER_VERSION_WORDS

if TYPE_CHECKING:
    from .json_schema import JsonSchema
    from .order_version import OrderVersion


@define
class Notification:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        if self.adapter_id is not None:
            _result["adapterId"] = self.adapter_id
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.description is not None:
            _result["description"] = self.description
        if self.scope is not None:
            _result["scope"] = self.scope
        if self.schema is not None:
            _result["schema"] = self.schema
        if self.invoke is not None:
            _result["invoke"] = self.invoke
        if self.version is not None:
            _result["version"] = _write_word(self.version)
        if self.delay is not None:
            _result["delay"] = self.delay
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Notification")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "Notification.id")
            id = None

        adapter_id = src_dict.get("adapterId")
        if adapter_id is not None and not isinstance(adapter_id, str):
            _keep_raw(_rest, "adapterId", adapter_id, "Notification.adapterId")
            adapter_id = None

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Notification.reference")
            reference = None

        description = src_dict.get("description")
        if description is not None and not isinstance(description, str):
            _keep_raw(_rest, "description", description, "Notification.description")
            description = None

        scope = src_dict.get("scope")
        if scope is not None and not isinstance(scope, str):
            _keep_raw(_rest, "scope", scope, "Notification.scope")
            scope = None

        schema: JsonSchema | None = None
        _raw = src_dict.get("schema")
        if _raw.__class__ is dict:
            schema = _raw
        elif _raw is not None:
            _keep_raw(_rest, "schema", _raw, "Notification.schema")

        invoke = src_dict.get("invoke")
        if invoke is not None and not isinstance(invoke, str):
            _keep_raw(_rest, "invoke", invoke, "Notification.invoke")
            invoke = None

        version = src_dict.get("version")
        if version is not None and (type(version) is not str or version not in ORDER_VERSION_VALUES):
            _raw = version
            version = _read_word(_raw, ORDER_VERSION_WORDS, "Notification.version")
            if version is None:
                _keep_raw(_rest, "version", _raw, "Notification.version")

        delay = src_dict.get("delay")
        if delay is not None and type(delay) is not int:
            _raw = delay
            delay = _read_integer(_raw)
            if delay is None:
                _keep_raw(_rest, "delay", _raw, "Notification.delay")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Notification")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Notification")
        _model = cls(
            id,
            adapter_id,
            reference,
            description,
            scope,
            schema,
            invoke,
            version,
            delay,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
