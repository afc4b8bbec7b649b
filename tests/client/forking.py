"""Programs that use a client and fork. test_used_then_forked starts each in a process of its own.

``python -m tests.client.forking SCENARIO LOOP ENGINE ADDRESS CERTIFICATE`` writes what it found as JSON.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import http.client
import json
import multiprocessing
import os
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx
import trio

from norce_order_async import ClientCredentials, NorceError, NorceOrderClient
from norce_order_async.bulk.actions.builtin import plain
from norce_order_async.bulk.load.limiters import Fixed
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.orders.order import Order
from norce_order_async.scope import session_of

SLOW = 10
Workers = Callable[[], Coroutine[Any, Any, Any]]


class Program:
    """The arguments of a scenario: an unused client, and the service's address."""

    def __init__(self, loop: str, engine: str, address: str, certificate: str) -> None:
        self.loop = loop
        self.address = address
        self.trust = ssl.create_default_context(cafile=certificate)
        self.folder = Path(certificate).parent
        self.norce = self.client(engine=engine)

    def client(self, **given: Any) -> NorceOrderClient:
        settings: dict[str, Any] = {"token": "t", "merchant": "acme", "channel": "se", "base_url": self.address}
        settings.update(verify=self.trust, **given)
        return NorceOrderClient(**settings)

    def run(self, work: Workers) -> Any:
        return trio.run(work) if self.loop == "trio" else asyncio.run(work())

    def run_apart(self, work: Workers) -> Any:
        """Run work in a thread, because a child is inside its parent's trio.run, and trio.run can't be nested."""
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(self.run, work).result()

    def ask(self, path: str) -> Any:
        """Call the service's own endpoint over a separate connection."""
        parts = urlsplit(self.address)
        connection = http.client.HTTPSConnection(str(parts.hostname), parts.port, context=self.trust)
        connection.request("GET", f"/{path}")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def until_in_flight(self, count: int) -> None:
        while self.ask("held") < count:
            time.sleep(0.005)


def forked(child: Callable[[], Any], *, leave: Callable[[int], Any] = sys.exit) -> Callable[[], Any]:
    """Fork, and return a function that waits for the child to end and returns its result."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump(child(), pipe)
            gc.collect()
            status = 0
        except BaseException:
            traceback.print_exc()
        leave(status)
    os.close(writing)

    def answer() -> Any:
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"the child ended with {status}"
        return json.loads(said)

    return answer


async def get(norce: NorceOrderClient, order_id: str) -> str:
    """Read an order, and return the id in the answer."""
    return str((await norce.orders.get(order_id)).plain["id"])


async def several(norce: NorceOrderClient, ids: list[str]) -> list[str]:
    """Read several orders at once, and return the answers in the order of the ids."""
    came: dict[str, str] = {}

    async def one(order_id: str) -> None:
        came[order_id] = await get(norce, order_id)

    async with anyio.create_task_group() as tasks:
        for order_id in ids:
            tasks.start_soon(one, order_id)
    return [came[order_id] for order_id in ids]


def told(error: BaseException) -> list[Any]:
    """Return the facts about the error of a rejected call."""
    assert isinstance(error, NorceError), repr(error)
    return [type(error).__name__, getattr(error, "gave_up", None), error.may_call_again, str(error)]


# Scenarios


def in_flight(program: Program) -> Any:
    """Fork while ten slow requests are in flight on a loop in another thread. The child works, collects garbage and
    ends."""
    norce = program.norce
    slow = [f"slow-{number}" for number in range(SLOW)]
    found: dict[str, Any] = {}
    children_ended = threading.Event()

    async def main() -> None:
        await several(norce, ["warm-1", "warm-2"])
        found["parent"] = await several(norce, slow)
        await anyio.to_thread.run_sync(children_ended.wait)
        found["after"] = await several(norce, slow)
        found["new connections"] = await anyio.to_thread.run_sync(program.ask, "connections") - before - 2
        await norce.aclose()

    def child() -> Any:
        first = program.run(functools.partial(several, norce, ["child-1", "child-2", "child-3"]))
        gc.collect()
        second = program.run(functools.partial(several, norce, ["child-4"]))
        program.run(norce.aclose)
        return [*first, *second]

    def idle() -> Any:
        # This child never makes a call, and its end must do no harm either.
        return []

    # Only the thread runs here, so a child exits in the usual way.
    thread = threading.Thread(target=program.run, args=(main,))
    thread.start()
    program.until_in_flight(SLOW)
    found["children"] = [forked(child)(), forked(idle)()]
    # The request for the state takes a connection each time, and so does the release.
    before = program.ask("connections")
    program.ask("release")
    children_ended.set()
    thread.join()
    return found


def paused(program: Program) -> Any:
    """Fork while the parent's loop is blocked, with ten idle connections."""
    loop = asyncio.new_event_loop()
    ids = [f"order-{number}" for number in range(SLOW)]
    first = loop.run_until_complete(several(program.norce, ids))

    def child() -> Any:
        come = asyncio.run(several(program.norce, ["child-1", "child-2"]))
        gc.collect()
        return come

    def forgets() -> Any:
        del program.norce
        gc.collect()
        return "forgotten"

    children = [forked(child)(), forked(list)(), forked(forgets)()]
    ended = program.ask("ended")
    after = loop.run_until_complete(several(program.norce, ids))
    loop.run_until_complete(program.norce.aclose())
    loop.close()
    return {"parent": first, "after": after, "children": children, "ended": ended}


