"""`Sandbox`: the state, the application and, while entered, the server of a local order service.

Leaving it stops the server; the logs can still be read.
"""

from __future__ import annotations

import re
import secrets
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.util import find_spec
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

import anyio
from starlette.types import ASGIApp

from norce_order_async.sandbox.admin import MERCHANT, Admin
from norce_order_async.sandbox.admin import PREFIX as ADMIN_PREFIX
from norce_order_async.sandbox.app import INSPECTOR_PREFIX, PREFIX, App
from norce_order_async.sandbox.arguments import (
    check_has,
    check_is,
    check_mapping,
    check_seconds,
    check_text,
    check_texts,
    check_whole,
    shown,
)
from norce_order_async.sandbox.callbacks.notifications import Courier, Deliveries
from norce_order_async.sandbox.callbacks.outgoing import CallbackClient, Caller, Configuration
from norce_order_async.sandbox.control import Control
from norce_order_async.sandbox.faults import NO_PLAN, Faults, PlanLike
from norce_order_async.sandbox.policy import MAX_BODY
from norce_order_async.sandbox.readings import Readings, ReadingsInUse, ReadingsLike, readings_of
from norce_order_async.sandbox.records import Effects, EndedRequests, ReceivedRequest, RequestLog
from norce_order_async.sandbox.schema import published
from norce_order_async.sandbox.service.calls import World
from norce_order_async.sandbox.service.clock import ServiceClock, SystemClock
from norce_order_async.sandbox.service.commit import Deferred
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.lag import ListLag
from norce_order_async.sandbox.service.presentation import Presentation
from norce_order_async.sandbox.serving import OwnHosts, Serving
from norce_order_async.sandbox.storage.sqlite import IN_MEMORY
from norce_order_async.sandbox.storage.store import Store

if TYPE_CHECKING:
    from norce_order_async.sandbox.inspector.app import Inspector
    from norce_order_async.sandbox.inspector.traffic import Traffic

IN_PROCESS_URL = f"http://localhost{PREFIX}"
"""A base URL for clients that call `Sandbox.app` without a socket."""

_TICK = 0.005

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?")

_SEEDS = (-sys.maxsize, sys.maxsize)


