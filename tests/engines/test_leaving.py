"""Callers that are cancelled and clients that are closed: which sends continue, which end, and what is free again."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import signal
import subprocess
import sys
import textwrap
import time
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import pytest
import trustme

from norce_order_async import CallError, CallOptions, NorceOrderClient, OutcomeUnknownError, UnavailableError, client
from norce_order_async.engines.base import Caller, Engine, SendError, WireRequest
from norce_order_async.engines.select import EngineName
from norce_order_async.models import Payment
from tests.support.plain import NO_TLS
from tests.support.waiting import until, wait_until

from .conftest import EngineFactory
from .faultserver import FaultServer
from .wire import trusting, wire

pytestmark = pytest.mark.anyio

PERMITS = 10
NEVER = CallOptions(deadline=None, read_timeout=3_600.0)
"""Only the test ends a call."""


@asynccontextmanager
async def client_of(server: FaultServer, engine: str, **settings: Any) -> AsyncGenerator[NorceOrderClient]:
    """Make a client of the service that this server plays, over an engine or over the user's own HTTP client."""
    given: dict[str, Any] = {"max_in_flight": PERMITS, **settings}
    async with contextlib.AsyncExitStack() as stack:
        if engine == "handed in":
            given["http_client"] = await stack.enter_async_context(httpx.AsyncClient(verify=NO_TLS))
        else:
            given["engine"] = engine
        yield await stack.enter_async_context(
            NorceOrderClient(base_url=f"{server.url}/created", merchant="acme", channel="se", token="t", **given)
        )


async def read_and_leave(norce: NorceOrderClient, seconds: float = 0.05) -> None:
    with anyio.move_on_after(seconds):
        await norce.orders("o1").refresh()


