"""One call from its first permit to its outcome: the only loop of the pipeline.

An attempt takes a token, then a permit, then sends in a task of its own; the permit comes back when that send has
really ended. Its outcome and the operation's kind name a step (:mod:`.retry`); an unknown outcome may be settled by
reading back (:mod:`.settle`); the number of attempts, the budget, a Retry-After and the deadline may overrule a repeat.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

from norce_order_async.auth import bearer, checked_token
from norce_order_async.engines.base import NotSentError as EngineNotSent
from norce_order_async.engines.base import SendError, WireRequest, WireResponse
from norce_order_async.errors import (
    Attempt,
    CallError,
    GaveUp,
    NotSentError,
    OutcomeUnknownError,
    Phase,
    RejectedError,
    TokenError,
    TransitionSupersededError,
    UnavailableError,
    refusal_class,
    shown_code,
)
from norce_order_async.pipeline import backoff
from norce_order_async.pipeline.deadline import Deadline
from norce_order_async.pipeline.decode import (
    brings_enough,
    created_id,
    is_report,
    parse,
    read_refusal,
)
from norce_order_async.pipeline.middleware import AttemptInfo, CallInfo, through_attempt
from norce_order_async.pipeline.operations import Brings, Kind, Operation
from norce_order_async.pipeline.outcome import Outcome, classify
from norce_order_async.pipeline.request import Prepared
from norce_order_async.pipeline.retry import Step, step_after
from norce_order_async.pipeline.settle import Before, Settled, settle
from norce_order_async.plain import UNREADABLE, read_json

if TYPE_CHECKING:
    from norce_order_async.pipeline.session import Session


@dataclass(frozen=True, slots=True)
class Answer:
    """A call that succeeded."""

    parsed: Any = field(repr=False)
    """The generated models; None when the answer has no body."""
    data: Any = field(repr=False)
    """The same as plain JSON data."""
    id: str | None
    """Of what was created."""
    status: int | None
    """The HTTP status; None when the effect was found by reading back."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    attempts: tuple[Attempt, ...]
    correlation_id: str

    @property
    def adopted(self) -> bool:
        """Whether no attempt was answered, and the effect was found by reading back."""
        return self.status is None


@dataclass(slots=True)
class _Tried:
    """One attempt's raw result."""

    outcome: Outcome
    token: str = field(repr=False)
    seconds: float = 0.0
    response: WireResponse | None = None
    data: Any = field(default=UNREADABLE, repr=False)
    retry_after: float | None = None
    """Seconds the service asked to wait."""
    wait: float = 0.0
    """The same with its stretch, drawn once."""
    phase: Phase | None = None
    reason: str = ""
    gave_up: GaveUp | None = None
    """Set when no further attempt makes sense."""
    cause: BaseException | None = None
    number: int = 0
    """Its place among the call's attempts, once it is written down."""

    @property
    def status(self) -> int | None:
        return self.response.status if self.response else None


