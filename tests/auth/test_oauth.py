"""Client credentials: when and how often the client asks the identity service, and what callers get."""

from __future__ import annotations

import logging
import traceback
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.lowlevel
import pytest

from norce_order_async import (
    CallOptions,
    ConfigurationError,
    NorceOrderClient,
    NotSentError,
    TokenError,
    UnauthorizedError,
)
from norce_order_async.auth.oauth import (
    AFTER_A_FAILURE,
    ERROR_CODES,
    LIFE,
    LIMIT_BURST,
    LIMIT_PER_SECOND,
    TRIES,
    RequestRate,
    process_rate,
)
from norce_order_async.engines.base import WireRequest
from norce_order_async.scope import session_of
from tests.support.clock import START, FakeClock, highest
from tests.support.engine import HANG, ScriptedEngine, Step, answer, lost
from tests.support.pipeline import BASE_URL

from .support import SECRET, TOKEN_URL, Bank, account, bank, granted, numbered, token_service

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def full_limit() -> None:
    """Let each test begin with the full limit of the process."""
    process_rate.forget()


def client(engine: ScriptedEngine, clock: FakeClock) -> NorceOrderClient:
    """A client whose token service is the script too."""
    return NorceOrderClient(
        base_url=BASE_URL, merchant="acme", channel="se", token=account(), engine=engine, clock=clock
    )


async def results_of(bank_: Bank, count: int) -> list[str]:
    """The results of a number of concurrent callers: tokens, or the texts of errors."""
    seen: list[str] = []

    async def ask() -> None:
        try:
            seen.append(await bank_.provider.token())
        except TokenError as error:
            seen.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(ask)
    return seen


# How often it asks


async def test_a_stampede_makes_one_request() -> None:
    """A thousand callers cause one refresh and share its token."""
    stand = bank(numbered(takes=0.5))
    assert await results_of(stand, 1_000) == ["Bearer tok-1"] * 1_000
    assert stand.times == [0.0]
    assert stand.clock.passed == 0.5


async def test_a_stampede_over_a_socket_makes_one_request() -> None:
    """A thousand calls go through a client, its engine and a real socket. They send one form, with the credentials
    in its body."""
    tokens: list[str] = []

    with token_service() as service:
        async with NorceOrderClient(
            base_url=service.base_url, merchant="acme", channel="se", token=account(token_url=service.url)
        ) as norce:
            provider = session_of(norce).core.auth

            async def ask() -> None:
                tokens.append(await provider.token())

            async with anyio.create_task_group() as group:
                for _ in range(1_000):
                    group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                service.open.set()
            await norce.orders.list()
    assert tokens == ["Bearer tok-1"] * 1_000
    assert service.authorized == ["Bearer tok-1"]
    assert service.forms == [
        {
            "grant_type": ["client_credentials"],
            "client_id": ["shop"],
            "client_secret": [SECRET],
            "scope": ["playground"],
        }
    ]


