"""One client and several event loops: one after another, side by side, and closing from any of them."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

import anyio
import httpx
import pytest
import trio

from norce_order_async import ClientCredentials, NorceOrderClient, NotSentError
from norce_order_async.bulk.actions.builtin import set_reference
from norce_order_async.bulk.job import Job
from norce_order_async.bulk.load.limiters import Fixed
from norce_order_async.engines.base import Engine
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.engines.select import EngineName
from norce_order_async.orders.order import Order
from norce_order_async.sandbox import Sandbox
from tests.auth.support import token_service
from tests.chaos.leftovers import descriptors
from tests.support.engine import ScriptedEngine, answer
from tests.support.pipeline import stand
from tests.support.plain import NO_TLS
from tests.support.waiting import until

Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]
NEW: dict[str, Any] = {"culture": "sv-SE", "currency": "SEK", "country": "SE"}


def on_asyncio(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(work())


RUNS: dict[str, Run] = {"asyncio": on_asyncio, "trio": trio.run}


# "auto" chooses httpx2 on trio, for which our code is the same as for httpx.
@pytest.fixture(params=["auto", "httpx", pytest.param("httpx2", marks=pytest.mark.soak)])
def engine(request: pytest.FixtureRequest) -> EngineName:
    name: EngineName = request.param
    return name


@pytest.fixture
def norce(sandbox: Sandbox, engine: EngineName) -> NorceOrderClient:
    """Make a client where no loop runs, as a module does."""
    return client_of(sandbox, engine=engine)


def client_of(sandbox: Sandbox, **arguments: Any) -> NorceOrderClient:
    settings: dict[str, Any] = {
        "base_url": sandbox.base_url,
        "token": sandbox.token,
        "merchant": "acme",
        "channel": "se",
    }
    return NorceOrderClient(**{**settings, **arguments})


@contextmanager
def other_loop(kind: str = "asyncio") -> Generator[Callable[[Callable[[], Awaitable[Any]]], Any]]:
    """Run a loop in a thread of its own, and yield a function that runs something there and returns the result."""
    with anyio.from_thread.start_blocking_portal(kind) as portal:

        async def awaited(work: Callable[[], Awaitable[Any]]) -> Any:
            return await work()

        yield lambda work: portal.call(awaited, work)


def refused(error: BaseException) -> tuple[str | None, bool, int]:
    """Return the facts about a call that was rejected before it was sent."""
    assert isinstance(error, NotSentError), repr(error)
    return error.gave_up, error.may_call_again, len(error.attempts)


WRONG_LOOP = ("wrong-loop", False, 0)


# One after another


@pytest.mark.parametrize("loops", [["asyncio"] * 3, ["trio"] * 3, ["asyncio", "trio", "asyncio"]], ids="-".join)
def test_a_client_works_on_one_loop_after_another(norce: NorceOrderClient, sandbox: Sandbox, loops: list[str]) -> None:
    """Each call is made once and answered, also with a scope's own limiter, and nothing is left that would cause a
    warning."""
    scope = norce.scoped(channel="no", max_in_flight=1)
    for number, loop in enumerate(loops):

        async def work() -> None:
            created = await norce.orders.create(**NEW)
            assert (await norce.orders.get(created.id)).status == "checkout"
            await asyncio_or_trio_gather(*(scope.orders.list for _ in range(3)))

        RUNS[loop](work)
        assert [request.method for request in sandbox.requests][:2] == ["POST", "GET"], number
        assert len(sandbox.requests) == 5
        sandbox.requests.clear()
    on_asyncio(norce.aclose)
    gc.collect()


async def asyncio_or_trio_gather(*calls: Callable[[], Awaitable[object]]) -> None:
    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(functools.partial(_discard, call))


async def _discard(call: Callable[[], Awaitable[object]]) -> None:
    await call()


def test_the_engine_is_chosen_again(sandbox: Sandbox) -> None:
    """Each loop gets its engine again, and each request's User-Agent names it."""
    norce = client_of(sandbox)

    async def work() -> str:
        await norce.orders.list()
        return norce.engine

    assert [RUNS[loop](work) for loop in ("asyncio", "trio", "asyncio")] == ["aiohttp", "httpx2", "aiohttp"]
    agents = [request.headers["user-agent"].rpartition(" ")[2] for request in sandbox.requests]
    assert agents == ["aiohttp", "httpx2", "aiohttp"]


