"""One attempt: it takes a token and a permit, sends, and returns the result.

Fast path: a ready token and a free permit are taken without a cancel scope, timer or event, and the send is awaited
with one timer.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from norce_order_async._json import LARGE, UNREADABLE, is_mapping, read_json
from norce_order_async.engines.base import Caller, SendError, UnsentError, WireRequest, WireResponse
from norce_order_async.errors import GaveUp, Phase, TokenError
from norce_order_async.pipeline import retry as backoff
from norce_order_async.pipeline.core import CallScope, Core
from norce_order_async.pipeline.middleware import AttemptInfo, through_attempt
from norce_order_async.pipeline.operations import Kind
from norce_order_async.pipeline.request import Prepared
from norce_order_async.pipeline.response import in_thread, is_complete
from norce_order_async.pipeline.retry import Outcome, classify, throttles
from norce_order_async.pipeline.settings import CORRELATION_HEADER
from norce_order_async.pipeline.tasks import SendTimedOutError
from norce_order_async.runtime.clock import Deadline
from norce_order_async.runtime.stop import ITEM_CALLS, ItemCalls, until_stopped

if TYPE_CHECKING:
    from norce_order_async.auth.providers import Signed


_WITHOUT_EFFECT = (Outcome.REFUSED, Outcome.REJECTED, Outcome.NOT_SENT)


@dataclass(slots=True)
class AttemptResult:
    """The raw result of one attempt."""

    outcome: Outcome
    reason: str
    phase: Phase | None = None
    gave_up: GaveUp | None = None
    """Set if no further attempt makes sense."""
    cause: BaseException | None = None
    signed: Signed | None = None
    """The token it was sent with."""
    response: WireResponse | None = None
    data: Any = field(default=UNREADABLE, repr=False)
    throttled: bool = False
    """Whether the service throttled the attempt, whatever its outcome."""
    retry_after: float | None = None
    """Seconds that the service asked to wait; None if it did not."""
    seconds: float = 0.0
    number: int = 0
    """Its number among the call's attempts, from 1; 0 until it is recorded."""

    @property
    def status(self) -> int | None:
        """The HTTP status; None if there was no answer."""
        return self.response.status if self.response else None


async def attempt(scope: CallScope, request: Prepared, kind: Kind, deadline: Deadline, number: int) -> AttemptResult:
    """Send once, and return the result.

    The first attempt waits for its permit within the queue timeout, and its permit starts the deadline. Later attempts
    wait within the deadline. If the attempt belongs to a job that is stopped meanwhile, it is not sent.

    Raises:
        TokenError: there is no token for the first attempt.
    """
    core, limiter, reads = scope.core, scope.limiter, kind is Kind.SAFE
    item = ITEM_CALLS.get()
    if item is not None and not item.may_send(reads=reads):
        return _stopped(item)
    queues = number == 1 and not deadline.started
    too_late: GaveUp = "queue" if queues else "deadline"
    wait: Deadline | None = None
    try:
        signed = core.auth.at_hand()
        if signed is None:
            wait = _wait_limit(scope, deadline, queues=queues)
            signed = await until_stopped(item, _token(core, wait, deadline), reads=reads)
            if item is not None and not item.may_send(reads=reads):
                return _stopped(item)
    except TokenError as error:
        if number == 1:
            raise
        return _not_sent("token", str(error))
    if signed is None:
        return _not_sent(too_late, "no token in time")
    if not limiter.take():
        wait = wait or _wait_limit(scope, deadline, queues=queues)
        acquired = limiter.acquire(wait.remaining(), begun=deadline.started)
        granted = await until_stopped(item, acquired, reads=reads)
        if item is not None and not item.may_send(reads=reads):
            if granted:
                limiter.release()
            return _stopped(item)
        if not granted:
            return _not_sent(too_late, "no permit in time")
    deadline.start()
    remaining = deadline.remaining()
    if remaining == 0:
        limiter.release()
        return _not_sent("deadline", "no time was left")
    if item is None or reads:
        return await _send(scope, request, kind, signed, remaining, number, item)
    item.written += 1
    tried = await _send(scope, request, kind, signed, remaining, number, item)
    if tried.outcome in _WITHOUT_EFFECT:
        item.written -= 1
    return tried


def _wait_limit(scope: CallScope, deadline: Deadline, *, queues: bool) -> Deadline:
    """The time that an attempt may wait before it is sent."""
    if not queues:
        return deadline
    limit = Deadline(scope.core.clock, scope.settings.queue_timeout)
    limit.start()
    return limit


async def _token(core: Core, wait: Deadline, deadline: Deadline) -> Signed | None:
    """Wait for a token; None if none came in time."""
    # A deadline that has not begun limits the wait too, so that a token that never comes does not hang the call.
    within = min((left for left in (wait.remaining(), deadline.remaining()) if left is not None), default=None)
    with core.clock.move_on_after(within):
        return await core.auth.signed()
    return None


