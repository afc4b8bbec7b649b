"""If the event loop is blocked while answers come in, the answers that came in time count as answers, and nothing else
does.

The program's own code may block the loop, or the process may be stopped and continue later. Timeouts and answers are
then found at the same moment.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import anyio
import httpx
import pytest
import trustme

from norce_order_async import CallError, CallOptions, NorceOrderClient
from norce_order_async.engines.base import (
    Engine,
    MaybeSentError,
    SendError,
    Timeouts,
    UnsentError,
    WireRequest,
    WireResponse,
)
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.engines.select import EngineName
from norce_order_async.pipeline.tasks import SendTasks, SendTimedOutError
from norce_order_async.runtime.clock import SystemClock
from norce_order_async.runtime.timers import LATE
from tests.support.plain import NO_TLS
from tests.support.waiting import until

from .conftest import EngineFactory
from .faultserver import FaultServer
from .wire import PATIENT, server_context, trusting, wire

pytestmark = pytest.mark.anyio


def bounds(first: float) -> Iterator[float]:
    """Yield seconds for a timeout that ends while the loop is blocked. The next value is for a machine so slow that it
    ended before."""
    return (first * 4**number for number in itertools.count())


SHARED = 2.0
"""Timeouts of this length are up to a tenth of a second late by themselves."""

MANY = 20

KINDS = ["read", "total", "both"]
"""The timeouts that a send may have."""


def bounded(url: str, kind: str, seconds: float, method: str = "POST", body: bytes = b"{}") -> WireRequest:
    return wire(
        url,
        method,
        body=body,
        timeouts=Timeouts(
            connect=20.0,
            pool=20.0,
            write=seconds if kind == "write" else 20.0,
            read=seconds if kind in ("read", "both") else 20.0,
        ),
        total=seconds if kind in ("total", "both") else None,
    )


async def outcome(send: Callable[[], Awaitable[WireResponse]]) -> WireResponse | Exception:
    try:
        return await send()
    except (SendError, SendTimedOutError) as error:
        return error


def hold_up(server: FaultServer, seconds: float, answers: int = 0, left: int | None = None) -> bool:
    """Block the loop until this much time has passed and the server has answered this often.

    Return False if it can't, because more than ``left`` requests were given up before they were answered.
    """
    server.free.set()
    end = time.monotonic() + seconds + (3 if seconds >= SHARED else 2) * LATE
    while time.monotonic() < end or server.answered < answers:
        if left is not None and server.left > left:
            return False
        time.sleep(0.005)
    return True


async def blocked(
    server: FaultServer, one: Callable[[float], Awaitable[object]], count: int, *, answers: bool = True
) -> list[object]:
    """Return the results of requests at once, with the loop blocked from the moment on that the server has them all.

    Args:
        server: Answers while the loop is blocked.
        one: Makes one request with a timeout of so many seconds, and returns its result.
        count: How many requests.
        answers: Whether the server's answers have an end.
    """
    for seconds in bounds(0.5):
        ended = await _blocked_once(server, partial(one, seconds), count, seconds, answers=answers)
        if ended is not None:
            return ended
    raise AssertionError


async def _blocked_once(
    server: FaultServer, one: Callable[[], Awaitable[object]], count: int, seconds: float, *, answers: bool
) -> list[object] | None:
    ended: list[object] = []
    in_time = False
    # The requests of an earlier attempt have all been answered or given up.
    await until(lambda: not answers or server.answered + server.left == len(server.received))
    before, answered, left = len(server.received), server.answered, server.left
    server.free.clear()

    async def run() -> None:
        ended.append(await one())

    async with anyio.create_task_group() as group:
        # No timeout starts before this moment, so none ends before the loop is blocked.
        over = time.monotonic() + seconds
        for _ in range(count):
            group.start_soon(run)
        await until(lambda: len(server.received) >= before + count or time.monotonic() >= over)
        in_time = time.monotonic() < over
        if in_time:
            in_time = hold_up(server, seconds, answered + count, left) if answers else hold_up(server, seconds)
        else:
            server.free.set()
    return ended if in_time else None


async def blocked_sends(
    engine: Engine, server: FaultServer, *sends: tuple[str, str], answers: bool = True
) -> list[tuple[str, object]]:
    """Return the results of sends over warm connections, each given by its play and kind of timeout. Each runs in its
    own task and is waited for as the pipeline does."""
    owned = SendTasks()
    numbers = itertools.count()

    async def warm() -> None:
        assert (await engine.send(wire(f"{server.url}/echo"))).status == 200

    async def one(seconds: float) -> tuple[str, object]:
        play, kind = sends[next(numbers) % len(sends)]
        request = bounded(f"{server.url}/{play}", kind, seconds)
        ended = await outcome(partial(owned.run, partial(engine.send, request), lambda: None, request.total))
        return f"{play} {kind}", ended.status if isinstance(ended, WireResponse) else type(ended)

    async with anyio.create_task_group() as group:
        for _ in sends:
            group.start_soon(warm)
    ended: Any = await blocked(server, one, len(sends), answers=answers)
    return sorted(ended, key=itemgetter(0))


def all_ended(sends: Sequence[tuple[str, str]], how: object) -> list[tuple[str, object]]:
    """Return the results of :func:`blocked_sends` if every send ends like this."""
    return [(f"{play} {kind}", how) for play, kind in sorted(sends)]


def statuses(ended: list[object]) -> list[object]:
    return [one.status if isinstance(one, WireResponse) else one for one in ended]


async def test_an_answer_from_while_the_loop_was_blocked_is_an_answer(
    make_engine: EngineFactory, server: FaultServer
) -> None:
    """All sends that were answered while the loop was blocked succeed, with each kind of timeout."""
    engine = make_engine()
    sends = [*itertools.islice(itertools.cycle(("good", kind) for kind in KINDS), MANY)]
    assert await blocked_sends(engine, server, *sends) == all_ended(sends, 200)
    await engine.aclose()


@pytest.mark.parametrize("play", ["good", "large", "large-chunks"])
async def test_an_answer_under_tls_from_while_the_loop_was_blocked_is_an_answer(
    make_engine: EngineFactory, play: str
) -> None:
    """Answers under TLS count too, if they need several reads or their records come in parts."""
    authority = trustme.CA()
    sends = [(play, kind) for kind in ("read", "total", "read", "total", "read")]
    with FaultServer(tls=server_context(authority, "127.0.0.1")) as server:
        engine = make_engine(verify=trusting(authority))
        assert await blocked_sends(engine, server, *sends) == all_ended(sends, 200)
        await engine.aclose()


UNANSWERED = [
    *itertools.product(["hang", "half-head-hang", "half-body-hang"], KINDS),
    # A slow drip does not count as silence for a read timeout.
    *itertools.product(["drip-head", "drip-body"], ["total", "both"]),
]


async def test_a_missing_answer_is_not_waited_for(make_engine: EngineFactory, server: FaultServer) -> None:
    """If the server is silent or drips, the send ends before its caller gives up waiting."""
    engine = make_engine()
    ended = await blocked_sends(engine, server, *UNANSWERED, answers=False)
    assert ended == all_ended(UNANSWERED, MaybeSentError)
    await engine.aclose()
    assert server.settle() == 0


async def test_an_endless_answer_ends(make_engine: EngineFactory, server: FaultServer) -> None:
    """An answer that brings bytes in every round of the loop ends too."""
    engine = make_engine()
    ((_, how),) = await blocked_sends(engine, server, ("flood", "total"), answers=False)
    assert how in (MaybeSentError, SendTimedOutError)
    await engine.aclose()
    assert server.settle() == 0


async def test_a_body_that_was_being_written_goes_on(make_engine: EngineFactory) -> None:
    """The server reads while the loop is blocked. The next piece of the body is late, and is sent all the same."""
    body = b"x" * 12_000_000
    ended: dict[str, WireResponse | Exception] = {}
    engine = make_engine()

    async def send(url: str, kind: str, seconds: float) -> None:
        ended[kind] = await outcome(partial(engine.send, bounded(f"{url}/good/{kind}", kind, seconds, "PUT", body)))

    async def blocked_once(slow: FaultServer, seconds: float) -> bool:
        """Return False if a timeout ended it before."""
        slow.read.clear()
        async with anyio.create_task_group() as group:
            over = time.monotonic() + seconds
            for kind in ("write", "total"):
                group.start_soon(send, slow.url, kind, seconds)
            await until(lambda: slow.accepted > 1 or ended)
            await anyio.sleep(0.1)
            slow.read.set()
            if time.monotonic() >= over:
                return False
            hold_up(slow, seconds)
        return True

    for seconds in bounds(SHARED):
        ended.clear()
        with FaultServer() as slow:
            if not await blocked_once(slow, seconds):
                continue
        arrived = {received.target: received.body for received in slow.received}
        assert statuses([ended["write"]]) == [200]
        assert arrived["/good/write"] == body
        if isinstance(ended["total"], WireResponse):
            assert statuses([ended["total"]]) == [200]
            assert arrived["/good/total"] == body
        else:
            assert isinstance(ended["total"], MaybeSentError)
        break
    await engine.aclose()


async def test_nothing_begins_in_the_grace(
    make_engine: EngineFactory, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the time is over when the connection is ready, the request is not sent."""
    connect: Callable[..., object] = socket.socket.connect
    error: object = None
    for seconds in bounds(0.1):
        connecting: list[float] = []

        def slowly(
            sock: socket.socket,
            address: tuple[str, int],
            seconds: float = seconds,
            connecting: list[float] = connecting,
        ) -> object:
            connecting.append(time.monotonic())
            time.sleep(seconds + 3 * LATE)
            return connect(sock, address)

        monkeypatch.setattr(socket.socket, "connect", slowly)
        engine = make_engine()
        request = wire(f"{server.url}/good", "POST", body=b"{}", timeouts=PATIENT, total=seconds)
        over = time.monotonic() + seconds
        error = await outcome(partial(SendTasks().run, partial(engine.send, request), lambda: None, seconds))
        await engine.aclose()
        if connecting and connecting[0] < over:
            break
    assert isinstance(error, UnsentError), error
    assert server.counts == {}


