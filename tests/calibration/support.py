"""Runs calibrations of a local order service over a socket, without waiting for real time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from norce_order_async.calibration.masking import Masking
from norce_order_async.calibration.probes import CouldNotTell, Follows, Neither
from norce_order_async.calibration.receiver import Receiver
from norce_order_async.calibration.report import as_markdown, as_yaml
from norce_order_async.calibration.run import Plan, Result, calibrate
from norce_order_async.context import Context
from norce_order_async.engines.base import Engine, WireRequest, WireResponse
from norce_order_async.engines.select import choose
from norce_order_async.runtime.clock import SystemClock
from norce_order_async.sandbox import Sandbox
from norce_order_async.sandbox.callbacks.outgoing import Caller, Reply, TooLateError
from norce_order_async.sandbox.storage.store import Scope
from tests.support.waiting import until

MERCHANT, CHANNEL, OTHER = "acme", "se", "no"


class SandboxTime(SystemClock):
    """The machine's time. A sleep moves this clock and the sandbox's clock ahead instead of waiting. A callback that
    is not answered does so too (:func:`no_waiting_for_callbacks`)."""

    __slots__ = ("_sandbox", "ahead")

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        super().__init__()
        self._sandbox = sandbox
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def wall(self) -> float:
        return super().wall() + self.ahead

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.pass_by(seconds)
            if self._sandbox is not None:
                await self._sandbox.deliver_due()
        await anyio.lowlevel.checkpoint()

    def pass_by(self, seconds: float) -> None:
        """Let a number of seconds pass at once."""
        self.ahead += seconds
        if self._sandbox is not None:
            self._sandbox.advance(seconds)


class Holding(Receiver):
    """A receiver that names the calls that it does not answer."""

    def __init__(self, clock: SandboxTime) -> None:
        super().__init__(0, "", clock)
        self.public_url = f"http://127.0.0.1:{self.port}"
        self._unanswered: set[str] = set()

    def answer(self, name: str, status: int, data: Any = None) -> None:
        self._unanswered.discard(name)
        super().answer(name, status, data)

    def hold(self, name: str) -> None:
        self._unanswered.add(name)
        super().hold(name)

    def holds(self, url: str) -> str:
        """The name in an address whose calls are not answered, or nothing."""
        name = url.rpartition("/")[2]
        return name if name in self._unanswered and url == self.url(name) else ""


@contextmanager
def no_waiting_for_callbacks(receiver: Holding, clock: SandboxTime) -> Generator[None]:
    """Make the sandbox give up a held call as soon as it has arrived. The clocks move by the time that it would have
    waited, which the sandbox derives from its readings."""
    post = Caller.post

    async def post_in_no_time(caller: Caller, url: str, body: bytes, scope: Scope, *, within: float) -> Reply:
        name = receiver.holds(url)
        if not name:
            return await post(caller, url, body, scope, within=within)
        before = len(receiver.calls(name))
        async with anyio.create_task_group() as group:
            group.start_soon(partial(post, caller, url, body, scope, within=within))
            await until(lambda: len(receiver.calls(name)) > before)
            group.cancel_scope.cancel()
        clock.pass_by(within)
        raise TooLateError(f"did not answer within {within:g} s")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Caller, "post", post_in_no_time)
        yield


Change = Callable[[WireRequest, WireResponse], WireResponse]
"""Changes an answer in flight."""
Instead = Callable[[WireRequest], WireResponse | None]
"""Returns the answer of a test in the service's place, or None to ask the service."""


class Between:
    """An engine with a test between it and the service."""

    name = "between"

    def __init__(self, engine: Engine, change: Change | None, instead: Instead | None) -> None:
        self._engine = engine
        self._change = change
        self._instead = instead

    async def send(self, request: WireRequest) -> WireResponse:
        answer = self._instead(request) if self._instead else None
        if answer is None:
            answer = await self._engine.send(request)
        return self._change(request, answer) if self._change else answer

    async def aclose(self) -> None:
        await self._engine.aclose()


def an_engine() -> Engine:
    return choose(
        "auto", client=None, verify=True, cert=None, proxy=None, trust_env=False, clock=SystemClock(), addresses=[]
    )


def plan_for(sandbox: Sandbox, folder: Path, **how: Any) -> Plan:
    context = Context.create(merchant=MERCHANT, channel=CHANNEL)
    return Plan(
        base_url=sandbox.base_url, context=context, token=sandbox.token, state=folder / "calibration.state", **how
    )


def calibrated(
    sandbox: Sandbox,
    folder: Path,
    only: Collection[str] = (),
    *,
    reachable: bool = False,
    change: Change | None = None,
    instead: Instead | None = None,
    through: Callable[[Engine, SandboxTime], Engine] = lambda engine, _: engine,
    backend: str = "asyncio",
    clean_only: bool = False,
    waits: bool = False,
    say: Callable[[str], None] = lambda _: None,
    **how: Any,
) -> Result:
    """Run a calibration. Returns its results.

    Args:
        reachable: The service has an address to call.
        waits: Callbacks that are not answered take real time.
    """

    async def run() -> Result:
        clock = SandboxTime(sandbox)
        engine = Between(through(an_engine(), clock), change, instead)
        receiver = Holding(clock) if reachable else None
        at_once = nullcontext() if receiver is None or waits else no_waiting_for_callbacks(receiver, clock)
        try:
            plan = plan_for(sandbox, folder, only=only, other_channel=OTHER, **how)
            with at_once:
                return await calibrate(plan, engine, clock, receiver=receiver, say=say, clean_only=clean_only)
        finally:
            if receiver is not None:
                receiver.close()
            await engine.aclose()

    return anyio.run(run, backend=backend)


def named(result: Result) -> dict[str, str]:
    """The reading of each rule that a result names, or ``neither``."""
    found: dict[str, str] = {}
    for rule, verdict in result.verdicts.items():
        match verdict:
            case Follows(reading):
                found[rule] = reading
            case Neither():
                found[rule] = "neither"
            case CouldNotTell():
                continue
    return found


def left_in(sandbox: Sandbox) -> int:
    """The number of orders of calibrations that were not deleted."""
    deleted = {effect.order_id for effect in sandbox.effects.of(operation="DeleteCheckoutOrder")}
    made = {effect.order_id for effect in sandbox.effects.of(operation="CreateCheckoutOrder")}
    return len(made - deleted)


def unsaid_in(sandbox: Sandbox, result: Result) -> list[str]:
    """Orders of calibrations that exist, are not removed, and are not named in the results."""
    said = {made.order_id for made in result.left} | {made.marker for made in result.left}
    snapshot = sqlite3.connect(":memory:")
    snapshot.deserialize(sandbox.snapshot())
    orders: list[dict[str, Any]] = [json.loads(row[0]) for row in snapshot.execute("SELECT document FROM documents")]
    snapshot.close()
    return [
        order["id"]
        for order in orders
        if order["state"]["currentStatus"] != "removed"
        and not {order["id"], order.get("attributes", {}).get("calibration")} & said
    ]


def made_in(sandbox: Sandbox) -> int:
    """The number of orders that were created."""
    return len(sandbox.effects.of(operation="CreateCheckoutOrder"))


def reports(sandbox: Sandbox, folder: Path, result: Result) -> str:
    """Everything that a calibration writes for others."""
    plan, masking = plan_for(sandbox, folder), Masking([sandbox.token])
    return as_yaml(result, masking) + as_markdown(plan, result, masking)