async def test_the_request_as_it_goes_out() -> None:
    """It is a form in the body. The address and the headers have none of it."""
    stand = bank([granted()])
    await stand.provider.token()
    (request,) = stand.engine.requests
    assert (request.method, request.url) == ("POST", TOKEN_URL)
    assert request.headers == {
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert parse_qs((request.body or b"").decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["shop"],
        "client_secret": [SECRET],
        "scope": ["playground"],
    }


@pytest.mark.parametrize(
    ("life", "early", "due"),
    [(3600, 3300, 3540), (100, 75, 90), ("1000", 750, 940), (None, LIFE - 300, LIFE - 60)],
)
async def test_early_refresh_in_the_background_and_due_refresh_awaited(life: Any, early: float, due: float) -> None:
    """One refresh begins in the background when a quarter of the token's life is left, or five minutes. Callers wait
    for a new token when a tenth is left, or a minute. The shorter time counts in both cases."""
    stand = bank([granted("old", life), granted("new", life)])
    await stand.provider.token()
    await stand.clock.wait(early - 0.5)
    assert await stand.provider.token() == "Bearer old"
    assert len(stand.engine.requests) == 1
    await stand.clock.wait(0.5)
    assert await results_of(stand, 100) == ["Bearer old"] * 100
    await anyio.wait_all_tasks_blocked()
    assert stand.times == [0.0, early]
    assert await stand.provider.token() == "Bearer new"

    late = bank([granted("old", life), granted("new", life, takes=2.0)])
    await late.provider.token()
    await late.clock.wait(due)
    assert await results_of(late, 100) == ["Bearer new"] * 100
    assert late.times == [0.0, due]
    assert late.clock.passed == due + 2.0


async def test_callers_keep_the_old_token_until_it_is_due_even_while_a_refresh_is_slow() -> None:
    """When the token is due, callers join the refresh in the background and do not begin another one."""
    stand = bank([granted("old", 100), granted("new", 100, takes=18.0)])
    await stand.provider.token()
    await stand.clock.wait(75.0)
    assert await stand.provider.token() == "Bearer old"
    await stand.clock.wait(14.0)
    assert await stand.provider.token() == "Bearer old"
    await stand.clock.wait(1.0)
    assert await stand.provider.token() == "Bearer new"
    assert stand.clock.passed == 93.0
    assert stand.times == [0.0, 75.0]


async def test_a_token_that_expires_at_once_is_used_once() -> None:
    """If ``expires_in`` is 0 or less, every caller gets a fresh token, within the limit."""
    stand = bank(numbered(life=-5))
    assert [await stand.provider.token() for _ in range(LIMIT_BURST + 2)][-1] == f"Bearer tok-{LIMIT_BURST + 2}"
    assert stand.times[-2:] == [20.0, 40.0]


# Failures


async def test_a_failure_is_shared_and_the_next_caller_tries_again() -> None:
    """All waiting callers get the same error from one request. Later callers do not get it."""
    stand = bank([answer(400, {"error": "invalid_client"}, takes=0.2), granted()])
    told = await results_of(stand, 50)
    assert set(told) == {"no token from the identity service: answered 400 (invalid_client)"}
    assert len(told) == 50
    assert len(stand.engine.requests) == 1
    assert await stand.provider.token() == "Bearer tok-1"


@pytest.mark.parametrize("step", [answer(429), answer(500), answer(503), lost("connect"), lost("read")])
async def test_a_temporary_failure_is_tried_three_times(step: Step) -> None:
    """Rejections, server errors and lost answers are temporary. The clock draws the longest pauses in between."""
    stand = bank([step] * TRIES, uniform=highest)
    with pytest.raises(TokenError):
        await stand.provider.token()
    assert stand.times == [0.0, 0.5, 1.5]


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_later_try_may_succeed(failures: int) -> None:
    stand = bank([*[answer(502)] * failures, granted()])
    assert await stand.provider.token() == "Bearer tok-1"


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
async def test_a_refusal_is_not_asked_again(status: int) -> None:
    stand = bank([answer(status)])
    with pytest.raises(TokenError, match=f"answered {status}"):
        await stand.provider.token()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in</html>",
        b"null",
        b"[]",
        b'"tok"',
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"access_token": null}',
        b'{"access_token": ""}',
        b'{"access_token": 5}',
        b'{"access_token": "two words"}',
        b'{"access_token": "line\\nbreak"}',
        b'{"access_token": "smart\xe2\x80\x99"}',
        b'{"access_token": "Bearer"}',
        b'{"access_token": "t", "expires_in": "soon"}',
        b'{"access_token": "t", "expires_in": {}}',
        b'{"access_token": "t", "expires_in": 1e999}',
        b'{"access_token": "t", "expires_in": "nan"}',
        b'{"access_token": "t", "expires_in": 1' + b"0" * 400 + b"}",
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_garbage_is_a_token_error(body: bytes) -> None:
    """No foreign exception leaves the provider, it sends no second request, and the text quotes nothing of the
    answer."""
    stand = bank([answer(200, body=body)])
    with pytest.raises(TokenError) as caught:
        await stand.provider.token()
    text = str(caught.value)
    assert "access_token" in text or "expires_in" in text
    for quoted in ("two", "break", "smart", "soon", "html"):
        assert quoted not in text


