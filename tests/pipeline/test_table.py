"""Operation kind x outcome x status: how often the client sends, and what the caller gets.

Every expectation is written out by hand from the specification. All cases fail in the same way on every attempt, with
three attempts allowed, so the number of sends shows what may be repeated. Read-backs have tests of their own. Here the
order that is read shows nothing, so that only the rule about repeating is seen.

Every status is tested with one of the operations that the pipeline treats alike, on the loops in turn. A soak tests all
operations on both loops.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from norce_order_async.engines.base import WireRequest
from norce_order_async.errors import (
    BadRequestError,
    CallError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    RejectedError,
    UnauthorizedError,
    UnavailableError,
)
from norce_order_async.pipeline.operations import OPERATIONS, Kind, Operation
from norce_order_async.pipeline.readback import Baseline
from tests.support.engine import LOST_PHASES, UNSENT_PHASES, Step, answer, lost
from tests.support.kinds import by_kind, looked_at
from tests.support.pipeline import Stand, answered_id, description, stand

pytestmark = pytest.mark.anyio

EVERY = by_kind()

BEFORE = Baseline(ids=frozenset(), repeat_from=frozenset({"checkout"}))


def test_every_kind_is_covered() -> None:
    """The tests outside a soak cover each kind, and each way in which two rows of the table can differ."""
    parameters = by_kind().args[1]
    plain = [parameter.values[0] for parameter in parameters if not parameter.marks]
    assert {row.kind for row in plain} == set(Kind)
    assert sorted(map(repr, map(looked_at, plain))) == sorted({repr(looked_at(row)) for row in OPERATIONS})
    assert [parameter.values[0] for parameter in parameters] == list(OPERATIONS)


def test_every_column_is_considered() -> None:
    """A new column of the table must be added to ``looked_at``, unless it is a name."""
    looked = {"kind", "brings", "removes", "natural_key", "answers", "reads_late"}
    assert {field.name for field in dataclasses.fields(Operation)} == looked | {"id", "tag", "module"}


def always(operation: Operation, step: Step) -> Stand:
    """Return a service that always gives the operation the same step, and shows an empty order and list."""
    method = description()[operation.id]["method"]

    def script(request: WireRequest) -> Step:
        if request.method == method or operation.kind is Kind.SAFE:
            return step
        if "cart_reference" in request.url:
            return answer(200, {"data": []})
        return answer(200, {"state": {"currentStatus": "checkout"}})

    return stand(script)


async def failure(stand_: Stand, operation: Operation) -> CallError:
    with pytest.raises(CallError) as caught:
        await stand_.call(operation, before=BEFORE)
    return caught.value


def sends(stand_: Stand, operation: Operation) -> int:
    method = description()[operation.id]["method"]
    return sum(request.method == method for request in stand_.engine.requests)


@EVERY
@pytest.mark.parametrize("phase", UNSENT_PHASES)
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_an_unsent_call_is_repeated_for_every_operation(operation: Operation, phase: Any) -> None:
    """After three attempts the error says that nothing was sent."""
    stand_ = always(operation, lost(phase))
    error = await failure(stand_, operation)
    assert (type(error), error.gave_up) == (NotSentError, "attempts")
    assert len(stand_.engine.requests) == 3
    assert [(one.outcome, one.phase, one.status) for one in error.attempts] == [("not sent", phase, None)] * 3
    assert [one.next for one in error.attempts] == ["repeat after 0.00 s"] * 2 + ["give up: attempts"]


@EVERY
@pytest.mark.parametrize("status", [429, 425])
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_a_rejected_call_is_repeated_for_every_operation(operation: Operation, status: int) -> None:
    """A rejected request was not processed, so even a payment action is sent again."""
    stand_ = always(operation, answer(status, retry_after="0"))
    error = await check_turned_away(stand_, operation, status)
    assert "turned away unprocessed" in str(error)
    assert "nothing was changed" in str(error)


REPEATABLE = (Kind.SAFE, Kind.IDEMPOTENT)


@by_kind(row for row in OPERATIONS if row.kind in REPEATABLE)
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_a_503_with_retry_after_is_a_rejection_if_twice_is_like_once(operation: Operation) -> None:
    """The request is repeated whether it was done or not. Only for a read the error says that nothing was changed."""
    stand_ = always(operation, answer(503, retry_after="0"))
    error = await check_turned_away(stand_, operation, 503)
    assert ("nothing was changed" in str(error)) == (operation.kind is Kind.SAFE)


@by_kind(row for row in OPERATIONS if row.kind not in REPEATABLE)
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_a_503_with_retry_after_is_unknown_for_other_operations(operation: Operation) -> None:
    """A gateway may send a 503 after the effect, so it is like any lost answer. The error has the time to wait."""
    stand_ = always(operation, answer(503, retry_after="0"))
    error = await failure(stand_, operation)
    count, kind, gave_up = SENDS_ON_UNKNOWN[operation.kind]
    assert isinstance(error, OutcomeUnknownError)
    assert (type(error), error.gave_up, error.status, error.retry_after) == (kind, gave_up, 503, 0.0)
    assert sends(stand_, operation) == count
    assert [(one.outcome, one.throttled) for one in error.attempts] == [("unknown", True)] * count


async def check_turned_away(stand_: Stand, operation: Operation, status: int) -> CallError:
    error = await failure(stand_, operation)
    assert isinstance(error, RejectedError)
    assert (type(error), error.gave_up, error.status, error.retry_after) == (RejectedError, "attempts", status, 0.0)
    assert len(stand_.engine.requests) == 3
    assert [(one.outcome, one.throttled) for one in error.attempts] == [("rejected", True)] * 3
    return error


UNKNOWN = [answer(status) for status in (408, 500, 502, 503, 504, 520, 599)] + [lost(phase) for phase in LOST_PHASES]


def step_id(step: Step) -> str:
    return str(step.phase or step.status)


SENDS_ON_UNKNOWN = {
    Kind.SAFE: (3, UnavailableError, "attempts"),
    Kind.IDEMPOTENT: (3, OutcomeUnknownError, "attempts"),
    # The read shows the old status, so it is sent again, up to three times.
    Kind.STATE: (3, OutcomeUnknownError, "attempts"),
    # After the settling pause the order is not there, so it is created once more, and never a third time.
    Kind.CREATE_ORDER: (2, OutcomeUnknownError, "not-repeatable"),
    Kind.CREATE: (1, OutcomeUnknownError, "not-repeatable"),
    Kind.EXECUTE: (1, OutcomeUnknownError, "not-repeatable"),
}


@EVERY
@pytest.mark.parametrize("step", UNKNOWN, ids=step_id)
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_an_unknown_outcome_is_repeated_only_if_twice_is_like_once(operation: Operation, step: Step) -> None:
    """The main rule: a write that may have taken effect and could take effect twice is sent once."""
    stand_ = always(operation, step)
    error = await failure(stand_, operation)
    count, kind, gave_up = SENDS_ON_UNKNOWN[operation.kind]
    assert (type(error), error.gave_up) == (kind, gave_up)
    assert sends(stand_, operation) == count
    assert [(one.outcome, one.status, one.phase) for one in error.attempts] == [
        ("unknown", None if step.phase else step.status, step.phase)
    ] * count
    assert error.attempts[-1].next.startswith(("give up: ", "read back, give up: "))


@by_kind(row for row in OPERATIONS if row.kind in REPEATABLE)
@pytest.mark.parametrize("status", [501, 505])
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_501_and_505_are_not_repeated(operation: Operation, status: int) -> None:
    """The service does not support the request, so it is sent once."""
    stand_ = always(operation, answer(status))
    error = await failure(stand_, operation)
    assert type(error) is (UnavailableError if operation.kind is Kind.SAFE else OutcomeUnknownError)
    assert (error.gave_up, len(stand_.engine.requests)) == ("not-repeatable", 1)
    assert [one.next for one in error.attempts] == ["give up: not-repeatable"]


REFUSALS: dict[int, type[RefusedError]] = {
    301: RefusedError,
    302: RefusedError,
    304: RefusedError,
    307: RefusedError,
    308: RefusedError,
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: RefusedError,
    409: ConflictError,
    413: RefusedError,
    422: RefusedError,
    499: RefusedError,
}


@EVERY
@pytest.mark.parametrize("status", REFUSALS)
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_a_refusal_is_final(operation: Operation, status: int) -> None:
    """A refusal is one send without a read and a typed error, and redirects are not followed."""
    data = {"code": "said.no", "message": "no"}
    stand_ = always(operation, answer(status, data, location="https://elsewhere.example/"))
    error = await failure(stand_, operation)
    assert isinstance(error, RefusedError)
    assert (type(error), error.status, error.code, error.gave_up) == (REFUSALS[status], status, "said.no", None)
    assert not error.maybe_changed
    assert len(stand_.engine.requests) == 1
    assert [(one.outcome, one.status, one.next) for one in error.attempts] == [("refused", status, "raise")]


@EVERY
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_a_success_is_sent_once(operation: Operation) -> None:
    """A success is one send, and the note of its one attempt says "return"."""
    stand_ = always(operation, answer(description()[operation.id]["statuses"][0], {"id": answered_id(operation)}))
    done = await stand_.call(operation)
    assert len(stand_.engine.requests) == 1
    assert [(one.outcome, one.next) for one in done.attempts] == [("succeeded", "return")]
    assert done.id == (answered_id(operation) if 201 in description()[operation.id]["statuses"] else None)


@EVERY
@pytest.mark.parametrize("first", [lost("connect"), answer(429), answer(425)], ids=step_id)
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_a_repeat_after_an_unsent_or_rejected_call_can_succeed(operation: Operation, first: Step) -> None:
    """Every kind is repeated, money too, because nothing had happened."""
    steps = iter([first, answer(201, {"id": answered_id(operation)})])
    stand_ = stand(lambda _: next(steps))
    done = await stand_.call(operation)
    assert [one.outcome for one in done.attempts][1:] == ["succeeded"]
    assert len(stand_.engine.requests) == 2


@EVERY
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_the_other_token_is_tried_once_and_kept(operation: Operation) -> None:
    """After a 401 every kind is sent again with the secondary token, which is kept. This takes nothing from the
    budget."""
    steps = iter(
        [answer(401), answer(201, {"id": answered_id(operation)}), answer(201, {"id": answered_id(operation)})]
    )
    stand_ = stand(lambda _: next(steps), token="first", secondary_token="Bearer second")
    done = await stand_.call(operation)
    await stand_.call(operation)
    assert [request.headers["authorization"] for request in stand_.engine.requests] == [
        "Bearer first",
        "Bearer second",
        "Bearer second",
    ]
    assert [one.next for one in done.attempts] == ["repeat with another token", "return"]
    assert stand_.session.budget.tokens == 500
    assert stand_.clock.sleeps == []


@EVERY
# The decision about an outcome awaits nothing, so it is the same on each loop.
@pytest.mark.in_turn("anyio_backend")
async def test_two_refused_tokens_are_two_sends(operation: Operation) -> None:
    """If all tokens are refused, each is sent once and the caller gets ``UnauthorizedError``."""
    stand_ = always(operation, answer(401))
    other = stand(lambda _: answer(401), token="first", secondary_token="second")
    assert type(await failure(stand_, operation)) is UnauthorizedError
    assert type(await failure(other, operation)) is UnauthorizedError
    assert (len(stand_.engine.requests), len(other.engine.requests)) == (1, 2)