class Sandbox:
    """A local imitation of the order service.

    ``async with Sandbox() as sandbox`` (asyncio or trio) or ``with Sandbox() as sandbox`` serves it at
    `sandbox.base_url`. `sandbox.app` is the ASGI application alone, for use without a server.

    Args:
        token: The token that clients must send. By default a random one, which `sandbox.token` has.
        secondary_token: A second accepted token, because the service has two for each merchant.
        seed: The same seed gives the same identifiers, seeded orders and faults.
        readings: How the sandbox behaves where the service's behaviour is not published: a reading for each rule that
            should not have its first one, as `Readings` or as a mapping such as
            `{"cart-total": "zero-when-missing"}`.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        clock: The source of time. By default the machine's clock, which can be moved ahead.
        database: A file to keep the state in. By default the state is in memory.
        faults: A plan of faults: the name of a ready-made plan, the path of a YAML file, or a plan as data.
        admin: Whether endpoints under `/__sandbox/` show and change the state.
        inspect: Whether pages under `/__inspect/` show the sandbox in a browser; `inspector_link` gives a link.
        served_as: Names besides localhost under which clients reach the server, as in a network of containers. A
            request with another name in its Host header is refused, because a page in a browser may have sent it.
        allowed_hosts: Hosts besides loopback that the sandbox may call.
        apps: ASGI applications that the sandbox calls in this process, without a socket, by the host of their
            addresses; `register_app` adds one.
        configuration: The values of placeholders in addresses, by adapter id; "*" is for every adapter that has no
            entry of its own.
        callback_token: A bearer token for every call that the sandbox makes; by default, calls carry no token.
        hook_timeout: Seconds after which a hook that does not answer denies; by default as the readings say.
        validation_timeout: Seconds after which a validation that does not answer is skipped; by default as the
            readings say.
        max_body: Largest body of a request in bytes; a larger one is answered 413.
        keep_requests: Number of requests that the log keeps; the oldest are dropped.
        on_request: Called with each request after it was answered, on the server's thread.

    Raises:
        ReadingsError: There is no such rule, or the rule has no such reading.
        FaultPlanError: There is no such plan, or it can't be played.
        DatabaseFileError: The state can't be kept in this file.
        TypeError, ValueError: An argument has the wrong type or is out of bounds; the text names it.
        ImportError: ``inspect`` is true, and Jinja2 is not installed.

    Example::

        async with Sandbox(seed=7, faults="flaky-network") as sandbox:
            async with NorceOrderClient(
                base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se"
            ) as norce:
                print((await norce.orders.list()).orders)
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        secondary_token: str | None = None,
        seed: int | None = None,
        readings: ReadingsLike | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: ServiceClock | None = None,
        database: str = IN_MEMORY,
        faults: PlanLike = NO_PLAN,
        admin: bool = True,
        inspect: bool = False,
        served_as: Collection[str] = (),
        allowed_hosts: Collection[str] = (),
        apps: Mapping[str, ASGIApp] | None = None,
        configuration: Configuration | None = None,
        callback_token: str | None = None,
        hook_timeout: float | None = None,
        validation_timeout: float | None = None,
        max_body: int = MAX_BODY,
        keep_requests: int = 10_000,
        on_request: Callable[[ReceivedRequest], None] | None = None,
    ) -> None:
        # First, because the repr needs it, and tools also show the repr of a sandbox that could not be made.
        self._running: Serving | None = None
        for name, text in (("token", token), ("secondary_token", secondary_token), ("callback_token", callback_token)):
            if text is not None:
                check_text(name, text)
        check_text("host", host)
        check_text("database", database)
        check_texts("served_as", served_as)
        check_texts("allowed_hosts", allowed_hosts)
        if seed is not None:
            check_whole("seed", seed, *_SEEDS)
        check_whole("port", port, 0, 65_535)
        check_whole("max_body", max_body, 0, sys.maxsize)
        check_whole("keep_requests", keep_requests, 0, sys.maxsize)
        for name, seconds in (("hook_timeout", hook_timeout), ("validation_timeout", validation_timeout)):
            if seconds is not None:
                check_seconds(name, seconds)
        if clock is not None:
            check_has("clock", clock, "now")
        if apps is not None:
            check_mapping("apps", apps)
            for name, app in apps.items():
                _check_app("each host of apps", name, "each of apps", app)
        if configuration is not None:
            check_mapping("configuration", configuration)
        if on_request is not None:
            check_has("on_request", on_request, "")
        self._readings = ReadingsInUse(readings_of(readings))
        self.token = token = secrets.token_urlsafe(24) if token is None else token
        self.clock = clock or SystemClock()
        traffic = _traffic(keep_requests, self.clock) if inspect else None
        self.requests = RequestLog(keep_requests) if traffic is None else traffic
        self.faults = Faults(self.clock, seed, faults)
        store = Store(database)
        # The effects can still be read after the server has stopped, so the store outlives it.
        self._finalizer = weakref.finalize(self, store.close)
        self.effects = Effects(store)
        self.deliveries = Deliveries(keep_requests)
        description = published()
        presentation = Presentation(description, self._readings)
        self._caller = Caller(allowed_hosts, callback_token, token, self._readings)
        for name, app in (apps or {}).items():
            self.register_app(name, app)
        callbacks = CallbackClient(
            self._caller,
            configuration or {},
            hook_timeout,
            validation_timeout,
            self._readings,
            presentation,
        )
        self._courier = Courier(self.deliveries, callbacks, self.clock)
        world = World(
            store,
            self.clock,
            Ids(seed),
            callbacks,
            self.deliveries,
            self._courier,
            self._readings,
            ListLag(store, self.clock, self._readings),
            presentation,
        )
        self._deferred = Deferred(world)
        ended = EndedRequests(keep_requests, self.clock.now)
        self._control = Control(world, self.requests, ended, self.faults, self._deferred, seed)
        tokens = [token] if secondary_token is None else [token, secondary_token]
        self._inspector = None if traffic is None else _inspector(self._control, traffic)
        new_link = None if self._inspector is None else self._inspector.new_link
        self.app = App(
            description,
            world,
            self.requests,
            ended,
            self.faults,
            self._deferred,
            tokens=tokens,
            max_body=max_body,
            admin=Admin(self._control, tokens, new_link) if admin else None,
            on_request=on_request,
            on_answer=None if traffic is None else traffic.answered,
            inspector=self._inspector,
        )
        self._host = host
        self._port = port
        self._served_as = (host, *served_as)
        # The paths that are not the service's: faults leave their connections alone.
        self._exempt = [*([ADMIN_PREFIX] if admin else []), *([f"{INSPECTOR_PREFIX}/"] if inspect else [])]

    def __repr__(self) -> str:
        return f"<Sandbox {'at ' + self.base_url if self._running else 'not running'}>"

    @property
    def base_url(self) -> str:
        """The address of the running server, as a client takes it.

        Raises:
            RuntimeError: The sandbox is not running.
        """
        if self._running is None:
            raise RuntimeError("the sandbox is not running: enter it, or use sandbox.app with IN_PROCESS_URL")
        return f"http://{self._address(self._running)}{PREFIX}"

    def _address(self, running: Serving) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{running.port}"

    def inspector_link(self) -> str:
        """A new link to the inspector. It lets one browser in, and does not work a second time.

        Raises:
            RuntimeError: The sandbox is not running, or was not made with ``inspect=True``.

        Example::

            with Sandbox(inspect=True) as inspected:
                print(inspected.inspector_link())
        """
        if self._inspector is None:
            raise RuntimeError("the sandbox was made without inspect=True")
        if self._running is None:
            raise RuntimeError("the sandbox is not running, so no browser can reach it")
        return f"http://{self._address(self._running)}{self._inspector.new_link()}"

    @property
    def readings(self) -> Readings:
        """How the sandbox behaves where the service's behaviour is not published."""
        return self._readings.chosen

    @property
    def touched(self) -> frozenset[str]:
        """The rules with readings that requests have used since the sandbox was made.

        Another reading of one of these rules might have changed a result; another reading of any other rule would not.
        `requests[...].rules` has the rules of one request. `reset` does not empty this set.
        """
        return self._readings.touched

    def register_app(self, host: str, app: ASGIApp) -> None:
        """Call an ASGI application in this process, without a socket, for addresses with this host.

        The addresses can begin with ``http``, ``https`` or, to show that no socket is meant, ``asgi``. The application
        runs on the event loop of the request that leads to the call: with `sandbox.app` on yours, and in a served
        sandbox on the sandbox's own. Its lifespan is not run. It replaces an earlier application of the same host.

        Raises:
            TypeError, ValueError: The host is not a host name, or the application is not a function.

        Example::

            sandbox.register_app("erp.example", app)
            await order.hooks.create({"subscribeTo": "/state", "invoke": "https://erp.example/state"})
        """
        _check_app("host", host, "app", app)
        self._caller.apps[host.lower()] = app

    async def deliver_due(self) -> None:
        """Carry out the changes and send the notifications that are due now; returns when none is in flight.

        A running server also does both by itself. Without a server, only this does.
        """
        await self._deferred.carry_out()
        await self._courier.deliver_due()

    def redeliver(self, delivery_id: str) -> None:
        """Make a notification due again, unchanged.

        Raises:
            LookupError: There is no such delivery.
            TypeError, ValueError: The id is not a string, or can't be an id.
        """
        check_text("delivery_id", delivery_id)
        self._control.send_again(delivery_id)

    def reset(self) -> None:
        """Remove all orders, empty the logs, and restart identifiers and the fault plan. The clock does not change."""
        self._control.reset()

    def seed_orders(self, count: int, *, merchant: str = MERCHANT, seed: int | None = None) -> None:
        """Add orders in all statuses, spread over five channels: se, no, dk, fi and de.

        The same seed adds the same orders, except for their dates, which are in the ninety days before now. By default
        it is the sandbox's own seed. The orders cause no effects. Their cart references depend on the seed, so each
        call for the same merchant needs another seed.

        Raises:
            SeedingError: There are too many, or this merchant has orders of this seed already.
            TypeError, ValueError: An argument has the wrong type or is out of bounds; the text names it.
        """
        check_whole("count", count, -sys.maxsize, sys.maxsize)
        check_text("merchant", merchant)
        if seed is not None:
            check_whole("seed", seed, *_SEEDS)
        self._control.seed_orders(count, merchant=merchant, seed=seed)

    def snapshot(self) -> bytes:
        """All orders and effects as bytes, to `restore` them later, here or in another sandbox."""
        return self._control.snapshot()

    def restore(self, taken: bytes) -> None:
        """Set orders and effects back to a snapshot; the log of requests is kept.

        Raises:
            DatabaseFileError: These bytes are not a snapshot; nothing has changed.
            TypeError: The argument is not bytes.
        """
        check_is("taken", taken, bytes, "bytes, as snapshot gives them")
        self._control.restore(taken)

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock ahead.

        Raises:
            TypeError: The sandbox's clock has no `advance`, or the argument is not a number.
            ValueError: The seconds are negative or not finite, or the clock would go beyond the year 8999.
        """
        check_seconds("seconds", seconds)
        self._control.advance(seconds)

    def close(self) -> None:
        """Stop the server, if it runs, and close the store of the state."""
        self.stop()
        self._finalizer()

    def start(self) -> Self:
        """Serve until `stop`; for shells and notebooks, where a `with` block is inconvenient.

        Raises:
            SandboxStartError: The server could not be started.
        """
        return self.__enter__()

    def stop(self) -> None:
        """Stop serving; orders, effects and logs are kept. A second call does nothing."""
        self.__exit__(None, None, None)

    def __enter__(self) -> Self:
        running = self._run()
        try:
            for _ in running.starting():
                time.sleep(_TICK)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            for _ in running.stopping():
                time.sleep(_TICK)

    async def __aenter__(self) -> Self:
        running = self._run()
        try:
            for _ in running.starting():
                await anyio.sleep(_TICK)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            # A cancelled test must not leave a server behind. The stop has a time limit of its own.
            with anyio.CancelScope(shield=True):
                for _ in running.stopping():
                    await anyio.sleep(_TICK)

    def _run(self) -> Serving:
        if self._running is not None:
            raise RuntimeError(f"the sandbox is running already, at {self.base_url}")
        own = OwnHosts(self.app, self._served_as)
        self._running = Serving(own, self.faults, self._host, self._port, self._exempt)
        return self._running


def _traffic(keep: int, clock: ServiceClock) -> Traffic:
    """The log of requests for a sandbox with an inspector."""
    if find_spec("jinja2") is None:
        raise ImportError(
            "the inspector needs the extra 'sandbox' (jinja2 is missing): install norce-order-async with [sandbox]"
        )
    from norce_order_async.sandbox.inspector.traffic import Traffic

    return Traffic(keep, clock)


def _inspector(control: Control, traffic: Traffic) -> Inspector:
    from norce_order_async.sandbox.inspector.app import Inspector

    control.world.store.on_effect = traffic.took_effect
    return Inspector(control, traffic, INSPECTOR_PREFIX)


def _check_app(name_of_host: str, host: object, name_of_app: str, app: object) -> None:
    """Check the host of an application, and the application."""
    check_text(name_of_host, host)
    if not _HOST.fullmatch(str(host)):
        raise ValueError(f"{name_of_host} must be the name of a host, such as erp.example, not {shown(host)}")
    check_has(name_of_app, app, "")


def serve(
    sandbox: Sandbox,
    *,
    on_start: Callable[[Sandbox], None] | None = None,
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> None:
    """Run a sandbox until a signal asks it to stop. Call this from the main thread.

    Args:
        sandbox: The sandbox.
        on_start: Called with the sandbox once the server answers.
        signals: The signals that stop it.

    Raises:
        SandboxStartError: The server could not be started.
        TypeError: An argument has the wrong type; the text names it.
    """
    check_is("sandbox", sandbox, Sandbox, "a Sandbox")
    if on_start is not None:
        check_has("on_start", on_start, "")
    check_is("signals", signals, Sequence, "a sequence of signals")
    for number in signals:
        check_is("each of signals", number, signal.Signals, "a signal, such as signal.SIGINT")
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, ask_to_stop) for number in signals}
    try:
        with sandbox:
            if on_start is not None:
                on_start(sandbox)
            stop.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
