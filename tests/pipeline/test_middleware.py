"""Middleware: its place, what it sees and may change, and that it can't double a write."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, cast

import pytest

from norce_order_async import (
    Answer,
    AttemptInfo,
    AttemptNext,
    CallInfo,
    CallNext,
    CallOptions,
    ConfigurationError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    TokenError,
    UnavailableError,
    WireRequest,
    WireResponse,
)
from norce_order_async.engines import base
from norce_order_async.pipeline.operations import CREATE_ORDER, CREATE_PAYMENT, GET_ORDER, SET_CART, VALIDATE, Operation
from norce_order_async.pipeline.readback import Baseline
from tests.support.engine import answer, lost
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

ORDER: dict[str, Any] = {"id": "o1", "payments": []}
FOUND = answer(200, ORDER)


class Recorder:
    """Makes middleware that records its arguments on entry and its results on exit."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def call(self, name: str) -> Any:
        async def around(call: CallInfo, proceed: CallNext, /) -> Answer:
            self.lines.append(f"{name}> {call.operation}")
            try:
                result = await proceed()
            except Exception as error:
                self.lines.append(f"{name}< {type(error).__name__}")
                raise
            self.lines.append(f"{name}< {result.status}")
            return result

        return around

    def attempt(self, name: str) -> Any:
        async def around(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
            self.lines.append(f"{name}> {attempt.call.operation} {attempt.number}")
            try:
                response = await proceed(request)
            except Exception as error:
                self.lines.append(f"{name}< {type(error).__name__}")
                raise
            self.lines.append(f"{name}< {response.status}")
            return response

        return around


# Its place


async def test_the_first_is_outermost_around_the_call_and_around_each_attempt() -> None:
    """Attempt middleware runs inside call middleware, the first one outermost. It sees every answer and every error of
    the engine."""
    recorder = Recorder()
    on = stand(
        [answer(503), lost("connect"), FOUND],
        call_middleware=[recorder.call("A"), recorder.call("B")],
        attempt_middleware=(recorder.attempt("a"), recorder.attempt("b")),
    )
    await on.call(GET_ORDER)
    name = "GetCheckoutOrder"
    assert recorder.lines == [
        f"A> {name}",
        f"B> {name}",
        f"a> {name} 1",
        f"b> {name} 1",
        "b< 503",
        "a< 503",
        f"a> {name} 2",
        f"b> {name} 2",
        "b< UnsentError",
        "a< UnsentError",
        f"a> {name} 3",
        f"b> {name} 3",
        "b< 200",
        "a< 200",
        "B< 200",
        "A< 200",
    ]


async def test_call_middleware_sees_the_error_that_the_caller_gets() -> None:
    recorder = Recorder()
    on = stand([answer(404)], call_middleware=[recorder.call("A")], attempt_middleware=[recorder.attempt("a")])
    with pytest.raises(NotFoundError):
        await on.call(GET_ORDER)
    assert recorder.lines[1:] == ["a> GetCheckoutOrder 1", "a< 404", "A< NotFoundError"]


async def test_call_middleware_sees_a_token_error_and_attempt_middleware_nothing() -> None:
    async def none() -> str:
        raise TokenError("none")

    recorder = Recorder()
    on = stand([], token=none, call_middleware=[recorder.call("A")], attempt_middleware=[recorder.attempt("a")])
    with pytest.raises(TokenError):
        await on.call(GET_ORDER)
    assert recorder.lines == ["A> GetCheckoutOrder", "A< TokenError"]


async def test_read_backs_are_attempts_but_no_calls() -> None:
    """The read that looks for a lost payment runs attempt middleware within the one call."""
    recorder = Recorder()
    there = answer(200, {"id": "o1", "payments": [{"id": "p9", "reference": "p-ref"}]})
    on = stand([lost("read"), there], call_middleware=[recorder.call("A")], attempt_middleware=[recorder.attempt("a")])
    result = await on.call(CREATE_PAYMENT, before=Baseline(ids=frozenset()))
    assert result.id == "p9"
    assert recorder.lines == [
        "A> CreateOrderPayment",
        "a> CreateOrderPayment 1",
        "a< MaybeSentError",
        "a> GetCheckoutOrder 1",
        "a< 200",
        "A< None",
    ]


async def test_the_information_about_a_call() -> None:
    """Attempt middleware gets the ids and the scope, and the request with the token and the correlation id that all
    attempts share."""
    seen: list[tuple[AttemptInfo, WireRequest]] = []

    async def look(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        seen.append((attempt, request))
        return await proceed(request)

    on = stand([answer(500), FOUND], attempt_middleware=[look])
    await on.call(GET_ORDER, options=CallOptions(correlation_id="c-1"))
    info = CallInfo("GetCheckoutOrder", "o1", "acme", "se", "c-1")
    assert [attempt for attempt, _ in seen] == [AttemptInfo(info, 1), AttemptInfo(info, 2)]
    for _, request in seen:
        assert request.headers["authorization"] == "Bearer t0ken"
        assert request.headers["x-correlation-id"] == "c-1"
        assert "t0ken" not in repr(request)


async def test_it_may_send_a_changed_copy() -> None:
    """A changed request counts for one attempt only. The next one starts from the pipeline's own request."""

    async def sign(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        assert "x-signature" not in request.headers
        return await proceed(replace(request, headers={**request.headers, "x-signature": f"s{attempt.number}"}))

    on = stand([answer(500), FOUND], attempt_middleware=[sign])
    await on.call(GET_ORDER)
    assert [request.headers["x-signature"] for request in on.engine.requests] == ["s1", "s2"]


async def test_it_may_answer_by_itself() -> None:
    """Middleware may answer without sending, as a cache around calls or a stub around attempts does."""
    on = stand([FOUND])
    kept = await on.call(GET_ORDER)

    async def cached(call: CallInfo, proceed: CallNext, /) -> Answer:
        return kept

    async def stubbed(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        return WireResponse(200, {}, b'{"id": "o1"}')

    assert await stand([], call_middleware=[cached]).call(GET_ORDER) is kept
    assert (await stand([], attempt_middleware=[stubbed]).call(GET_ORDER)).data == {"id": "o1"}


# Its exceptions


def raising(error: BaseException, *, sends: bool) -> Any:
    async def fail(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        if sends:
            await proceed(request)
        raise error

    return fail


ERRORS = [
    ValueError("x"),
    base.UnsentError("connect", "made up"),
    base.MaybeSentError("read", "made up"),
    ExceptionGroup("several", [base.UnsentError("connect", "made up")]),
]
BY_TYPE = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
WRITES = pytest.mark.parametrize("operation", [CREATE_PAYMENT, CREATE_ORDER], ids=lambda operation: operation.id)


@WRITES
@BY_TYPE
async def test_raising_after_the_send_never_doubles_a_creation(operation: Operation, error: Exception) -> None:
    """If middleware raises after the send, even a false "not sent", the outcome is unknown, because the service has the
    request."""
    options = CallOptions(repeat_order_creation=False)
    on = stand(lambda _: answer(201, {"id": "p1"}), attempt_middleware=[raising(error, sends=True)])
    with pytest.raises(OutcomeUnknownError) as caught:
        await on.call(operation, options=options)
    assert [line for line in on.sent if line.startswith("POST")] == on.sent[:1]
    assert caught.value.attempts[0].outcome == "unknown"


async def test_raising_after_the_send_repeats_what_may_be_repeated() -> None:
    on = stand(lambda _: FOUND, attempt_middleware=[raising(ValueError("hush"), sends=True)])
    with pytest.raises(UnavailableError, match="an attempt middleware raised ValueError") as caught:
        await on.call(GET_ORDER)
    assert len(on.engine.requests) == 3
    assert "hush" not in str(caught.value)
    assert isinstance(caught.value.__cause__, base.MaybeSentError)


@pytest.mark.parametrize("operation", [GET_ORDER, SET_CART, CREATE_PAYMENT, CREATE_ORDER], ids=lambda row: row.id)
async def test_raising_before_the_send_is_not_sent(operation: Operation) -> None:
    """If middleware raises before the send, every kind of call is tried again, because nothing left this machine. In
    the end it is reported as not sent."""
    on = stand([], attempt_middleware=[raising(ValueError("hush"), sends=False)])
    with pytest.raises(NotSentError, match="an attempt middleware raised ValueError") as caught:
        await on.call(operation)
    assert on.engine.requests == []
    assert [(attempt.outcome, attempt.phase) for attempt in caught.value.attempts] == [("not sent", "middleware")] * 3
    assert caught.value.gave_up == "attempts"
    assert "hush" not in str(caught.value)


async def test_failing_once_before_the_send_costs_nothing_but_time() -> None:
    async def flaky(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        if attempt.number == 1:
            raise ValueError("not now")
        return await proceed(request)

    on = stand([answer(201, {"id": "p1"})], attempt_middleware=[flaky])
    assert (await on.call(CREATE_PAYMENT)).id == "p1"


async def test_an_error_in_place_of_not_sent_is_still_not_sent() -> None:
    """If the engine reports that nothing was sent, an error of the middleware in its place does not change that."""

    async def translate(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        try:
            return await proceed(request)
        except base.SendError as error:
            raise ValueError("in my own words") from error

    on = stand([lost("connect"), answer(201, {"id": "p1"})], attempt_middleware=[translate])
    assert (await on.call(CREATE_PAYMENT)).id == "p1"
    assert len(on.engine.requests) == 2


@pytest.mark.parametrize("rubbish", [None, 200, {"status": 200}])
async def test_returning_no_response_after_a_send_is_unknown(rubbish: Any) -> None:
    """A forgotten return must not look like an answer of the service."""

    async def forgets(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        await proceed(request)
        return cast("WireResponse", rubbish)

    on = stand(lambda _: answer(201, {"id": "p1"}), attempt_middleware=[forgets])
    with pytest.raises(OutcomeUnknownError, match=f"returned {type(rubbish).__name__} instead of a WireResponse"):
        await on.call(CREATE_PAYMENT)
    assert len([line for line in on.sent if line.startswith("POST")]) == 1


async def test_returning_no_answer_names_the_mistake() -> None:
    async def forgets(call: CallInfo, proceed: CallNext, /) -> Answer:
        await proceed()
        return cast("Answer", None)

    on = stand([answer(201, {"id": "p1"})], call_middleware=[forgets])
    with pytest.raises(TypeError, match="CreateOrderPayment was carried out, but a call middleware returned NoneType"):
        await on.call(CREATE_PAYMENT)


async def test_an_exception_of_call_middleware_reaches_the_caller() -> None:
    """An exception before or after the call reaches the caller unchanged, and nothing is repeated."""
    for sends, requests in ((False, 0), (True, 1)):

        async def fail(call: CallInfo, proceed: CallNext, /, sends: bool = sends) -> Answer:
            if sends:
                await proceed()
            raise KeyError("mine")

        on = stand([answer(201, {"id": "p1"})], call_middleware=[fail])
        with pytest.raises(KeyError, match="mine"):
            await on.call(CREATE_PAYMENT)
        assert len(on.engine.requests) == requests


# Only once


async def test_an_attempt_may_proceed_once() -> None:
    """Middleware that repeats by itself is stopped before the second send, wherever it stands."""

    async def stubborn(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        await proceed(request)
        return await proceed(request)

    outside = Recorder().attempt("x")
    for order in ([stubborn], [stubborn, outside], [outside, stubborn]):
        on = stand(lambda _: answer(500), attempt_middleware=order)
        with pytest.raises(OutcomeUnknownError, match="RuntimeError"):
            await on.call(CREATE_PAYMENT)
        assert len([line for line in on.sent if line.startswith("POST")]) == 1


async def test_a_call_may_proceed_once() -> None:
    async def stubborn(call: CallInfo, proceed: CallNext, /) -> Answer:
        await proceed()
        return await proceed()

    on = stand(lambda _: answer(201, {"id": "p1"}), call_middleware=[stubborn])
    with pytest.raises(RuntimeError, match="only once"):
        await on.call(CREATE_PAYMENT)
    assert len(on.engine.requests) == 1


async def test_proceeding_once_counts_per_call() -> None:
    recorder = Recorder()
    on = stand(lambda _: FOUND, call_middleware=[recorder.call("A")], attempt_middleware=[recorder.attempt("a")])
    for _ in range(3):
        await on.call(GET_ORDER)
    assert len(on.engine.requests) == 3


async def test_a_cancelled_caller_leaves_its_send_to_end_with_its_middleware() -> None:
    """Attempt middleware runs in the send's own task, so it sees the answer although the caller has left."""
    recorder = Recorder()
    on = stand([answer(201, {"id": "p1"}, takes=5.0)], attempt_middleware=[recorder.attempt("a")])
    with on.clock.move_on_after(1.0) as scope:
        await on.call(CREATE_PAYMENT)
    assert scope.cancelled_caught
    await on.client.aclose()
    assert recorder.lines == ["a> CreateOrderPayment 1", "a< 201"]
    assert on.clock.passed == 5.0


# Refused at construction


async def two(_a: Any, _b: Any, /) -> Any: ...
async def three(_a: Any, _b: Any, _c: Any, /) -> Any: ...
async def keyword_only(_a: Any, _b: Any, /, *, other: Any) -> Any: ...
def sync(_a: Any, _b: Any, _c: Any = None, /) -> Any: ...


async def generator(_a: Any, _b: Any, _c: Any = None, /) -> Any:
    yield


class Callable2:
    """An object whose call can be awaited."""

    async def __call__(self, _a: Any, _b: Any, /) -> Any: ...
    async def method(self, _a: Any, _b: Any, _c: Any, /) -> Any: ...


class SyncCallable:
    def __call__(self, _a: Any, _b: Any, /) -> Any: ...


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"call_middleware": [sync]}, "call_middleware sync must be an async function"),
        ({"attempt_middleware": [sync]}, "attempt_middleware sync must be an async function"),
        ({"call_middleware": [generator]}, "call_middleware generator must be an async function"),
        ({"call_middleware": [Callable2]}, "call_middleware Callable2 must be an async function"),
        ({"call_middleware": [SyncCallable()]}, "call_middleware SyncCallable must be an async function"),
        ({"call_middleware": [None]}, "call_middleware NoneType must be an async function"),
        ({"attempt_middleware": [5]}, "attempt_middleware int must be an async function"),
        ({"call_middleware": ["two"]}, "call_middleware str must be an async function"),
        ({"call_middleware": [three]}, "call_middleware three must take 2 positional arguments"),
        ({"call_middleware": [keyword_only]}, "call_middleware keyword_only must take 2 positional arguments"),
        ({"attempt_middleware": [two]}, "attempt_middleware two must take 3 positional arguments"),
        ({"attempt_middleware": [three, two]}, "attempt_middleware two must take 3 positional arguments"),
        ({"attempt_middleware": [Callable2()]}, "attempt_middleware Callable2 must take 3 positional arguments"),
        ({"call_middleware": [Callable2().method]}, "Callable2.method must take 2 positional arguments"),
        ({"call_middleware": two}, "call_middleware must be a list or tuple of async functions, not function"),
        ({"attempt_middleware": None}, "attempt_middleware must be a list or tuple of async functions, not NoneType"),
    ],
)
def test_a_wrong_form_is_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        stand([], **given)


@pytest.mark.parametrize(
    "given",
    [
        {"call_middleware": [two, Callable2(), functools.partial(three, 1)]},
        {"attempt_middleware": (three, Callable2().method)},
    ],
)
def test_functions_methods_objects_and_partials_are_accepted(given: dict[str, Any]) -> None:
    stand([], **given)


async def test_a_report_of_failures_passes_through() -> None:
    """Call middleware sees the 400 of Validate as an answer, and attempt middleware as a 400."""
    recorder = Recorder()
    on = stand(
        [answer(400, [{"code": "payment_missing"}])],
        call_middleware=[recorder.call("A")],
        attempt_middleware=[recorder.attempt("a")],
    )
    await on.call(VALIDATE)
    assert recorder.lines[-2:] == ["a< 400", "A< 400"]