def inside(program: Program) -> Any:
    """Fork in a coroutine, with requests in flight on the loop that runs it."""
    norce = program.norce
    slow = [f"slow-{number}" for number in range(SLOW)]
    found: dict[str, Any] = {}

    async def wait() -> None:
        found["parent"] = await several(norce, slow)

    def child() -> Any:
        on_the_old_loop: list[Any] = []

        async def here() -> None:
            await get(norce, "never")

        # Trio's loop continues in the child as if nothing had happened; asyncio reports that none runs.
        coroutine = here()
        try:
            coroutine.send(None)
        except NorceError as error:
            on_the_old_loop = told(error)
        finally:
            coroutine.close()
        return [on_the_old_loop, program.run_apart(functools.partial(several, norce, ["child-1", "child-2"]))]

    async def main() -> None:
        await get(norce, "warm")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.to_thread.run_sync(program.until_in_flight, SLOW)
            found["child"] = forked(child, leave=os._exit)()
            await anyio.to_thread.run_sync(program.ask, "release")
        found["after"] = await several(norce, slow)
        await norce.aclose()

    program.run(main)
    return found


def unused(program: Program) -> Any:
    """Fork before the client is used, and use it in both. Each child draws its own jitter."""
    norce = program.norce
    clock = session_of(norce).core.clock

    def child() -> Any:
        return [program.run(functools.partial(get, norce, "child")), [clock.uniform(0.0, 1.0) for _ in range(4)]]

    children = [forked(child)() for _ in range(4)]
    return {"parent": program.run(functools.partial(get, norce, "parent")), "children": children}


PROGRAMS: list[Program] = []


def work_of_pool(number: int) -> str:
    """Make a call with the module's client. A worker of a pool imports this function by its name."""
    (program,) = PROGRAMS
    come: str = program.run(functools.partial(get, program.norce, f"child-{number}"))
    return come


def pool(program: Program) -> Any:
    """Use multiprocessing with fork. Each worker makes calls with the module's client, each on a loop of its own."""
    norce = program.norce
    PROGRAMS.append(program)
    first = program.run(functools.partial(get, norce, "parent"))
    with multiprocessing.get_context("fork").Pool(3) as workers:
        come = workers.map(work_of_pool, range(12), chunksize=1)
    return {"parent": [first, program.run(functools.partial(get, norce, "parent"))], "pool": come}


def preloaded(program: Program) -> Any:
    """Make and use the client in a master whose loop has ended, and fork workers from it, as gunicorn does."""
    norce = program.norce
    program.run(functools.partial(get, norce, "master"))

    def worker(name: str) -> Any:
        return program.run(functools.partial(several, norce, [f"{name}-{number}" for number in range(3)]))

    return [forked(functools.partial(worker, f"worker{number}"))() for number in range(3)]


