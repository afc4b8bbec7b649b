"""Hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_word as _read_word,
    write_word as _write_word,
)
from .order_version import ORDER_VERSION_VALUES, ORDER_VERSION_WORDS

if TYPE_CHECKING:
    from .order_version import OrderVersion


@define
class Hook:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        if self.adapter_id is not None:
            _result["adapterId"] = self.adapter_id
        if self.subscribe_to is not None:
            _result["subscribeTo"] = self.subscribe_to
        if self.target is not None:
            _result["target"] = self.target
        if self.invoke is not None:
            _result["invoke"] = self.invoke
        if self.version is not None:
            _result["version"] = _write_word(self.version)
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Hook")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "Hook.id")
            id = None

        adapter_id = src_dict.get("adapterId")
        if adapter_id is not None and not isinstance(adapter_id, str):
            _keep_raw(_rest, "adapterId", adapter_id, "Hook.adapterId")
            adapter_id = None

        subscribe_to = src_dict.get("subscribeTo")
        if subscribe_to is not None and not isinstance(subscribe_to, str):
            _keep_raw(_rest, "subscribeTo", subscribe_to, "Hook.subscribeTo")
            subscribe_to = None

        target = src_dict.get("target")
        if target is not None and not isinstance(target, str):
            _keep_raw(_rest, "target", target, "Hook.target")
            target = None

        invoke = src_dict.get("invoke")
        if invoke is not None and not isinstance(invoke, str):
            _keep_raw(_rest, "invoke", invoke, "Hook.invoke")
            invoke = None

        version = src_dict.get("version")
        if version is not None and (type(version) is not str or version not in ORDER_VERSION_VALUES):
            _raw = version
            version = _read_word(_raw, ORDER_VERSION_WORDS, "Hook.version")
            if version is None:
                _keep_raw(_rest, "version", _raw, "Hook.version")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Hook")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Hook")
        _model = cls(
            id,
            adapter_id,
            subscribe_to,
            target,
            invoke,
            version,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model
