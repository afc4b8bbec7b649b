"""Hooks: the sandbox asks them before a change is committed. They can deny the change, and patch the order.

A hook is asked as long as the value at its `subscribeTo` differs from the value that it last approved; at first, from
the value before the change. So each hook has seen its part as it is committed, including its own patches and those of
other hooks. The rounds end when no hook changes anything more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks.apply import Change, applied
from norce_order_async.sandbox.callbacks.outgoing import CallbackClient, CallFailedError
from norce_order_async.sandbox.callbacks.patches import PatchError, part_of, patched, value_at
from norce_order_async.sandbox.json_text import Json, NotJsonError
from norce_order_async.sandbox.policy import HOOK_ROUNDS, PARTS, hook_denial
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.schema import Invalid
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.refusals import Refusal, not_valid

_PLACES = {part: place for place, part in enumerate(PARTS)}


class HookRound:
    """The hooks that one change concerns, and the values that they have approved so far.

    Args:
        before: The order before the change.
        order: The order after the change.
        adapter_id: The adapter that makes the change; its own hooks are left out.
        compared: The order that is compared with ``order``, to find the hooks that the change concerns.
        readings: They decide how a denial is answered and what patches may do.
    """

    def __init__(
        self, before: Json, order: Json, adapter_id: str | None, compared: Json, readings: ReadingsInUse
    ) -> None:
        self.order = order
        self._before = before
        self._readings = readings
        self._hooks = _in_order(
            hook
            for hook in before["hooks"]
            if "subscribeTo" in hook
            and "invoke" in hook
            and (adapter_id is None or hook.get("adapterId") != adapter_id)
        )
        self._agreed: dict[str, Any] = {hook["id"]: value_at(compared, hook["subscribeTo"]) for hook in self._hooks}

    @property
    def open(self) -> bool:
        """Whether there is a hook to ask."""
        return any(map(self._concerns, self._hooks))

    async def ask(self, callbacks: CallbackClient, ids: Ids, now: str) -> None:
        """Ask the hooks until all agree; then `order` is the order with their patches.

        Raises:
            Refusal: A hook denied the change, or the hooks still change the order after several rounds.
        """
        for _ in range(HOOK_ROUNDS):
            if not self.open:
                return
            for hook in self._hooks:
                if self._concerns(hook):
                    await self._ask(callbacks, hook, ids, now)
        if self.open:
            raise not_valid(f"The hooks still changed the order after {HOOK_ROUNDS} rounds.")

    def _concerns(self, hook: Json) -> bool:
        return bool(value_at(self.order, hook["subscribeTo"]) != self._agreed[hook["id"]])

    async def _ask(self, callbacks: CallbackClient, hook: Json, ids: Ids, now: str) -> None:
        shown = self.order
        body = callbacks.body(shown, hook.get("version"))
        try:
            reply = await callbacks.invoke(
                hook.get("adapterId"), hook["invoke"], shown, body, within=callbacks.hook_timeout
            )
        except CallFailedError as failed:
            raise self._denied(hook, f"it {failed}") from None
        if not reply.success:
            raise self._denied(hook, f"it answered {reply.status}", reply.body)
        self._agreed[hook["id"]] = value_at(shown, hook["subscribeTo"])
        operations = _operations(reply.body)
        if operations is None:
            reason = "its answer is neither empty nor a list of JSON Patch operations"
            raise self._denied(hook, reason, reply.body)
        if operations:
            self.order = self._changed(hook, operations, ids, now)

    def _changed(self, hook: Json, operations: list[Any], ids: Ids, now: str) -> Json:
        try:
            changed = patched(self.order, operations, hook.get("target"))
            return applied(Change(self._before, self.order, changed, ids, now, self._readings))
        except (PatchError, Invalid, Refusal) as wrong:
            raise self._denied(hook, f"its patch was refused: {wrong}") from None

    def _denied(self, hook: Json, reason: str, body: bytes | None = None) -> Refusal:
        owner = f" of adapter {hook['adapterId']}" if "adapterId" in hook else ""
        return hook_denial(self._readings, f"The hook {hook['id']}{owner} denied the change: {reason}.", body)


def _in_order(hooks: Any) -> Sequence[Json]:
    """The hooks by the part that they subscribe to, then by the part that they patch; other or no parts come last."""

    def place(pointer: str | None) -> int:
        return len(_PLACES) if pointer is None else _PLACES.get(part_of(pointer), len(_PLACES))

    return sorted(hooks, key=lambda hook: (place(hook["subscribeTo"]), place(hook.get("target"))))


def _operations(body: bytes) -> list[Any] | None:
    """The list of operations in an answer; empty if there is no body, None if the body is not a list."""
    if not body.strip():
        return []
    try:
        operations = json_text.read(body)
    except NotJsonError:
        return None
    return cast("Any", operations) if isinstance(operations, list) else None