async def test_nan_as_the_life_counts_as_missing() -> None:
    """JSON has no NaN, so it reads as null."""
    stand = bank([answer(200, body=b'{"access_token": "t", "expires_in": NaN}'), granted("new")])
    await stand.provider.token()
    await stand.clock.wait(LIFE - 60)
    assert await stand.provider.token() == "Bearer new"


async def test_a_failing_background_refresh_costs_no_call_and_is_not_repeated_fast() -> None:
    """While the token lives, callers keep it. While refreshes fail, the client asks once every twenty seconds."""
    stand = bank(lambda request: granted("old", 1000) if len(stand.engine.requests) == 1 else answer(403))
    await stand.provider.token()
    await stand.clock.wait(750.0)
    for _ in range(180):
        assert await stand.provider.token() == "Bearer old"
        await stand.clock.wait(1.0)
    assert stand.times[1:] == [750.0 + AFTER_A_FAILURE * n for n in range(9)]
    await stand.clock.wait(10.0)
    with pytest.raises(TokenError, match=r"\b403\b"):
        await stand.provider.token()


# Cancellation and closing


async def test_a_cancelled_caller_leaves_the_refresh_to_the_others() -> None:
    """That holds for the caller that began the refresh too."""
    stand = bank([granted(takes=5.0)])
    seen: list[tuple[str, float]] = []

    async def ask(patience: float | None) -> None:
        with stand.clock.move_on_after(patience):
            seen.append((await stand.provider.token(), stand.clock.passed))

    async with anyio.create_task_group() as group:
        for patience in (1.0, None, 2.0, None):
            group.start_soon(ask, patience)
    assert seen == [("Bearer tok-1", 5.0)] * 2
    assert len(stand.engine.requests) == 1


async def test_a_refresh_that_all_callers_left_still_serves_the_next() -> None:
    stand = bank([granted(takes=5.0)])
    with stand.clock.move_on_after(1.0):
        await stand.provider.token()
    assert stand.clock.passed == 1.0
    assert await stand.provider.token() == "Bearer tok-1"
    assert stand.clock.passed == 5.0


@pytest.mark.parametrize("grace", [0.0, 3.0])
async def test_closing_in_the_middle_of_a_refresh(grace: float) -> None:
    """Waiting callers get an error, nothing hangs, and nothing is left in flight."""
    stand = bank([HANG])
    told: list[str] = []

    async def ask() -> None:
        with pytest.raises(TokenError) as caught:
            await stand.provider.token()
        told.append(str(caught.value))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await stand.clock.wait(1.0)
        assert not await stand.owned.drain(grace)
    assert stand.clock.passed == 1.0 + grace
    assert stand.owned.in_flight == 0
    (text,) = told
    assert "interrupted by Cancelled" in text
    with pytest.raises(TokenError, match="closed"):
        await stand.provider.token()
    assert len(stand.engine.requests) == 1


async def test_closing_right_after_the_refresh_began() -> None:
    """The task of the refresh has not reached the engine yet. No caller hangs."""
    stand = bank([HANG])
    told: list[str] = []

    async def ask() -> None:
        with pytest.raises(TokenError) as caught:
            await stand.provider.token()
        told.append(str(caught.value))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        await stand.owned.drain(0.0)
    assert len(told) == 1
    assert stand.owned.in_flight == 0


async def test_a_client_closed_while_it_gets_its_token_raises() -> None:
    """The call ends, and the order service gets no request."""
    clock = FakeClock()
    engine = ScriptedEngine([HANG], clock)
    norce = client(engine, clock)
    async with anyio.create_task_group() as group:

        async def call() -> None:
            with pytest.raises((TokenError, NotSentError)):
                await norce.orders.list()

        group.start_soon(call)
        await clock.wait(1.0)
        await norce.aclose(grace=1.0)
    assert [request.url for request in engine.requests] == [TOKEN_URL]
    assert engine.closed


