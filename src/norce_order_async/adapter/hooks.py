"""Answers hooks and validations, which have a budget. If its handler gives no answer, a hook denies the change."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from norce_order_async.adapter.answers import (
    Deny,
    HttpAnswer,
    denial_answer,
    hook_answer,
    patch_answer,
    problems,
    problems_answer,
    validation_answer,
)
from norce_order_async.adapter.calls import HookCall, ValidationCall
from norce_order_async.adapter.handling import LATE, WRONG_ORDER, AdapterCore, Read, Receive, logger
from norce_order_async.adapter.patches import DraftError
from norce_order_async.adapter.records import Cause, Denial
from norce_order_async.adapter.routing import Admitted, Refused
from norce_order_async.display import printable, shown

_WORDS: Final[dict[Cause, Deny]] = {
    "error": Deny("adapter-error", "The adapter could not answer."),
    "edit": Deny("adapter-error", "The adapter made an edit that can't be sent."),
    "late": Deny("adapter-late", "The adapter did not answer in time."),
    "busy": Deny("adapter-busy", "The adapter has too many calls at once."),
}
"""The answers if a handler gives none. They hold no text of an exception."""


class Hooks:
    """Answers hooks."""

    __slots__ = ("_core",)

    def __init__(self, core: AdapterCore) -> None:
        self._core = core

    async def answer(self, admitted: Admitted, receive: Receive, started: float) -> HttpAnswer | None:
        """Return the answer of a hook; None if the service has left."""
        route = admitted.route
        deadline = None if route.budget is None else started + route.budget
        try:
            given = await self._core.within(deadline, partial(self._run, admitted, receive))
        except DraftError as error:
            self._core.failed(route.source, admitted.order_id, error)
            return self.without_answer(admitted, "edit")
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the service gets an answer
            self._core.failed(route.source, admitted.order_id, error)
            return self.without_answer(admitted, "error")
        if given is LATE:
            logger.warning("%s of order %s took more than %g s", route.source, shown(admitted.order_id), route.budget)
            return self.without_answer(admitted, "late")
        if isinstance(given, Deny):
            return self._denied(admitted, "handler", given)
        answer: HttpAnswer | None = given
        return answer

    async def _run(self, admitted: Admitted, receive: Receive) -> Any:
        """Run the handler. Returns a denial or the answer; None if the service has left."""
        read = await self._core.read(admitted, receive)
        if not isinstance(read, Read):
            return read
        route = admitted.route
        scope = self._core.scope_for(admitted.merchant, admitted.channel)
        call = HookCall(self._core.adapter_id, route.label, read.order_id, scope, read.body, read.data, route.target)
        given = hook_answer(await route.handler(call))
        return given if isinstance(given, Deny) else patch_answer(call.operations())

    def without_answer(self, admitted: Admitted, cause: Cause) -> HttpAnswer:
        """The answer if the handler gives none: a denial, unless the hook has ``on_error="approve"``."""
        if admitted.route.on_error == "approve":
            return HttpAnswer(200, b"[]", cause)
        return self._denied(admitted, cause, _WORDS[cause])

    def _denied(self, admitted: Admitted, cause: Cause, denied: Deny) -> HttpAnswer:
        core, route = self._core, admitted.route
        core.denials.add(Denial(core.now(), route.label, admitted.order_id, cause, denied.code, denied.message))
        reason = printable(f"{denied.code}: {denied.message}" if denied.message else denied.code)
        if cause == "handler":
            logger.info("%s denied a change of order %s: %s", route.source, shown(admitted.order_id), reason)
        elif cause == "busy" and not core.counts["hook.busy"]:
            # Thousands may be turned away at once, so only the first is logged. The other causes were logged before.
            logger.warning("%s is busy and denies changes; later ones are counted in adapter.counts", route.source)
        return denial_answer(core.adapter_id, denied, "denied" if cause == "handler" else cause)


class Validations:
    """Answers validations."""

    __slots__ = ("_core",)

    def __init__(self, core: AdapterCore) -> None:
        self._core = core

    async def answer(self, admitted: Admitted, started: float) -> HttpAnswer:
        """Return the answer of a validation. Its body is not read, because none is documented."""
        route = admitted.route
        if admitted.order_id.startswith("{"):
            # The service did not fill in the placeholder of the address, and there is no body with the id.
            self._core.drift.add(route.source, "address", "placeholder")
            return self._core.refused(Refused("id", WRONG_ORDER))
        deadline = None if route.budget is None else started + route.budget
        scope = self._core.scope_for(admitted.merchant, admitted.channel)
        call = ValidationCall(self._core.adapter_id, route.label, admitted.order_id, scope)
        try:
            given = await self._core.within(deadline, partial(route.handler, call))
            found = None if given is LATE else validation_answer(given)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the service gets an answer
            self._core.failed(route.source, admitted.order_id, error)
            return self.without_answer("error")
        if found is None:
            logger.warning("%s of order %s took more than %g s", route.source, shown(admitted.order_id), route.budget)
            return self.without_answer("late")
        return problems_answer(self._core.adapter_id, found)

    def without_answer(self, cause: Cause) -> HttpAnswer:
        """The answer if the handler gives none: a problem that states it."""
        said = _WORDS[cause]
        return problems_answer(self._core.adapter_id, problems((said.code, said.message)), cause)
