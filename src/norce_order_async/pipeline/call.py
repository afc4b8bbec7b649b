"""One call from its first permit to its outcome: the only loop of the pipeline.

Each turn is one attempt (:mod:`.attempt`). Its outcome and the operation's kind make a decision (:mod:`.retry`), which
is carried out here: what follows, how long to wait, whether the client pauses. An unknown outcome may be settled by
reading back (:mod:`.readback`). The number of attempts, the budget, a Retry-After and the deadline may overrule a
repeat. If the call fails, :mod:`.failures` makes the error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from norce_order_async._json import LARGE, UNREADABLE
from norce_order_async.engines.base import WireResponse
from norce_order_async.errors import Attempt, GaveUp, TokenError
from norce_order_async.pipeline import failures
from norce_order_async.pipeline import retry as backoff
from norce_order_async.pipeline.answer import Answer
from norce_order_async.pipeline.attempt import AttemptResult, attempt
from norce_order_async.pipeline.core import CallScope
from norce_order_async.pipeline.operations import Expects, Kind, Operation
from norce_order_async.pipeline.readback import (
    SHOWN_WITHIN,
    TIME_TO_REPEAT,
    Baseline,
    LookUp,
    ReadBack,
    Until,
    check_unique,
    settle,
)
from norce_order_async.pipeline.request import Prepared
from norce_order_async.pipeline.response import created_id, in_thread, is_report, models_of, nothing
from norce_order_async.pipeline.retry import Decision, Outcome, Step, decide
from norce_order_async.runtime.clock import Deadline
from norce_order_async.runtime.stop import ITEM_CALLS, until_stopped


class Call:
    """The state of one call. Each call has its own."""

    __slots__ = (
        "_before",
        "_created_again",
        "_deadline",
        "_repeats",
        "_scope",
        "_token_replaced",
        "_tokens_taken",
        "attempts",
        "kind",
        "maybe_done",
        "request",
    )

    def __init__(self, scope: CallScope, request: Prepared, before: Baseline | None, deadline: Deadline | None) -> None:
        self.request = request
        self.kind = request.operation.kind_for(request.json)
        self.attempts: list[Attempt] = []
        self.maybe_done = False
        """Whether an attempt so far may have taken effect."""
        self._scope = scope
        self._before = before
        self._deadline = deadline or scope.deadline()
        self._repeats = 0
        self._tokens_taken = 0
        self._token_replaced = False
        self._created_again = False
        """Whether the creation of an order was repeated after one that may have taken effect."""

    @property
    def maybe_changed(self) -> bool:
        """Whether an attempt so far may have taken effect. That includes attempts that got a 503, which a proxy in
        front of the service may send even after the effect."""
        return self.maybe_done or (self.kind is not Kind.SAFE and any(one.status == 503 for one in self.attempts))

    async def run(self) -> Answer:
        """Make attempts until there is an outcome, and return the answer or raise."""
        while True:
            tried = await attempt(self._scope, self.request, self.kind, self._deadline, len(self.attempts) + 1)
            if self._before is not None and tried.outcome is Outcome.UNKNOWN:
                self._before.sent_at = self._scope.core.clock.monotonic() - tried.seconds
            if tried.response and self._is_done(tried):
                unique = not self._created_again or await self._is_unique(tried, tried.response)
                return await self._answer(tried, tried.response, unique=unique)
            decision = self._decide(tried)
            step, wait = decision.step, decision.wait
            if decision.pause:
                self._scope.core.pause.extend(decision.pause)
            settled: ReadBack | None = None
            if await self._has_other_token(tried):
                self._record(tried, "repeat with another token")
                continue
            if step is Step.REFUSE:
                self._raise_refused(tried)
            if self.kind is not Kind.SAFE and tried.outcome is Outcome.UNKNOWN:
                self.maybe_done = True
            if step is Step.STOP:
                self._raise_failed(tried, "not-repeatable")
            if step is Step.SETTLE:
                wait = await self._wait_to_read_back(tried, wait)
                settled = await self._settle(tried)
                if settled.verdict == "done":
                    return self._adopt(tried, settled)
                if settled.verdict == "elsewhere":
                    self._raise_superseded(tried, settled)
                if settled.verdict == "twice":
                    self._raise_duplicate(tried, settled)
                if tried.outcome is Outcome.REFUSED:
                    self._raise_refused(tried)
                if settled.verdict == "unclear":
                    self._raise_failed(tried, tried.gave_up or "not-repeatable", settled)
            await self._wait_to_repeat(tried, wait, settled)

    # What an attempt means

    def _decide(self, tried: AttemptResult) -> Decision:
        return decide(
            self.kind,
            tried.outcome,
            tried.status,
            maybe_done=self.maybe_done,
            asked=tried.retry_after,
            throttled=tried.throttled,
            max_retry_after=self._scope.settings.max_retry_after,
            uniform=self._scope.core.clock.uniform,
        )

    def _is_done(self, tried: AttemptResult) -> bool:
        if tried.outcome is Outcome.SUCCEEDED:
            return True
        operation = self.request.operation
        if operation.brings is Expects.REPORT and is_report(tried.status or 0, tried.data):
            return True
        return tried.status == 404 and operation.removes and self.maybe_changed

    async def _has_other_token(self, tried: AttemptResult) -> bool:
        if tried.status != 401 or self._token_replaced or tried.signed is None:
            return False
        self._token_replaced = True
        core = self._scope.core
        with core.clock.move_on_after(self._deadline.remaining()):
            try:
                return await core.auth.refused(tried.signed.token)
            except TokenError:
                return False
        return False

    async def _settle(self, tried: AttemptResult) -> ReadBack:
        if not self._deadline.leaves(0.0):
            return ReadBack("unclear", "no time was left to read back")
        self._record(tried, "read back")
        request = self.request
        return await settle(
            request.operation,
            self.kind,
            look_up=self._look_up(refused=tried.outcome is Outcome.REFUSED),
            path=request.path,
            body=request.json,
            before=self._before,
            objection=self._objection_to_repeat,
        )

    async def _is_unique(self, tried: AttemptResult, response: WireResponse) -> bool:
        """Whether it is certain that no other order has the cart reference of the order that was created again."""
        self._record(tried, "look for another")
        seen = await check_unique(self._look_up(), self.request.json, created_id(response, tried.data) or "")
        if seen.verdict == "twice":
            self._raise_duplicate(tried, seen)
        return seen.unique

    def _objection_to_repeat(self) -> str:
        """Why an order that was not found may not be created again; empty if it may."""
        if self._created_again or not self._scope.settings.repeat_order_creation:
            return ", and it is not created again"
        left = self._deadline.remaining()
        if left is not None and left < TIME_TO_REPEAT:
            return f", and less than {TIME_TO_REPEAT:g} s are left to create it again"
        return ""

    def _look_up(self, *, refused: bool = False) -> LookUp:
        """How to read back, with moments counted from now."""
        scope, request = self._scope, self.request

        async def read(operation: Operation, path: Mapping[str, str], query: Mapping[str, Any] | None) -> Any:
            # It has this call's deadline and correlation id, and middleware does not see it as a call.
            prepared = scope.prepare(operation, path, query, None, request.correlation_id)
            return (await Call(scope, prepared, None, self._deadline).run()).data

        return LookUp(read, self._until(), scope.settings.settling_pause, self._created_again, refused)

    def _until(self) -> Until:
        clock, deadline = self._scope.core.clock, self._deadline
        began = clock.monotonic()

        async def until(moment: float) -> bool:
            left = began + moment - clock.monotonic()
            if left <= 0:
                return True
            if not deadline.leaves(left) or (deadline.seconds is None and moment > SHOWN_WITHIN):
                return False
            await clock.sleep(left)
            return True

        return until

    # Waiting and repeating

    async def _wait_to_read_back(self, tried: AttemptResult, wait: float) -> float:
        """Sleep as long as a service that throttles asked, or raise if that is too long.

        Returns:
            The seconds still to wait before a repeat.
        """
        if not tried.throttled or not wait:
            return wait
        self._check_retry_after(tried, wait)
        self._record(tried, f"wait {wait:.2f} s")
        await self._scope.core.clock.sleep(wait)
        return 0.0

    def _check_retry_after(self, tried: AttemptResult, wait: float, settled: ReadBack | None = None) -> None:
        asked = tried.retry_after
        too_long = asked is not None and asked > self._scope.settings.max_retry_after
        if too_long or not self._deadline.leaves(wait):
            self._raise_failed(tried, "retry-after", settled)

    async def _wait_to_repeat(self, tried: AttemptResult, wait: float, settled: ReadBack | None) -> None:
        """Sleep before the next attempt, or raise if there must be none."""
        core, settings = self._scope.core, self._scope.settings
        if tried.gave_up:
            self._raise_failed(tried, tried.gave_up, settled)
        if self._repeats + 1 >= settings.max_attempts:
            self._raise_failed(tried, "attempts", settled)
        delay = backoff.jittered(
            self._repeats + 1,
            base=settings.throttled_base_delay if tried.throttled else settings.base_delay,
            cap=settings.max_delay,
            uniform=core.clock.uniform,
        )
        if tried.retry_after is not None:
            self._check_retry_after(tried, wait, settled)
        delay = max(delay, wait)
        if not self._deadline.leaves(delay):
            self._raise_failed(tried, "deadline", settled)
        taken = self._scope.budget.take(throttled=tried.throttled)
        if taken is None:
            self._raise_failed(tried, "budget", settled)
        self._tokens_taken += taken
        self._repeats += 1
        self._created_again = self._created_again or (self.kind is Kind.CREATE_ORDER and settled is not None)
        self._record(tried, f"repeat after {delay:.2f} s")
        await until_stopped(ITEM_CALLS.get(), core.clock.sleep(delay), reads=self.kind is Kind.SAFE)

    # How it ends

    async def _answer(self, tried: AttemptResult, response: WireResponse, *, unique: bool) -> Answer:
        self._scope.budget.refund(self._tokens_taken)
        self._record(tried, "return")
        operation = self.request.operation
        report = tried.outcome is Outcome.REFUSED and operation.brings is Expects.REPORT
        done_before = tried.outcome is Outcome.REFUSED and not report
        core = self._scope.core
        if done_before:
            models = nothing
        elif len(response.body) <= LARGE:
            models = models_of(core.api, operation, response, tried.data, core.drift)
        else:
            models = await in_thread(models_of, core.api, operation, response, tried.data, core.drift)
            if operation.reads_late and operation.answers:
                # A single order of this size is decoded now, because decoding it later would block the event loop.
                await in_thread(models)
        return Answer(
            data=None if tried.data is UNREADABLE else tried.data,
            id=created_id(response, tried.data) if operation.brings is Expects.ID else None,
            status=response.status,
            headers=response.headers,
            body=response.body,
            attempts=tuple(self.attempts),
            correlation_id=self.request.correlation_id,
            _models=models,
            uniqueness_checked=unique,
        )

    def _adopt(self, tried: AttemptResult, settled: ReadBack) -> Answer:
        self._scope.budget.refund(self._tokens_taken)
        self._record(tried, f"return: {settled.detail}")
        return Answer(
            data=None,
            id=settled.id,
            status=None,
            headers={},
            body=b"",
            attempts=tuple(self.attempts),
            correlation_id=self.request.correlation_id,
            _models=nothing,
            uniqueness_checked=settled.unique,
        )

    def _raise_refused(self, tried: AttemptResult) -> NoReturn:
        self._record(tried, "raise")
        raise failures.refused(self, tried)

    def _raise_duplicate(self, tried: AttemptResult, settled: ReadBack) -> NoReturn:
        self._scope.budget.refund(self._tokens_taken)
        self._record(tried, f"raise: {settled.detail}")
        raise failures.duplicate(self, settled)

    def _raise_superseded(self, tried: AttemptResult, settled: ReadBack) -> NoReturn:
        self._record(tried, f"raise: {settled.detail}")
        raise failures.superseded(self, settled)

    def _raise_failed(self, tried: AttemptResult, gave_up: GaveUp, settled: ReadBack | None = None) -> NoReturn:
        self._record(tried, f"give up: {gave_up}{f'; {settled.detail}' if settled else ''}")
        raise failures.failed(self, tried, gave_up, settled) from tried.cause

    def _record(self, tried: AttemptResult, following: str) -> None:
        """Record the attempt. A second call for the same attempt adds to its ``next``."""
        if tried.number:
            self.attempts[-1] = replace(self.attempts[-1], next=f"{self.attempts[-1].next}, {following}")
            return
        tried.number = len(self.attempts) + 1
        noted = Attempt(
            number=tried.number,
            outcome=tried.outcome.word,
            status=tried.status,
            phase=tried.phase,
            reason=tried.reason,
            seconds=tried.seconds,
            next=following,
            budget=self._scope.budget.tokens,
            throttled=tried.throttled,
        )
        self.attempts.append(noted)
        self._scope.core.reporter.attempt_ended(
            self.request.operation.id, self.request.order_id, self.request.correlation_id, noted
        )