def test_a_loop_that_is_only_closed_has_ended_too(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A loop counts as ended after ``close``, without any other shutdown."""
    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(norce.orders.list())
        # Connections that were left open there concern their owner and not the next loop.
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    assert len(sandbox.requests) == 2


def test_calls_cut_off_by_the_end_of_their_loop_block_nothing(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Taken permits and queued callers stay behind with their loop."""
    slow = norce.scoped(max_in_flight=1)

    async def leave_in_the_middle() -> None:
        await slow.orders.list()
        tasks = [asyncio.ensure_future(slow.orders.list()) for _ in range(6)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)

    async def work() -> list[Any]:
        return await asyncio.gather(*(slow.orders.list() for _ in range(6)))

    on_asyncio(leave_in_the_middle)
    assert len(on_asyncio(work)) == 6
    on_asyncio(norce.aclose)


def test_the_token_survives_a_loop_and_a_refresh_does_not_hang_on_one(engine: EngineName) -> None:
    """A token survives its loop. A fetch that was cut off is made again on the next loop."""
    with token_service() as service:
        norce = NorceOrderClient(
            base_url=service.base_url,
            token=ClientCredentials(
                client_id="shop", client_secret="s", scope="playground", token_url=f"{service.url}?{engine}"
            ),
            merchant="acme",
            channel="se",
            engine=engine,
        )

        async def cut_off() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(norce.orders.list)
                await until(lambda: service.forms)
                group.cancel_scope.cancel()

        on_asyncio(cut_off)
        assert len(service.forms) == 1
        service.open.set()
        on_asyncio(norce.orders.list)
        trio.run(norce.orders.list)
        on_asyncio(norce.orders.list)
    assert (len(service.forms), service.authorized) == (2, ["Bearer tok-2"] * 3)


def test_a_pause_holds_on_the_next_loop_too() -> None:
    """The service asked for the pause, so it holds on whatever loop."""
    made: list[ScriptedEngine] = []
    stand_ = stand([])
    clock = stand_.clock

    def make() -> Engine:
        script = [answer(429, retry_after="7"), answer(200, {"data": []})] if not made else [answer(200, {"data": []})]
        made.append(ScriptedEngine(script, clock))
        return made[-1]

    norce = NorceOrderClient(
        base_url="https://acme.example", token="t", merchant="acme", channel="se", engine=make, clock=clock
    )

    async def be_told() -> None:
        scope = norce.scoped(retry_budget=0)
        with pytest.raises(Exception, match=r"\b429\b"):
            await scope.orders.list()

    on_asyncio(be_told)
    before = clock.passed
    on_asyncio(norce.orders.list)
    assert (len(made), clock.passed - before) == (2, 7.0)


# The user's own objects


def test_an_object_of_the_user_can_not_be_made_again(sandbox: Sandbox) -> None:
    """On a second loop the user's object is refused, and the error names what to pass instead."""
    http_client = httpx.AsyncClient(verify=NO_TLS)
    engine = HttpxEngine(transport=httpx.AsyncHTTPTransport(verify=NO_TLS))
    handed_in: list[tuple[str, httpx.AsyncClient | Engine]] = [("http_client", http_client), ("engine", engine)]
    for name, made in handed_in:
        norce = client_of(sandbox, **{name: made})

        async def first(norce: NorceOrderClient = norce, made: httpx.AsyncClient | Engine = made) -> None:
            await norce.orders.list()
            await made.aclose()

        on_asyncio(first)
        sandbox.requests.clear()
        with pytest.raises(NotSentError, match=r"handed in.*http_client=lambda") as caught:
            on_asyncio(norce.orders.list)
        assert refused(caught.value) == WRONG_LOOP
        assert len(sandbox.requests) == 0
        on_asyncio(norce.aclose)


@pytest.mark.parametrize("how", ["engine", "http_client"])
def test_a_function_that_makes_it_is_called_for_each_home(sandbox: Sandbox, how: str) -> None:
    """The function is called for each loop, and its result is closed with that loop or with the client."""
    made: list[httpx.AsyncClient] = []

    def make_client() -> httpx.AsyncClient:
        made.append(httpx.AsyncClient(verify=NO_TLS))
        return made[-1]

    def make_engine() -> Engine:
        return HttpxEngine(client=make_client(), closes_client=True)

    norce = client_of(sandbox, **{how: make_engine if how == "engine" else make_client})
    assert (norce.engine, made) == ("auto", [])

    async def work() -> None:
        await norce.orders.list()
        await norce.orders.list()
        assert norce.engine == "httpx"

    async def last() -> None:
        async with norce:
            await work()

    on_asyncio(work)
    trio.run(work)
    on_asyncio(last)
    assert [one.is_closed for one in made] == [True, True, True]


def test_a_function_that_fails_is_reported(sandbox: Sandbox) -> None:
    """The error has the function's own error as its cause."""

    def make() -> Engine:
        raise OSError("no")

    norce = client_of(sandbox, engine=make)
    with pytest.raises(ValueError, match="engine failed with OSError") as caught:
        on_asyncio(norce.orders.list)
    assert isinstance(caught.value.__cause__, OSError)


# Side by side


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
@pytest.mark.parametrize("elsewhere", ["asyncio", "trio"])
def test_a_running_loop_elsewhere_keeps_the_client(
    norce: NorceOrderClient, sandbox: Sandbox, elsewhere: str, kind: str
) -> None:
    """The second loop sends nothing, the error has the reason, and the first loop continues."""
    with other_loop(elsewhere) as run_there:
        order = run_there(functools.partial(norce.orders.create, **NEW))
        sandbox.requests.clear()

        async def here() -> None:
            for call in (
                functools.partial(norce.orders.create, **NEW),
                order.refresh,
                norce.scoped(channel="no", max_in_flight=3).orders.list,
            ):
                with pytest.raises(NotSentError, match=r"first call.*make a client for each") as caught:
                    await call()
                assert refused(caught.value) == WRONG_LOOP
                assert "0 attempts" not in str(caught.value)
            async for _ in norce.orders.iterate():
                pytest.fail("an order from a loop that is not this client's")

        with pytest.raises(NotSentError) as caught:
            RUNS[kind](here)
        assert refused(caught.value) == WRONG_LOOP
        assert len(sandbox.requests) == 0
        assert run_there(order.refresh).status == "checkout"
        run_there(norce.aclose)


def test_two_threads_at_once_are_told_apart(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """The first thread has the client. Every call of the other one is rejected, and none is lost."""
    outcomes: list[str | None] = []
    ready = threading.Barrier(2)
    done = threading.Barrier(2)

    def one() -> None:
        async def calls() -> None:
            ready.wait()
            for _ in range(10):
                try:
                    await norce.orders.list()
                    outcomes.append("answered")
                except NotSentError as error:
                    outcomes.append(error.gave_up)
            await anyio.to_thread.run_sync(done.wait)

        asyncio.run(calls())

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes.count("answered"), outcomes.count("wrong-loop")) == (10, 10)
    assert len(sandbox.requests) == 10
    on_asyncio(norce.aclose)


def test_a_loop_that_pauses_keeps_the_client(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A paused loop may run again, and then has its connections back."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(norce.orders.list())
        with pytest.raises(NotSentError, match="may run again") as caught:
            on_asyncio(norce.orders.list)
        assert refused(caught.value) == WRONG_LOOP
        loop.run_until_complete(norce.orders.list())
        on_asyncio(norce.aclose)
        with pytest.raises(NotSentError) as caught:
            loop.run_until_complete(norce.orders.list())
        assert caught.value.gave_up == "closed"
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    assert len(sandbox.requests) == 2


def test_trio_inside_asyncio_is_another_loop(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """In trio's guest mode both loops run in one thread, and the client still tells them apart."""

    async def host() -> None:
        await norce.orders.list()
        ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            norce.orders.list,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        outcome = await ended
        with pytest.raises(NotSentError) as caught:
            outcome.unwrap()
        assert refused(caught.value) == WRONG_LOOP
        await norce.aclose()

    on_asyncio(host)
    assert len(sandbox.requests) == 1


# Work in progress is never moved


def test_an_iteration_stays_on_its_loop(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """An iteration is refused on the next loop, even if orders were fetched already. A new one works."""

    async def fill() -> None:
        for _ in range(3):
            await norce.orders.create(**NEW)

    # A page that is fetched ahead could arrive when none should.
    orders: AsyncIterator[Order] = norce.orders.iterate(prefetch=False)

    async def take() -> Order:
        return await anext(orders)

    on_asyncio(fill)
    on_asyncio(take)
    sandbox.requests.clear()
    for run in (on_asyncio, trio.run):
        with pytest.raises(NotSentError, match="this iteration belongs to the event loop") as caught:
            run(take)
        assert refused(caught.value) == WRONG_LOOP
    assert len(sandbox.requests) == 0

    async def again() -> int:
        return len([order async for order in norce.orders.iterate()])

    assert trio.run(again) >= 3


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_a_job_is_not_begun_on_a_second_running_loop(
    norce: NorceOrderClient, sandbox: Sandbox, kind: str, tmp_path: Any
) -> None:
    """The job is refused before its journal is made."""
    path = tmp_path / "job.journal"
    with other_loop() as run_there:
        order = run_there(functools.partial(norce.orders.create, **NEW))
        sandbox.requests.clear()

        async def job() -> None:
            async with norce.bulk(path) as job:
                async for _ in job.run([order.id], set_reference("r")):
                    pytest.fail("an outcome on a loop that is not this client's")

        with pytest.raises(NotSentError) as caught:
            RUNS[kind](job)
        assert refused(caught.value) == WRONG_LOOP
        assert (len(sandbox.requests), path.exists()) == (0, False)
        run_there(norce.aclose)


def test_a_job_whose_action_uses_a_client_of_another_loop_ends(sandbox: Sandbox) -> None:
    """The job ends with the error, because an item that is put back would be put back for ever."""
    theirs, ours = client_of(sandbox), client_of(sandbox)

    async def job() -> list[str]:
        async def look(order: Order) -> None:
            await theirs.orders.get(order.id)

        verdicts: list[str] = []

        async def collect(job: Job) -> None:
            async for outcome in job.run([f"o{number}" for number in range(50)], look):
                verdicts.append(outcome.verdict)  # noqa: PERF401 - outcomes before the error count too

        async with ours, ours.bulk(load=Fixed(in_flight=1)) as job:
            with pytest.raises(NotSentError) as caught:
                await collect(job)
        assert refused(caught.value) == WRONG_LOOP
        return verdicts

    with other_loop() as run_there:
        run_there(theirs.orders.list)
        assert set(on_asyncio(job)) <= {"not tried"}
        run_there(theirs.aclose)
    assert len(sandbox.requests) == 1


def test_a_job_does_not_continue_on_another_loop(norce: NorceOrderClient, sandbox: Sandbox, tmp_path: Any) -> None:
    """The job can be left on another loop, and the next run of its journal finds the rest."""
    path = tmp_path / "job.journal"
    job = norce.bulk(path, load=Fixed(in_flight=1))
    runs: list[Any] = []

    async def begin() -> None:
        ids = [(await norce.orders.create(**NEW)).id for _ in range(4)]
        await job.__aenter__()
        runs.append(job.run(ids, set_reference("r")))
        assert (await anext(runs[0])).verdict == "done"

    async def go_on() -> None:
        await anext(runs[0])

    async def leave() -> None:
        await job.__aexit__(None, None, None)

    async def finish() -> int:
        async with norce, norce.bulk(path) as second:
            return len([outcome async for outcome in second.run(None, set_reference("r"))])

    on_asyncio(begin)
    with pytest.raises(NotSentError, match="this job belongs to the event loop") as caught:
        on_asyncio(go_on)
    assert refused(caught.value) == WRONG_LOOP
    on_asyncio(leave)
    assert 1 <= on_asyncio(finish) <= 3


# Closing


@pytest.mark.parametrize("first", ["asyncio", "trio"])
@pytest.mark.parametrize("second", ["asyncio", "trio"])
def test_closing_after_its_loop_is_over(norce: NorceOrderClient, sandbox: Sandbox, first: str, second: str) -> None:
    """The client can be closed on another loop, and twice. Later calls report that it is closed."""
    RUNS[first](norce.orders.list)
    RUNS[second](norce.aclose)
    RUNS[first](norce.aclose)
    sandbox.requests.clear()
    with pytest.raises(NotSentError, match="closed") as caught:
        RUNS[second](norce.orders.list)
    assert (caught.value.gave_up, caught.value.may_call_again) == ("closed", False)
    assert len(sandbox.requests) == 0
    gc.collect()


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
@pytest.mark.parametrize("elsewhere", ["asyncio", "trio"])
def test_closing_from_another_running_loop(
    norce: NorceOrderClient, sandbox: Sandbox, elsewhere: str, kind: str
) -> None:
    """The client's own loop closes it, and has done so when ``aclose`` returns."""
    with other_loop(elsewhere) as run_there:
        run_there(norce.orders.list)
        RUNS[kind](norce.aclose)
        with pytest.raises(NotSentError) as caught:
            run_there(norce.orders.list)
        assert caught.value.gave_up == "closed"
        assert not caught.value.may_call_again
    assert len(sandbox.requests) == 1


def test_connections_are_closed_when_their_loop_ends(sandbox: Sandbox, engine: EngineName) -> None:
    """No client has to be closed for this, so forty loops leave no socket behind."""
    norce = client_of(sandbox, engine=engine)

    async def work() -> None:
        await asyncio_or_trio_gather(*(norce.orders.list for _ in range(3)))

    on_asyncio(work)
    trio.run(work)

    async def until_there_are(count: int) -> int:
        # The service's side of a connection is in this process as well, and ends a little later.
        await until(lambda: descriptors() <= count)
        return descriptors()

    before = on_asyncio(functools.partial(until_there_are, 10_000))
    for _ in range(20):
        on_asyncio(work)
        trio.run(work)
    on_asyncio(functools.partial(until_there_are, before))