async def _send(
    scope: CallScope,
    request: Prepared,
    kind: Kind,
    signed: Signed,
    remaining: float | None,
    number: int,
    item: ItemCalls | None,
) -> AttemptResult:
    core = scope.core
    wire = WireRequest(
        request.method,
        request.url,
        {**request.headers, CORRELATION_HEADER: request.correlation_id, "authorization": signed.header},
        request.body,
        scope.timeouts if remaining is None else scope.timeouts.cut(remaining),
        remaining,
        kind.max_idle,
        caller := Caller() if kind is Kind.SAFE else None,
        scope.settings.max_answer_size,
        None if item is None else item.before_first_byte,
    )
    started = core.clock.monotonic()
    limiter = scope.limiter
    home = core.loop_guard.home
    begin = None if core.attempt_middleware else home.begin
    try:
        response: WireResponse | None = None
        if begin is not None:
            response = await home.sends.run_begun(begin, wire, limiter.release, caller=caller, ahead=limiter.limit)
        if response is None:
            send = _sender(scope, request, wire, number)
            response = await home.sends.run(send, limiter.release, remaining, caller=caller, ahead=limiter.limit)
    except SendError as error:
        tried = _unsent_or_unknown(error)
    except SendTimedOutError:
        tried = AttemptResult(
            Outcome.UNKNOWN, "the deadline was over while it was in flight", phase="read", gave_up="deadline"
        )
    else:
        core.reporter.log_exchange(wire, response)
        left = None if remaining is None else started + remaining - core.clock.monotonic()
        data = await _data(core, response, left)
        tried = _answered(core, request, kind, response, data)
    tried.signed = signed
    tried.seconds = core.clock.monotonic() - started
    limiter.learned(tried.outcome, seconds=tried.seconds, throttled=tried.throttled, status=tried.status)
    return tried


def _sender(
    scope: CallScope, request: Prepared, wire: WireRequest, number: int
) -> Callable[[], Awaitable[WireResponse]]:
    core = scope.core
    if not core.attempt_middleware:
        return functools.partial(core.engine.send, wire)
    info = AttemptInfo(request.info(scope.context), number)
    return functools.partial(through_attempt, core.attempt_middleware, info, wire, core.engine.send)


async def _data(core: Core, response: WireResponse, left: float | None) -> Any:
    """The JSON data of an answer. A large body is read in a thread, within the time left."""
    if len(response.body) <= LARGE:
        return read_json(response.body) if response.body else UNREADABLE
    with core.clock.move_on_after(left):
        return await in_thread(read_json, response.body)
    return UNREADABLE


def _answered(core: Core, request: Prepared, kind: Kind, response: WireResponse, data: Any) -> AttemptResult:
    retry_after = backoff.retry_after(response.headers, core.clock.wall) if response.status >= 400 else None
    outcome = classify(
        kind,
        response.status,
        retry_after=retry_after is not None,
        readable=is_complete(request.operation, response, data),
    )
    reason = f"answered {response.status}"
    if outcome is Outcome.UNKNOWN and response.status < 300:
        reason += " without a readable body"
        if response.unreadable:
            reason += f": {response.unreadable}"
    elif outcome is Outcome.SUCCEEDED and request.operation.answers and not _answers(request, data):
        # No further answer of this connection can be trusted.
        response.drop_connection()
        outcome = Outcome.UNKNOWN
        reason += f" with another {request.operation.answers}: it is the answer to another request"
    tried = AttemptResult(outcome, reason, response=response, data=data, retry_after=retry_after)
    tried.throttled = throttles(response.status, retry_after=retry_after is not None)
    return tried


def _answers(request: Prepared, data: Any) -> bool:
    """Whether an answer has the id that the request addressed. An answer without an id passes."""
    found = data.get("id") if is_mapping(data) else None
    return not isinstance(found, str) or found == request.path.get(request.operation.answers)


def _unsent_or_unknown(error: SendError) -> AttemptResult:
    _forget_frames(error)
    return AttemptResult(
        Outcome.NOT_SENT if isinstance(error, UnsentError) else Outcome.UNKNOWN,
        error.reason,
        phase=error.phase,
        gave_up="closed" if error.phase == "closed" else None,
        cause=error,
    )


def _forget_frames(error: BaseException | None) -> None:
    """Remove the tracebacks from an engine's error and its causes. The frames of an engine and of its library hold the
    header with the token and the bytes of the body, and tools show what frames hold."""
    known: set[int] = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        error.__traceback__ = None
        if error.__suppress_context__:
            error.__context__ = None
        error = error.__cause__ or error.__context__


def _stopped(item: ItemCalls) -> AttemptResult:
    item.held_back = True
    return _not_sent("stopped", "the job was stopped before")


def _not_sent(gave_up: GaveUp, reason: str) -> AttemptResult:
    return AttemptResult(Outcome.NOT_SENT, reason, phase="pool", gave_up=gave_up)