async def cancelled_reads(norce: NorceOrderClient, server: FaultServer, count: int, tasks: int) -> None:
    """Make a number of reads in several tasks at once, each cancelled after 50 ms."""

    async def one() -> None:
        for _ in range(count // tasks):
            await read_and_leave(norce)

    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(one)


async def test_cancelled_reads_hold_no_permits(server: FaultServer, sends_with: str) -> None:
    """After the callers of unanswered reads, which took all permits, were cancelled, the next call succeeds."""
    server.free.clear()
    async with client_of(server, sends_with, options=CallOptions(read_timeout=60.0, deadline=60.0)) as norce:
        async with anyio.create_task_group() as group:
            for _ in range(PERMITS):
                group.start_soon(norce.orders("o1").refresh)
            await until(lambda: server.counts["created"] == PERMITS)
            group.cancel_scope.cancel()
        async with anyio.create_task_group() as group:
            group.start_soon(norce.orders("o2").refresh)
            await until(lambda: server.counts["created"] == PERMITS + 1)
            server.free.set()


async def test_a_cancelled_write_holds_its_permit(server: FaultServer, sends_with: str) -> None:
    """A cancelled write continues to its end and keeps its permit, so no other request is sent meanwhile."""
    server.free.clear()
    async with client_of(server, sends_with, max_in_flight=1) as norce:
        async with anyio.create_task_group() as group:
            group.start_soon(norce.orders("o1").payments.create, Payment(reference="p1"))
            await until(lambda: server.counts["created"] == 1)
            group.cancel_scope.cancel()
        with anyio.move_on_after(0.1):
            await norce.orders("o1").refresh()
        assert server.counts["created"] == 1
        server.free.set()
        await norce.orders("o1").refresh()


@pytest.mark.parametrize(
    ("reads", "silent"),
    [
        (100, True),
        (100, False),
        pytest.param(10_000, True, marks=pytest.mark.soak),
        pytest.param(300, False, marks=pytest.mark.soak),
    ],
)
async def test_cancelled_reads_never_hold_more_connections_than_twice_the_permits(
    server: FaultServer, sends_with: str, reads: int, silent: bool
) -> None:
    """The limit holds if the server is silent, and if it answers so slowly that only some of the reads are answered."""
    if silent:
        server.free.clear()
    else:
        server.latency = 0.05
    async with client_of(server, sends_with, options=CallOptions(read_timeout=60.0, deadline=60.0)) as norce:
        await cancelled_reads(norce, server, reads, 2 * PERMITS if sends_with != "handed in" else PERMITS)
        assert server.peak <= 2 * PERMITS
        server.free.set()
        server.latency = 0.0
        async with anyio.create_task_group() as group:
            for _ in range(5 * PERMITS):
                group.start_soon(norce.orders("o1").refresh)
    assert await anyio.to_thread.run_sync(server.settle) == 0


async def test_a_cancelled_read_closes_its_connection(server: FaultServer, engine_name: EngineName) -> None:
    """The connection is closed, because the answer may still come and no task would read it."""
    server.free.clear()
    async with client_of(server, engine_name) as norce:
        async with anyio.create_task_group() as group:
            group.start_soon(norce.orders("o1").refresh)
            await until(lambda: server.counts["created"] == 1)
            group.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(server.settle) == 0
        server.free.set()
        await norce.orders("o1").refresh()
    assert server.settle() == 0


MOMENTS = 30
"""More rounds of the loop than a send over loopback has steps before it waits for its answer."""


@pytest.mark.parametrize("how", ["left", "cancelled"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_read_that_ends_at_any_moment_leaves_no_socket(make_engine: EngineFactory, tls: bool, how: str) -> None:
    """No socket is left to the garbage collector, whose warning about one would fail this test. Over TLS the server
    never reads, so the read ends during the handshake."""
    verify = trusting(trustme.CA()) if tls else True
    with FaultServer(deaf=tls) as server:
        url = f"{server.url.replace('http:', 'https:') if tls else server.url}/hang"
        for moment in range(MOMENTS):
            engine = make_engine(verify=verify)
            caller = Caller()
            request = replace(wire(url), caller=caller)
            scope = anyio.CancelScope()

            async def send(engine: Engine, request: WireRequest, scope: anyio.CancelScope) -> None:
                with scope, contextlib.suppress(SendError):
                    await engine.send(request)

            async with anyio.create_task_group() as group:
                group.start_soon(send, engine, request, scope)
                for _ in range(moment):
                    await anyio.lowlevel.checkpoint()
                if how == "left":
                    caller.leave()
                else:
                    scope.cancel()
            await engine.aclose()
        gc.collect()
        if not tls:
            assert await anyio.to_thread.run_sync(server.settle) == 0


# Closing a client


class _BrokenError(Exception):
    pass


async def test_a_program_that_fails_does_not_wait_for_reads(server: FaultServer, engine_name: EngineName) -> None:
    """If the program fails, a read in flight ends with an error, and a write is waited for."""
    told: list[BaseException] = []
    made: list[str] = []
    server.free.clear()

    async def read(norce: NorceOrderClient) -> None:
        with pytest.raises(CallError) as caught:
            await norce.orders("o1").refresh()
        told.append(caught.value)
        # The write is released only when the read has ended.
        server.free.set()

    async def write(norce: NorceOrderClient) -> None:
        made.append(await norce.orders("o1").payments.create({"reference": "p1"}))

    async with anyio.create_task_group() as group:
        with contextlib.suppress(_BrokenError):
            async with client_of(server, engine_name) as norce:
                group.start_soon(read, norce)
                group.start_soon(write, norce)
                await until(lambda: server.counts["created"] >= 2)
                raise _BrokenError
    assert isinstance(told[0], CallError)
    assert not isinstance(told[0], OutcomeUnknownError)
    assert made == ["x1"]
    assert server.settle() == 0


async def test_a_program_that_fails_does_not_wait_for_ever_for_a_write(
    server: FaultServer, engine_name: EngineName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write gets five seconds, here a tenth of that, and then its outcome is unknown. Nothing else would end it."""
    assert client.FAILED_GRACE == 5.0
    monkeypatch.setattr(client, "FAILED_GRACE", 0.5)
    told: list[BaseException] = []
    server.free.clear()

    async def write(norce: NorceOrderClient) -> None:
        with pytest.raises(CallError) as caught:
            await norce.orders("o1").payments.create({"reference": "p1"})
        told.append(caught.value)

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        with contextlib.suppress(_BrokenError):
            async with client_of(server, engine_name, options=NEVER) as norce:
                group.start_soon(write, norce)
                await until(lambda: server.counts["created"] >= 1)
                raise _BrokenError
    assert time.monotonic() - began >= 0.5
    assert isinstance(told[0], OutcomeUnknownError)


async def test_closing_normally_waits_for_reads_too(server: FaultServer, engine_name: EngineName) -> None:
    server.free.clear()
    read: list[object] = []

    async def one(norce: NorceOrderClient) -> None:
        order = norce.orders("o1")
        await order.refresh()
        read.append(order)

    async with anyio.create_task_group() as group, client_of(server, engine_name) as norce:
        group.start_soon(one, norce)
        await until(lambda: server.counts["created"] >= 1)
        group.start_soon(anyio.to_thread.run_sync, server.free.set)
    assert len(read) == 1


@pytest.mark.parametrize("reading", [False, True])
async def test_closing_that_is_cancelled_closes_everything(
    server: FaultServer, engine_name: EngineName, reading: bool
) -> None:
    """Idle and busy connections are closed even if the closing is cancelled."""
    norce = NorceOrderClient(
        base_url=f"{server.url}/created", merchant="acme", channel="se", token="t", engine=engine_name
    )
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(norce.orders("o1").refresh)
    assert server.connections > 0
    async with anyio.create_task_group() as group:

        async def read() -> None:
            with pytest.raises(CallError):
                await norce.orders("o1").refresh()

        if reading:
            server.free.clear()
            group.start_soon(read)
            await until(lambda: server.counts["created"] >= 4)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await norce.aclose()
    assert await anyio.to_thread.run_sync(server.settle) == 0


PROGRAM = """
    import asyncio, functools, sys
    from norce_order_async import CallOptions, NorceOrderClient, client

    # No time-out ends it, nor the time that is given to sends, whether all is well or not.
    options = CallOptions(deadline=None, read_timeout=3600.0)
    client.FAILED_GRACE = 3600.0
    NorceOrderClient.aclose = functools.partialmethod(NorceOrderClient.aclose, 3600.0)

    async def main():
        async with NorceOrderClient(
            base_url=sys.argv[1], merchant="acme", channel="se", token="t", engine=sys.argv[2], options=options
        ) as norce:
            reads = [norce.orders("o1").refresh() for _ in range(10)]
            await gather(reads)

    async def gather(reads):
        if sys.argv[3] == "asyncio":
            await asyncio.gather(*reads)
            return
        import trio
        async with trio.open_nursery() as nursery:
            for read in reads:
                nursery.start_soon(wait_for, read)

    async def wait_for(read):
        await read

    if sys.argv[3] == "asyncio":
        asyncio.run(main())
    else:
        import trio
        trio.run(main)
"""


def test_one_interrupt_ends_a_program_with_reads_in_flight(
    server: FaultServer, engine_name: EngineName, anyio_backend: str
) -> None:
    """One Ctrl-C ends the program. The reads have no timeout that could end it, and no second Ctrl-C comes."""
    server.free.clear()
    code = textwrap.dedent(PROGRAM)
    command = [sys.executable, "-c", code, f"{server.url}/created", engine_name, anyio_backend]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        try:
            wait_until(lambda: server.counts["created"] == 10 or program.poll() is not None)
            program.send_signal(signal.SIGINT)
            assert program.wait() == -signal.SIGINT or program.returncode in (1, 130)
            assert program.stderr is not None
            errors = program.stderr.read()
        finally:
            program.kill()
    assert "KeyboardInterrupt" in errors


# What remains of a caller


class _Luggage:
    """A value of a context variable."""


LUGGAGE: contextvars.ContextVar[_Luggage | None] = contextvars.ContextVar("luggage", default=None)


@pytest.mark.parametrize("ends", ["answered", "large", "cancelled", "cancelled while waiting", "timed out"])
async def test_nothing_keeps_the_context_of_a_caller(server: FaultServer, sends_with: str, ends: str) -> None:
    """No timer or connection keeps the values in a caller's context after its call is over."""
    options = CallOptions(read_timeout=0.05, max_attempts=1) if ends == "timed out" else CallOptions()
    async with client_of(server, sends_with, options=options, max_in_flight=1) as norce:

        async def call() -> weakref.ref[_Luggage]:
            luggage = _Luggage()
            LUGGAGE.set(luggage)
            if ends == "answered":
                await norce.orders("o1").refresh()
                await norce.orders("o1").payments.create({"reference": "p1"})
            elif ends == "large":
                await norce.orders("large").refresh()
            elif ends == "timed out":
                with pytest.raises(UnavailableError):
                    await norce.orders("o1").refresh()
            else:
                await read_and_leave(norce)
            return weakref.ref(luggage)

        refs: list[weakref.ref[_Luggage]] = []

        async def task() -> None:
            refs.append(await call())

        if ends in ("cancelled", "timed out", "cancelled while waiting"):
            server.free.clear()
        async with anyio.create_task_group() as group:
            if ends == "cancelled while waiting":
                group.start_soon(read_and_leave, norce, 3_600.0)
                await until(lambda: server.counts["created"] == 1)
            group.start_soon(task)
            await until(lambda: refs)
            group.cancel_scope.cancel()
        # The rest of the send ends in a few rounds of the loop, unless it can't be ended.
        while refs[0]() is not None and sends_with != "handed in":
            await anyio.sleep(0.05)
            gc.collect()
        server.free.set()