def token(program: Program) -> Any:
    """Use a token from before the fork in the child as well."""
    account = ClientCredentials(
        client_id="shop", client_secret="s", scope="playground", token_url=f"{program.address}/token"
    )
    norce = program.client(token=account)
    program.run(functools.partial(get, norce, "parent"))
    child = forked(lambda: program.run(functools.partial(get, norce, "child")))()
    return {"child": child, "tokens": program.ask("tokens")}


def handed_in(program: Program) -> Any:
    """Use an object of the user's, which belongs to the parent, and a function that makes one for each process."""
    http_client = httpx.AsyncClient(verify=program.trust)
    given: dict[str, dict[str, Any]] = {
        "http_client": {"http_client": http_client},
        "engine": {"engine": HttpxEngine(verify=program.trust)},
        "makes http_client": {"http_client": lambda: httpx.AsyncClient(verify=program.trust)},
        "makes engine": {"engine": lambda: HttpxEngine(verify=program.trust)},
    }
    found: dict[str, Any] = {}
    for name, arguments in given.items():
        norce = program.client(**arguments)

        def child(norce: NorceOrderClient = norce) -> Any:
            try:
                return program.run_apart(functools.partial(get, norce, "child"))
            except NorceError as error:
                program.run_apart(norce.aclose)
                return told(error)

        async def parent(norce: NorceOrderClient = norce, child: Callable[[], Any] = child) -> Any:
            await get(norce, "warm")
            come = await anyio.to_thread.run_sync(forked(child, leave=os._exit))
            parents = await get(norce, "parent")
            await norce.aclose()
            await http_client.aclose()
            return [come, parents]

        found[name] = program.run(parent)
    return found


def closed(program: Program) -> Any:
    """Close a client before the fork and use it in the child. Close another one in the child and use it in the
    parent."""
    norce, other = program.norce, program.client()

    def child() -> Any:
        errors: list[Any] = []
        program.run_apart(other.aclose)
        for one in (norce, other):
            try:
                program.run_apart(functools.partial(get, one, "child"))
            except NorceError as error:
                errors.append(told(error)[:3])
        return errors

    async def main() -> Any:
        await get(norce, "parent")
        await get(other, "parent")
        await norce.aclose()
        errors = await anyio.to_thread.run_sync(forked(child, leave=os._exit))
        come = await get(other, "parent")
        await other.aclose()
        return [errors, come]

    return program.run(main)


def job(program: Program) -> Any:
    """Fork during a job, which belongs to the parent. The child can't use it, and leaves the journal and its lock
    alone."""
    norce = program.norce
    found: dict[str, Any] = {}
    path = program.folder / f"{os.getpid()}.journal"

    async def look(order: Order) -> str:
        return await get(norce, order.id)

    action = plain("look", look)

    async def main() -> None:
        async with norce.bulk(path, load=Fixed(in_flight=1)) as running:
            run = running.run([f"order-{number}" for number in range(6)], action)
            come = [(await anext(run)).value]

            def child() -> Any:
                async def go_on() -> Any:
                    try:
                        await anext(run)
                    except NorceError as error:
                        return told(error)

                async def leave() -> None:
                    await running.__aexit__(None, None, None)

                refused = asyncio.run(go_on())
                asyncio.run(leave())
                return [refused, asyncio.run(get(norce, "child"))]

            ready, go = os.pipe()

            def waits() -> Any:
                # This child outlives the job, with what it inherited.
                os.close(go)
                os.read(ready, 1)
                return []

            waiting = forked(waits, leave=os._exit)
            os.close(ready)
            found["child"] = forked(child, leave=os._exit)()
            come += [outcome.value async for outcome in run]
            found["parent"] = come
        async with norce.bulk(path) as again:
            found["again"] = [outcome.value async for outcome in again.run(None, action)]
            found["before"] = dict(again.summary.before)
        os.close(go)
        waiting()
        await norce.aclose()

    asyncio.run(main())
    return found


def main() -> None:
    scenario, loop, engine, address, certificate = sys.argv[1:]
    program = Program(loop, engine, address, certificate)
    json.dump(globals()[scenario](program), sys.stdout)


if __name__ == "__main__":
    main()
