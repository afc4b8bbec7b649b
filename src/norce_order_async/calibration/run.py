"""One calibration: it removes what an earlier run left, asks the probes, removes its own orders, and looks for the
description of the API."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from norce_order_async.auth.providers import bearer
from norce_order_async.bulk.journal.errors import JournalLockedError
from norce_order_async.bulk.journal.lock import RunLock
from norce_order_async.calibration.bench import CREATION, MOST_ORDERS, READ, Bench
from norce_order_async.calibration.cleaning import Cleaner
from norce_order_async.calibration.description import Described, Differences, differences, look_for
from norce_order_async.calibration.masking import Masking
from norce_order_async.calibration.probes import (
    NOT_PROBED,
    PROBES,
    UNMET,
    CouldNotTell,
    Follows,
    Neither,
    Probe,
    Verdict,
)
from norce_order_async.calibration.receiver import Receiver
from norce_order_async.calibration.state import MARK, Made, StateFile, StateFileError
from norce_order_async.calibration.wire import ORDERS, PER_MINUTE, NoEvidenceError, StopError, Wire
from norce_order_async.context import Context
from norce_order_async.engines.base import Engine
from norce_order_async.environments import is_loopback
from norce_order_async.runtime.clock import Clock

_BUILD_HEADERS: Final = ("x-version", "x-build", "x-app-version", "api-supported-versions")


class CalibrationError(Exception):
    """The calibration could not begin; nothing was created. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settings of a calibration.

    Args:
        base_url: the address before ``/api/v0``.
        context: merchant, channel and adapter.
        token: with or without ``Bearer``.
        state: the file that survives a killed run.
        only: the rules to ask about; all of them when empty.
        allow_completing: whether an order may become accepted.
        other_channel: another channel of the merchant.
    """

    base_url: str
    context: Context
    token: str = field(repr=False)
    state: Path
    only: Collection[str] = ()
    allow_completing: bool = False
    other_channel: str | None = None
    most_orders: int = MOST_ORDERS

    @property
    def per_minute(self) -> int | None:
        """Requests a minute at most; None for a service on this machine."""
        return None if is_loopback(self.base_url) else PER_MINUTE

    @property
    def service(self) -> dict[str, str]:
        """The service that the state file belongs to."""
        return {"base_url": self.base_url, "merchant": self.context.merchant, "channel": self.context.channel}

    def probes(self, *, reachable: bool) -> tuple[list[Probe], dict[str, str]]:
        """The probes to ask, and the rules that are not asked about with the reason.

        Args:
            reachable: whether the service can reach a receiver.
        """
        met = {"nothing": True, "other-channel": self.other_channel is not None, "public-url": reachable}
        wanted = [probe for rule, probe in PROBES.items() if not self.only or rule in self.only]
        unasked = {rule: why for rule, why in NOT_PROBED.items() if not self.only or rule in self.only}
        unasked |= {probe.rule: UNMET[probe.needs] for probe in wanted if not met[probe.needs]}
        return [probe for probe in wanted if met[probe.needs]], unasked


@dataclass(slots=True)
class Result:
    """The results of a calibration."""

    when: datetime
    verdicts: dict[str, Verdict] = field(default_factory=dict[str, Verdict])
    unasked: dict[str, str] = field(default_factory=dict[str, str])
    """Rules without a question in this run, with the reason."""
    stopped: str | None = None
    """Why it ended early."""
    left: list[Made] = field(default_factory=list[Made])
    """Orders that are still there, or may be."""
    orders: int = 0
    requests: int = 0
    build: str = "the service names none"
    differences: Differences = field(default_factory=Differences)
    described: Described = field(default_factory=Described)


def headers_of(context: Context, token: str) -> dict[str, str]:
    """The headers of every request."""
    headers = {"authorization": bearer(token), "x-merchant": context.merchant, "x-channel": context.channel}
    return headers if context.adapter_id is None else headers | {"x-adapterid": context.adapter_id}


async def calibrate(
    plan: Plan,
    engine: Engine,
    clock: Clock,
    *,
    receiver: Receiver | None = None,
    say: Callable[[str], None] = lambda _: None,
    clean_only: bool = False,
) -> Result:
    """Calibrate.

    Args:
        plan: the settings.
        engine: sends the requests; the caller closes it.
        clock: the clock for the rate, for waiting, and for the times in the report.
        receiver: receives callbacks; None if the service can't reach one.
        say: called with a line for each step. No line has data of an answer.
        clean_only: only remove the orders that an earlier run has left.

    Raises:
        CalibrationError: the calibration could not begin.
        StateFileError: the state file can't be used; nothing was sent. If it can't be written later, the run stops and
            removes its orders.
    """
    lock = RunLock(plan.state)
    state: StateFile | None = None
    try:
        try:
            lock.take()
        except JournalLockedError:
            raise CalibrationError(f"another calibration is running with {plan.state.name}") from None
        except OSError as error:
            raise StateFileError(f"{plan.state.name} can't be made: {error.strerror}") from None
        state = StateFile.open(plan.state, plan.service)
        wire = Wire(plan.base_url, headers_of(plan.context, plan.token), engine, clock, plan.per_minute)
        bench = Bench(
            wire,
            state,
            f"{MARK}{secrets.token_hex(6)}",
            allow_completing=plan.allow_completing,
            other_channel=plan.other_channel,
            receiver=receiver,
            most_orders=plan.most_orders,
        )
        result = Result(datetime.fromtimestamp(clock.wall(), UTC))
        run = _Run(plan, bench, Cleaner(bench), result, say)
        await run.from_before()
        if not clean_only:
            await run.everything()
        result.left = state.left
        return result
    finally:
        if state is not None:
            state.close()
        lock.release(remove=True)


@dataclass(slots=True)
class _Run:
    plan: Plan
    bench: Bench
    cleaner: Cleaner
    result: Result
    say: Callable[[str], None]
    asked: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """By rule, the operations that its verdict depends on."""
    mute: bool = False
    """Whether the output can't be written any more."""

    def _say(self, line: str) -> None:
        # A full disk or a closed pipe must not leave orders behind.
        if not self.mute:
            try:
                self.say(line)
            except OSError:
                self.mute = True

    async def from_before(self) -> None:
        """Remove the orders that an earlier run has left."""
        before = len(self.bench.state.left)
        if not before:
            return
        self._say(
            f"An earlier run ended before it had removed its orders: looking for the {before} that it may have left."
        )
        try:
            await self.cleaner.clean()
        except StopError as error:
            raise CalibrationError(str(error)) from None
        if self.bench.state.left:
            raise CalibrationError(
                f"{len(self.bench.state.left)} orders of an earlier run could not be removed; "
                f"{self.plan.state.name} names them, and nothing more is created before they are gone"
            )
        self._say("They are gone.")

    async def everything(self) -> None:
        """Ask the probes, clean up and collect the results."""
        await self._first_question()
        probes, self.result.unasked = self.plan.probes(reachable=self.bench.receiver is not None)
        try:
            await self._ask(probes)
            again = [probe for probe in probes if _may_ask_again(self.result.verdicts[probe.rule])]
            if again:
                self._say(f"Asking again where no answer came: {len(again)} rules.")
                await self._ask(again)
        except StopError as error:
            self.result.stopped = str(error)
            self._say(f"Stopped: {error}.")
        for probe in probes:
            self.result.verdicts.setdefault(probe.rule, CouldNotTell("the run was stopped before"))
        self._say("Removing the orders.")
        self.bench.wire.lenient = True
        await self.cleaner.clean()
        self._withdraw()
        if self.result.stopped is None:
            self.result.described = await look_for(self.bench.wire)
        wire = self.bench.wire
        self.result.orders, self.result.requests = self.bench.created, wire.requests
        masking = Masking([self.plan.token.split()[-1]])
        self.result.differences = differences(wire.seen, masking)
        named = {f"{name}: {masking.word(each.headers[name])}" for each in wire.seen for name in _BUILD_HEADERS
                 if name in each.headers}  # fmt: skip
        if named:
            self.result.build = ", ".join(sorted(named))

    async def _first_question(self) -> None:
        """Read an empty list, to check the connection before anything is created."""
        try:
            answer = await self.bench.wire.read(ORDERS, reference=self.bench.run, limit="1")
        except (NoEvidenceError, StopError) as error:
            raise CalibrationError(f"the service does not answer: {error}; nothing was created") from None
        if answer.status != 200:
            meaning = {401: ": the token is not known", 403: ": the token is not for this merchant and channel"}
            raise CalibrationError(
                f"listing orders is answered {answer.status}{meaning.get(answer.status, '')}; nothing was created. "
                "norce-order doctor looks at the settings"
            )

    def _withdraw(self) -> None:
        """Withdraw the verdicts that depend on an operation that contradicted itself during the run."""
        for rule, asked in self.asked.items():
            doubted = sorted(asked & self.bench.doubted)
            if doubted and not isinstance(self.result.verdicts[rule], CouldNotTell):
                verdict = CouldNotTell(f"answers to {doubted[0]} contradicted each other")
                self.result.verdicts[rule] = verdict
                self._say(f"{rule}, withdrawn: {in_words(verdict)}")

    async def _ask(self, probes: list[Probe]) -> None:
        for probe in probes:
            before = len(self.bench.wire.seen)
            try:
                verdict: Verdict = await probe.ask(self.bench)
            except NoEvidenceError as error:
                verdict = CouldNotTell(str(error), may_ask_again=True)
            self.result.verdicts[probe.rule] = verdict
            # Creations and reads by other probes count too.
            self.asked[probe.rule] = {CREATION, READ} | {
                f"{each.method} {each.path}" for each in self.bench.wire.seen[before:]
            }
            self._say(f"{probe.rule}: {in_words(verdict)}")
            if self.mute:
                raise StopError("the output can't be written any more")
            if stuck := await self.cleaner.clean(keep_shared=True):
                raise StopError(f"{len(stuck)} test orders can't be removed from the status they are in")


def _may_ask_again(verdict: Verdict) -> bool:
    return isinstance(verdict, CouldNotTell) and verdict.may_ask_again


def in_words(verdict: Verdict) -> str:
    """A verdict on one line."""
    match verdict:
        case Follows(reading):
            return reading
        case Neither(does):
            return f"neither: {does}"
        case CouldNotTell(why):
            return f"could not tell ({why})"
