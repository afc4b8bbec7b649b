"""Validations: all are called at once when an order is validated, and their entries are collected in order."""

from __future__ import annotations

from typing import Any, cast

import anyio

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks.outgoing import CallbackClient, CallFailedError, Reply, TooLateError
from norce_order_async.sandbox.json_text import Json, NotJsonError
from norce_order_async.sandbox.policy import UNKNOWN_VALIDATION

_TEXTS = ("adapterId", "code", "message")


async def found(callbacks: CallbackClient, order: Json) -> list[Json]:
    """The entries of all validations of the order."""
    validations: list[Json] = [validation for validation in order["validations"] if "url" in validation]
    entries: list[list[Json]] = [[] for _ in validations]

    async def ask(index: int, validation: Json) -> None:
        entries[index] = await _asked(callbacks, validation, order)

    async with anyio.create_task_group() as tasks:
        for index, validation in enumerate(validations):
            tasks.start_soon(ask, index, validation)
    return [entry for each in entries for entry in each]


async def _asked(callbacks: CallbackClient, validation: Json, order: Json) -> list[Json]:
    adapter_id: str | None = validation.get("adapterId")
    try:
        # The body is empty: a receiver reads the order itself, as the service's own adapters do.
        reply = await callbacks.invoke(adapter_id, validation["url"], order, b"", within=callbacks.validation_timeout)
    except TooLateError:
        return []
    except CallFailedError as failed:
        return [_unknown(validation, f"it {failed}")]
    if reply.success:
        return []
    entries = _listed(reply)
    if not entries:
        return [_unknown(validation, f"it answered {reply.status} without a list of what is wrong")]
    return [{**({"adapterId": adapter_id} if adapter_id is not None else {}), **entry} for entry in entries]


def _listed(reply: Reply) -> list[Json]:
    """The entries of an answer with status 400, in either of two forms; empty for any other answer."""
    if reply.status != 400:
        return []
    try:
        body: Any = json_text.read(reply.body)
    except NotJsonError:
        return []
    listed: Any = cast("Json", body).get("errors") if isinstance(body, dict) else body
    if not isinstance(listed, list):
        return []
    objects: list[Json] = [entry for entry in cast("Any", listed) if isinstance(entry, dict)]
    return [{name: entry[name] for name in _TEXTS if isinstance(entry.get(name), str)} for entry in objects]


def _unknown(validation: Json, reason: str) -> Json:
    entry: Json = {"code": UNKNOWN_VALIDATION, "message": f"The validation {validation['id']} failed: {reason}."}
    return {"adapterId": validation["adapterId"], **entry} if "adapterId" in validation else entry
