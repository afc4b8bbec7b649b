"""Hooks: asked before a change is committed whether it may be, and what else is to change with it.

A hook is asked as long as the value at its `subscribeTo` differs from the one it last agreed to; at first, from the one
before the change. So each hook has seen its part as it is committed, including its own patches and those of other
hooks. The rounds end when no hook has anything more to change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks.apply import Change, adopted
from norce_order_async.sandbox.callbacks.outgoing import CallbackClient, CallFailedError
from norce_order_async.sandbox.callbacks.patches import PatchError, part_of, patched, value_at
from norce_order_async.sandbox.callbacks.versions import in_version
from norce_order_async.sandbox.json_text import Json, NotJsonError
from norce_order_async.sandbox.policy import HOOK_ROUNDS, PARTS
from norce_order_async.sandbox.schema import Fault
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.refusals import Refusal, not_valid

_PLACES = {part: place for place, part in enumerate(PARTS)}


class HookRound:
    """The hooks that one change concerns, and how far they agree.

    Args:
        before: The order as it is.
        order: The order as it is to be.
        adapter_id: Whose change it is; that adapter's own hooks are left out.
    """

    def __init__(self, before: Json, order: Json, adapter_id: str | None) -> None:
        self.order = order
        self._before = before
        self._hooks = _in_order(
            hook
            for hook in before["hooks"]
            if "subscribeTo" in hook
            and "invoke" in hook
            and (adapter_id is None or hook.get("adapterId") != adapter_id)
        )
        self._agreed: dict[str, Any] = {hook["id"]: value_at(before, hook["subscribeTo"]) for hook in self._hooks}

    @property
    def open(self) -> bool:
        """Whether there is a hook to ask."""
        return any(map(self._concerns, self._hooks))

    async def hold(self, outside: CallbackClient, ids: Ids, now: str) -> None:
        """Ask until all agree; afterwards `order` holds what they made of it. Raises `Refusal` when one denies."""
        for _ in range(HOOK_ROUNDS):
            if not self.open:
                return
            for hook in self._hooks:
                if self._concerns(hook):
                    await self._ask(outside, hook, ids, now)
        if self.open:
            raise not_valid(f"The hooks still changed the order after {HOOK_ROUNDS} rounds.")

    def _concerns(self, hook: Json) -> bool:
        return bool(value_at(self.order, hook["subscribeTo"]) != self._agreed[hook["id"]])

    async def _ask(self, outside: CallbackClient, hook: Json, ids: Ids, now: str) -> None:
        shown = self.order
        body = json_text.text(in_version(shown, hook.get("version"))).encode()
        try:
            reply = await outside.invoke(
                hook.get("adapterId"), hook["invoke"], shown, body, within=outside.hook_timeout
            )
        except CallFailedError as failed:
            _deny(hook, f"it {failed}")
        if not reply.success:
            _deny(hook, f"it answered {reply.status}")
        self._agreed[hook["id"]] = value_at(shown, hook["subscribeTo"])
        operations = _operations(hook, reply.body)
        if operations:
            self.order = self._changed(hook, operations, ids, now)

    def _changed(self, hook: Json, operations: list[Any], ids: Ids, now: str) -> Json:
        try:
            changed = patched(self.order, operations, hook.get("target"))
            return adopted(Change(self._before, self.order, changed, ids, now))
        except (PatchError, Fault, Refusal) as wrong:
            _deny(hook, f"its patch was refused: {wrong}")


def _in_order(hooks: Any) -> Sequence[Json]:
    """By the part they listen to, then by the part they patch; those without a target, or for other parts, last."""

    def place(pointer: str | None) -> int:
        return len(_PLACES) if pointer is None else _PLACES.get(part_of(pointer), len(_PLACES))

    return sorted(hooks, key=lambda hook: (place(hook["subscribeTo"]), place(hook.get("target"))))


def _operations(hook: Json, body: bytes) -> list[Any]:
    """The list in an answer; an answer without a body has none."""
    if not body.strip():
        return []
    try:
        operations = json_text.read(body)
    except NotJsonError:
        operations = None
    if not isinstance(operations, list):
        _deny(hook, "its answer is neither empty nor a list of JSON Patch operations")
    return operations  # pyright: ignore[reportUnknownVariableType]


def _deny(hook: Json, reason: str) -> NoReturn:
    owner = f" of adapter {hook['adapterId']}" if "adapterId" in hook else ""
    raise not_valid(f"The hook {hook['id']}{owner} denied the change: {reason}.") from None