async def test_a_send_whose_turn_comes_too_late_does_not_begin(make_engine: EngineFactory, server: FaultServer) -> None:
    """If the loop is blocked between the call and the first step of its send, the request is not sent."""
    engine = make_engine()

    class Clock(SystemClock):
        def monotonic(self) -> float:
            now = super().monotonic()
            time.sleep(2 * LATE)
            return now

    send = partial(engine.send, wire(f"{server.url}/good"))
    error = await outcome(partial(SendTasks(Clock()).run, send, lambda: None, 0.05))
    assert isinstance(error, UnsentError), error
    assert server.counts == {}
    await engine.aclose()


async def test_a_client_of_the_user_ends_as_before(server: FaultServer) -> None:
    """The sockets of the user's client are not ours, so an answer that it notices too late may be reported as
    unknown."""
    async with httpx.AsyncClient(verify=NO_TLS) as client:
        ended = await blocked_sends(HttpxEngine(client=client), server, *[("good", "total")] * 3)
    assert len(ended) == 3
    assert all(how in (200, MaybeSentError, SendTimedOutError) for _, how in ended)


CALLS: dict[str, Callable[[NorceOrderClient, CallOptions], Awaitable[object]]] = {
    "payment": lambda norce, options: norce.orders("o1").payments.create({"reference": "p1"}, options=options),
    "order": lambda norce, options: norce.orders.create(cart={"reference": "c1"}, options=options),
}


@pytest.mark.parametrize("bound", ["read_timeout", "deadline"])
async def test_a_client_reports_what_was_created(server: FaultServer, engine_name: EngineName, bound: str) -> None:
    """No creation that was answered while the loop was blocked is reported as unknown."""
    numbers = itertools.count()
    base_url = f"{server.url}/created"
    async with NorceOrderClient(
        base_url=base_url, merchant="acme", channel="se", token="t", engine=engine_name
    ) as norce:

        async def one(seconds: float) -> object:
            make = [*CALLS.values()][next(numbers) % len(CALLS)]
            try:
                options = (
                    CallOptions(read_timeout=seconds) if bound == "read_timeout" else CallOptions(deadline=seconds)
                )
                return await make(norce, options)
            except CallError as error:
                return error

        made = await blocked(server, one, MANY)
    assert [one for one in made if isinstance(one, CallError)] == []
    assert len(made) == MANY