# A refused token


async def test_a_refused_token_is_replaced_once_for_a_whole_stampede() -> None:
    """Many calls get a 401 with the same token, and some of them late. They cause one refresh."""
    stand = bank(numbered(takes=1.0))
    old = await stand.provider.token()
    worth: list[bool] = []

    async def refused() -> None:
        worth.append(await stand.provider.refused(old))

    async with anyio.create_task_group() as group:
        for _ in range(500):
            group.start_soon(refused)
    await refused()
    assert worth == [True] * 501
    assert stand.times == [0.0, 1.0]
    assert await stand.provider.token() == "Bearer tok-2"


async def test_the_same_token_again_is_not_tried() -> None:
    stand = bank([granted("same"), granted("same")])
    assert not await stand.provider.refused(await stand.provider.token())


async def test_a_service_that_accepts_no_token_does_not_use_up_the_limit() -> None:
    """Norce does not publish whether Norce Checkout accepts such tokens. If it does not, every call is refused
    twice, and only one in twenty seconds asks for another token."""
    stand = bank(numbered())
    for second in range(60):
        worth = await stand.provider.refused(await stand.provider.token())
        assert worth == (second % AFTER_A_FAILURE == 0)
        await stand.clock.wait(1.0)
    assert stand.times == [0.0, 0.0, 20.0, 40.0]


async def test_a_refresh_after_401_that_fails_is_reported() -> None:
    stand = bank([granted(), answer(400, {"error": "invalid_scope"})])
    token = await stand.provider.token()
    with pytest.raises(TokenError, match="invalid_scope"):
        await stand.provider.refused(token)


async def test_a_call_refused_with_401_is_repeated_once_with_a_fresh_token() -> None:
    """Forty calls share one refresh, and none of them waits."""
    clock = FakeClock()
    tokens = numbered()

    def serve(request: WireRequest) -> Step:
        if request.url.startswith(TOKEN_URL):
            return tokens(request)
        return answer(401) if request.headers["authorization"] == "Bearer tok-1" else answer(200, {"data": []})

    engine = ScriptedEngine(serve, clock)
    norce = client(engine, clock)
    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(norce.orders.list)
    asked = [request for request in engine.requests if request.url.startswith(TOKEN_URL)]
    called = [request for request in engine.requests if request not in asked]
    assert len(asked) == 2
    assert len(called) == 80
    assert clock.passed == 0.0


async def test_401_for_every_token_is_unauthorized() -> None:
    clock = FakeClock()
    tokens = numbered()
    engine = ScriptedEngine(
        lambda request: tokens(request) if request.url.startswith(TOKEN_URL) else answer(401), clock
    )
    norce = client(engine, clock)
    with pytest.raises(UnauthorizedError) as caught:
        await norce.orders.list()
    assert [attempt.next for attempt in caught.value.attempts] == ["repeat with another token", "raise"]
    assert len(engine.requests) == 4


# The published limit


def test_the_limit_is_twenty_at_once_then_three_a_minute() -> None:
    """The twenty-first request waits 20 s and the next 40 s. A minute of rest gives three back."""
    rate = RequestRate(LIMIT_PER_SECOND, LIMIT_BURST)
    assert [rate.take(5.0) for _ in range(20)] == [0.0] * 20
    assert [rate.take(5.0) for _ in range(3)] == pytest.approx([20.0, 40.0, 60.0])
    rested = RequestRate(LIMIT_PER_SECOND, LIMIT_BURST)
    for _ in range(20):
        rested.take(0.0)
    assert [rested.take(60.0) for _ in range(4)] == pytest.approx([0.0, 0.0, 0.0, 20.0])
    full = RequestRate(LIMIT_PER_SECOND, LIMIT_BURST)
    full.take(0.0)
    assert [full.take(1e9) for _ in range(21)][-2:] == pytest.approx([0.0, 20.0])