class Call:
    """The state of one call. Made for one run."""

    def __init__(
        self,
        session: Session,
        operation: Operation,
        path: Mapping[str, str],
        prepared: Prepared,
        before: Before | None,
        deadline: Deadline | None,
    ) -> None:
        self.session = session
        self.core = session.core
        self.settings = session.settings
        self.operation = operation
        self.path = path
        self.prepared = prepared
        self.before = before
        self.deadline = deadline or Deadline(self.core.clock, self.settings.deadline)
        self.kind = operation.kind_for(prepared.json)
        self.correlation_id = prepared.headers["x-correlation-id"]
        self.attempts: list[Attempt] = []
        self.repeats = 0
        self.tokens_taken = 0
        self.token_replaced = False
        self.created_again = False
        """Whether an order was asked for once more after one that may have been created."""
        self.maybe_done = False
        """Whether an attempt so far may have taken effect."""

    async def run(self) -> Answer:
        """Attempt, decide, and again, until there is an outcome."""
        while True:
            tried = await self._attempt()
            if tried.response and self._is_done(tried):
                return self._answer(tried, tried.response)
            step = step_after(self.kind, tried.outcome, tried.status)
            settled: Settled | None = None
            if step is Step.REFUSE:
                if await self._has_other_token(tried):
                    self._note(tried, "repeat with another token")
                    continue
                if not self._settles_refusal(tried):
                    self._refuse(tried)
                step = Step.SETTLE
            if step is Step.REPEAT and self.kind is Kind.STATE and self.maybe_done:
                # The lost one may have landed meanwhile, and somebody moved on.
                step = Step.SETTLE
            # What is not repeated although it was turned away is not believed to have been turned away.
            if self.kind is not Kind.SAFE and (tried.outcome is Outcome.UNKNOWN or step is Step.STOP):
                self.maybe_done = True
            if step is Step.STOP:
                self._fail(tried, "not-repeatable")
            if step is Step.SETTLE:
                settled = await self._settle(tried)
                if settled.verdict == "done":
                    return self._adopt(tried, settled)
                if settled.verdict == "elsewhere":
                    self._supersede(tried, settled)
                if tried.outcome is Outcome.REFUSED:
                    self._refuse(tried)
                if settled.verdict == "unclear":
                    self._fail(tried, tried.gave_up or "not-repeatable", settled)
            await self._wait_to_repeat(tried, settled)

    # One attempt

    async def _attempt(self) -> _Tried:
        core = self.core
        too_late: GaveUp = "deadline"
        bound = self.deadline
        if not self.attempts and not bound.started:
            too_late = "queue"
            bound = Deadline(core.clock, self.settings.queue_timeout)
            bound.start()
        token = ""
        # A deadline that has not begun still bounds the wait for a token: one that never comes must not hang the call.
        token_within = min(
            (left for left in (bound.remaining(), self.deadline.remaining()) if left is not None), default=None
        )
        try:
            with core.clock.move_on_after(token_within):
                token = checked_token(await core.auth.token())
        except TokenError as error:
            if not self.attempts:
                raise
            return self._not_sent("", "token", str(error))
        if not token:
            return self._not_sent("", too_late, "no token in time")
        if not await self.session.limiter.acquire(bound.remaining()):
            return self._not_sent(token, too_late, "no permit in time")
        self.deadline.start()
        if not self.deadline.leaves(0.0):
            self.session.limiter.release()
            return self._not_sent(token, "deadline", "no time was left")
        return await self._send(token)

    async def _send(self, token: str) -> _Tried:
        core = self.core
        remaining = self.deadline.remaining()
        timeouts = self.settings.timeouts
        request = WireRequest(
            method=self.prepared.method,
            url=self.prepared.url,
            headers={**self.prepared.headers, "authorization": bearer(token)},
            body=self.prepared.body,
            timeouts=timeouts if remaining is None else timeouts.cut(remaining),
            total=remaining,
        )
        started = core.clock.monotonic()
        tried = _Tried(Outcome.UNKNOWN, token, phase="read", reason="the deadline was over while it was in the air")
        tried.gave_up = "deadline"
        with core.clock.move_on_after(remaining):
            try:
                response = await core.owned.run(self._sender(request), self.session.limiter.release)
            except SendError as error:
                tried = self._unsent_or_unknown(token, error)
            else:
                core.telling.exchanged(request, response)
                tried = self._answered(token, response)
        tried.seconds = core.clock.monotonic() - started
        self.session.limiter.learned(
            tried.outcome, seconds=tried.seconds, retry_after=tried.retry_after, status=tried.status
        )
        return tried

    def _sender(self, request: WireRequest) -> Callable[[], Awaitable[WireResponse]]:
        core = self.core
        if not core.attempt_middleware:
            return functools.partial(core.engine.send, request)
        attempt = AttemptInfo(self.info, len(self.attempts) + 1)
        return functools.partial(through_attempt, core.attempt_middleware, attempt, request, core.engine.send)

    @property
    def info(self) -> CallInfo:
        """What middleware may know of it."""
        context = self.session.context
        return CallInfo(
            operation=self.operation.id,
            order_id=self.path.get("order_id"),
            merchant=context.merchant,
            channel=context.channel,
            correlation_id=self.correlation_id,
        )

    def _answered(self, token: str, response: WireResponse) -> _Tried:
        data = read_json(response.body) if response.body else UNREADABLE
        retry_after = backoff.retry_after(response.headers, self.core.clock.wall) if response.status >= 400 else None
        outcome = classify(
            response.status,
            retry_after=retry_after is not None,
            readable=brings_enough(self.operation, response, data),
        )
        reason = f"answered {response.status}"
        if outcome is Outcome.UNKNOWN and response.status < 300:
            reason += " without a readable body"
        tried = _Tried(outcome, token, response=response, data=data, retry_after=retry_after, reason=reason)
        if retry_after is not None:
            tried.wait = backoff.stretched(retry_after, self.core.clock.uniform)
            if outcome is Outcome.REJECTED and retry_after <= self.settings.max_retry_after:
                self.core.pause.extend(tried.wait)
        return tried

    def _unsent_or_unknown(self, token: str, error: SendError) -> _Tried:
        outcome = Outcome.NOT_SENT if isinstance(error, EngineNotSent) else Outcome.UNKNOWN
        gave_up: GaveUp | None = "closed" if error.phase == "closed" else None
        return _Tried(outcome, token, phase=error.phase, reason=error.reason, cause=error, gave_up=gave_up)

    def _not_sent(self, token: str, gave_up: GaveUp, reason: str) -> _Tried:
        return _Tried(Outcome.NOT_SENT, token, phase="pool", reason=reason, gave_up=gave_up)

    # What it means

    def _is_done(self, tried: _Tried) -> bool:
        if tried.outcome is Outcome.SUCCEEDED:
            return True
        if self.operation.brings is Brings.REPORT and is_report(tried.status or 0, tried.data):
            return True
        return tried.status == 404 and self.operation.removes and self.maybe_done

    async def _has_other_token(self, tried: _Tried) -> bool:
        if tried.status != 401 or self.token_replaced:
            return False
        self.token_replaced = True
        with self.core.clock.move_on_after(self.deadline.remaining()):
            try:
                return await self.core.auth.refused(tried.token)
            except TokenError:
                return False
        return False

    def _settles_refusal(self, tried: _Tried) -> bool:
        """A refusal after a lost answer may only say that the lost one took effect."""
        if not self.maybe_done:
            return False
        return self.kind is Kind.STATE or (self.kind is Kind.CREATE_ORDER and tried.status == 409)

    async def _settle(self, tried: _Tried) -> Settled:
        if not self.deadline.leaves(0.0):
            return Settled("unclear", "no time was left to read back")
        self._note(tried, "read back")

        async def read(operation: Operation, path: Mapping[str, str], query: Mapping[str, Any] | None) -> bytes:
            return (await self.session.read_back(operation, path, query, self.deadline, self.correlation_id)).body

        async def pause() -> bool:
            if not self.deadline.leaves(self.settings.settling_pause):
                return False
            await self.core.clock.sleep(self.settings.settling_pause)
            return True

        return await settle(
            self.operation,
            self.kind,
            read=read,
            path=self.path,
            body=self.prepared.json,
            before=self.before,
            pause=pause,
            may_repeat=self.settings.repeat_order_creation and not self.created_again,
        )

    # Repeating

    async def _wait_to_repeat(self, tried: _Tried, settled: Settled | None) -> None:
        """Sleep before the next attempt, or raise when there must be none."""
        core, settings = self.core, self.settings
        if tried.gave_up:
            self._fail(tried, tried.gave_up, settled)
        throttled = tried.outcome is Outcome.REJECTED
        asked = tried.retry_after
        if self.repeats + 1 >= settings.max_attempts:
            self._fail(tried, "attempts", settled)
        delay = backoff.jittered(
            self.repeats + 1,
            base=settings.throttled_base_delay if throttled else settings.base_delay,
            cap=settings.max_delay,
            uniform=core.clock.uniform,
        )
        if asked is not None and (asked > settings.max_retry_after or not self.deadline.leaves(tried.wait)):
            self._fail(tried, "retry-after", settled)
        delay = max(delay, tried.wait)
        if not self.deadline.leaves(delay):
            self._fail(tried, "deadline", settled)
        taken = self.session.budget.take(throttled=throttled)
        if taken is None:
            self._fail(tried, "budget", settled)
        self.tokens_taken += taken
        self.repeats += 1
        self.created_again = self.created_again or settled is not None
        self._note(tried, f"repeat after {delay:.2f} s")
        await core.clock.sleep(delay)

    # How it ends

    def _answer(self, tried: _Tried, response: WireResponse) -> Answer:
        self.session.budget.refund(self.tokens_taken)
        self._note(tried, "return")
        report = tried.outcome is Outcome.REFUSED and self.operation.brings is Brings.REPORT
        done_before = tried.outcome is Outcome.REFUSED and not report
        return Answer(
            parsed=None if done_before else parse(self.operation, response, tried.data, self.core.drift),
            data=None if tried.data is UNREADABLE else tried.data,
            id=created_id(response, tried.data) if self.operation.brings is Brings.ID else None,
            status=response.status,
            headers=response.headers,
            body=response.body,
            attempts=tuple(self.attempts),
            correlation_id=self.correlation_id,
        )

    def _adopt(self, tried: _Tried, settled: Settled) -> Answer:
        self.session.budget.refund(self.tokens_taken)
        self._note(tried, f"return: {settled.detail}")
        return Answer(
            parsed=None,
            data=None,
            id=settled.id,
            status=None,
            headers={},
            body=b"",
            attempts=tuple(self.attempts),
            correlation_id=self.correlation_id,
        )

    def _refuse(self, tried: _Tried) -> NoReturn:
        self._note(tried, "raise")
        said = read_refusal(tried.data)
        status = tried.status or 0
        code = f" ({shown_code(said.code)})" if said.code else ""
        advice = _ADVICE.get(status, "")
        if self.maybe_done:
            advice = "an earlier attempt may have taken effect: read the order before going on"
        raise refusal_class(status)(
            f"refused with {status}{code}",
            status=status,
            code=said.code,
            message=said.message,
            problem=said.problem,
            retry_after=tried.retry_after,
            maybe_changed=self.maybe_done,
            advice=advice,
            **self._facts(None),
        )

    def _supersede(self, tried: _Tried, settled: Settled) -> NoReturn:
        self._note(tried, f"raise: {settled.detail}")
        target = str(self.prepared.json.get("currentStatus"))
        raise TransitionSupersededError(
            f"asked for {target}, the answer was lost, and the order is {settled.status} now",
            target=target,
            current=settled.status or "",
            advice="look at the order before going on; it was left as it is",
            **self._facts(None),
        )

    def _fail(self, tried: _Tried, gave_up: GaveUp, settled: Settled | None = None) -> NoReturn:
        detail = f"; {settled.detail}" if settled else ""
        self._note(tried, f"give up: {gave_up}{detail}")
        raise self._failure(tried, gave_up, detail) from tried.cause

    def _failure(self, tried: _Tried, gave_up: GaveUp, detail: str) -> CallError:
        facts = self._facts(gave_up)
        wait = "" if tried.retry_after is None else f", asked to wait {tried.retry_after:g} s"
        if tried.outcome is Outcome.UNKNOWN or self.maybe_done:
            if self.kind is Kind.SAFE:
                advice = "nothing was changed; it may be called again"
                return UnavailableError(f"{tried.reason}{wait}", status=tried.status, advice=advice, **facts)
            return OutcomeUnknownError(
                f"outcome unknown: {tried.reason}{wait}{detail}",
                status=tried.status,
                request=self.prepared.json,
                advice=_how_to_check(self.operation, self.kind),
                **facts,
            )
        if tried.outcome is Outcome.REJECTED:
            return RejectedError(
                f"turned away unprocessed with {tried.status}{wait}",
                status=tried.status or 0,
                retry_after=tried.retry_after,
                advice="nothing was changed; it may be called again later",
                **facts,
            )
        return NotSentError(f"not sent: {tried.reason}", advice="nothing was changed; it may be called again", **facts)

    def _facts(self, gave_up: GaveUp | None) -> dict[str, Any]:
        return {
            "operation": self.operation.id,
            "order_id": self.path.get("order_id"),
            "correlation_id": self.correlation_id,
            "attempts": tuple(self.attempts),
            "gave_up": gave_up,
        }

    def _note(self, tried: _Tried, following: str) -> None:
        """Write the attempt down; what comes later of the same one is added to its line."""
        if tried.number:
            self.attempts[-1] = replace(self.attempts[-1], next=f"{self.attempts[-1].next}, {following}")
            return
        tried.number = len(self.attempts) + 1
        attempt = Attempt(
            number=tried.number,
            outcome=tried.outcome.word,
            status=tried.status,
            phase=tried.phase,
            reason=tried.reason,
            seconds=tried.seconds,
            next=following,
            budget=self.session.budget.tokens,
        )
        self.attempts.append(attempt)
        self.core.telling.attempt_ended(self.operation.id, self.path.get("order_id"), self.correlation_id, attempt)


_ADVICE = {
    400: "the error's message attribute holds the service's own words",
    401: "check the token, and that it belongs to this environment",
    403: "the token does not reach this",
    404: "check the id, and that merchant and channel are those it was made under",
    409: "something like it is there already: read it back",
}


def _how_to_check(operation: Operation, kind: Kind) -> str:
    if kind is Kind.CREATE_ORDER:
        return "look for it with orders.find_by_cart_reference before creating it again"
    if operation.natural_key:
        return f"await order.refresh() and look among its {operation.natural_key.member} before doing it again"
    if kind is Kind.EXECUTE:
        return "look at the payment and at its provider before executing it again"
    return "read it back before doing it again"