async def test_the_limit_holds_over_all_clients_of_a_process() -> None:
    """Of thirty clients with an account at one address, twenty ask at once and the others one every twenty seconds."""
    clock = FakeClock()
    engine = ScriptedEngine(
        lambda request: granted() if request.url == TOKEN_URL else answer(200, {"data": []}),
        clock,
    )
    clients = [client(engine, clock) for _ in range(30)]
    async with anyio.create_task_group() as group:
        for one in clients:
            group.start_soon(partial(one.orders.list, options=CallOptions(deadline=None)))
    times = [
        time - START for time, request in zip(engine.times, engine.requests, strict=True) if request.url == TOKEN_URL
    ]
    assert times == pytest.approx([0.0] * 20 + [20.0 * n for n in range(1, 11)])
    assert process_rate("https://other.example") is not process_rate(TOKEN_URL)


# Arguments of an account


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ("playground", "https://acme.api-se.playground.norce.tech/identity/1.0/connect/token"),
        ("production", "https://acme.api-se.norce.tech/identity/1.0/connect/token"),
    ],
)
def test_the_published_address(environment: Any, url: str) -> None:
    assert account(token_url=None, slug="acme", environment=environment).url == url


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"client_id": " "}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": None}, "client_secret"),
        ({"scope": ""}, "scope"),
        ({"token_url": None}, "either token_url, or slug and environment"),
        ({"token_url": None, "slug": "acme"}, "either token_url, or slug and environment"),
        ({"token_url": None, "environment": "stage"}, "either token_url, or slug and environment"),
        ({"slug": "acme"}, "not both"),
        ({"environment": "stage"}, "not both"),
        ({"slug": "acme", "environment": "stage"}, "not both"),
        ({"token_url": None, "slug": "acme", "environment": "moon"}, "unknown environment"),
        ({"token_url": None, "slug": "a/b", "environment": "stage"}, "slug"),
        ({"token_url": "http://id.example/token"}, "plain http"),
        ({"token_url": "http://localhost.example/token"}, "plain http"),
        ({"token_url": "http://localhost@id.example/token"}, "credentials"),
        ({"token_url": "HTTP://id.example/token"}, "plain http"),
        ({"token_url": "ftp://id.example/token"}, "https"),
        ({"token_url": "id.example/token"}, "https"),
        ({"token_url": "https://"}, "https"),
        ({"token_url": "https://["}, "https"),
        ({"token_url": "https://id.example/to\nken"}, "https"),
        ({"token_url": ""}, "https"),
    ],
)
def test_a_wrong_account_is_refused_with_a_reason(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        account(**changes)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/t", "http://localhost/t", "http://[::1]:1/t", "https://id.example"]
)
def test_plain_http_goes_to_loopback_only(url: str) -> None:
    assert account(token_url=url).url == url


# Secrets


async def test_the_secret_and_the_token_show_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """They are in no repr, no error with its chain, and no log line, even if the service quotes them."""
    caplog.set_level(logging.DEBUG)
    nasty = answer(400, {"error": "s3cret", "error_description": f"{SECRET} is wrong", "access_token": "tok-1"})
    stand = bank([granted(), nasty])
    token = await stand.provider.token()
    with pytest.raises(TokenError) as caught:
        await stand.provider.refused(token)
    shown = [
        repr(account()),
        str(account()),
        repr(stand.provider),
        repr(stand.engine.requests),
        "".join(traceback.format_exception(caught.value)),
        caplog.text,
    ]
    for text in shown:
        assert "s3cret" not in text
        assert "tok-1" not in text
    assert str(caught.value) == "no token from the identity service: answered 400"


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
async def test_the_standard_error_codes_are_shown(code: str) -> None:
    stand = bank([answer(400, {"error": code})])
    with pytest.raises(TokenError, match=f"\\({code}\\)"):
        await stand.provider.token()
