"""Ctrl-C and SIGTERM during a job: requests in flight end, the rest is reported, and nothing is done twice."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from norce_order_async import Job, NorceOrderClient
from tests.cli.inside import inside
from tests.cli.shop import Shop, shop
from tests.cli.terminal import Ran, on_terminal, piped, started
from tests.support.faults import Fault, Passing
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until
from tests.support.warm import Program

TO_STATUS = "UpdateCheckoutOrderState"
SET_REFERENCE = "UpdateCheckoutOrderReference"


class Gate(Proxy):
    """A proxy that passes the first changes on, and holds the others back until it is opened."""

    passing = 2

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream, self._chosen)

    def _chosen(self, request: Passing) -> Fault:
        if not request.writes:
            return Fault.PASS
        self.passing -= 1
        return Fault.PASS if self.passing >= 0 else Fault.HOLD


@pytest.fixture
def without_gate() -> Generator[Shop]:
    with shop(800) as opened:
        yield opened


@pytest.fixture
def gate(without_gate: Shop) -> Generator[Gate]:
    with Gate(without_gate.sandbox.base_url) as gate:
        yield gate


@pytest.fixture
def here(without_gate: Shop, gate: Gate) -> Shop:
    """Return a service whose changes wait until the gate is open."""
    return replace(without_gate, env={**without_gate.env, "NORCE_BASE_URL": gate.base_url})


@contextmanager
def _started(here: Shop, gate: Gate, arguments: list[str]) -> Generator[Program]:
    """Start a job, and wait until it has changed as many orders as may pass and has sent another one."""
    with started(*arguments, env=here.env) as process:
        try:
            wait_until(lambda: gate.counts[Fault.HOLD] or process.poll() is not None)
            assert process.poll() is None, process.communicate()
            yield process
        finally:
            process.kill()


def _stopped(process: Program, number: signal.Signals = signal.SIGINT) -> str:
    """Send a signal, and return the line that the job writes about it."""
    process.send_signal(number)
    assert process.stderr is not None
    said = process.stderr.readline()
    assert said.startswith("stopping: ")
    return said


def _ended(process: Program) -> Ran:
    out, err = process.communicate()
    return Ran(process.wait(), out, err)


def _job(here: Shop, tmp_path: Path) -> tuple[list[str], list[str]]:
    ids = here.ids(10)
    file = tmp_path / "ids.csv"
    file.write_text("order_id\n" + "\n".join(ids))
    journal = tmp_path / "close.journal"
    arguments = ["bulk", "transition", "--to", "accepted", "--from-file", str(file), "--journal", str(journal)]
    return ids, [*arguments, "--max-in-flight", "2"]


def _all_once(here: Shop, ids: list[str]) -> None:
    assert {here.status(each) for each in ids} == {"accepted"}
    assert [len(here.sandbox.effects.of(each, TO_STATUS)) for each in ids] == [1] * len(ids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_lets_requests_in_flight_end(here: Shop, gate: Gate, tmp_path: Path, number: signal.Signals) -> None:
    """The output has the command that continues the job, and in the end every order is changed exactly once."""
    ids, arguments = _job(here, tmp_path)
    with _started(here, gate, arguments) as process:
        _stopped(process, number)
        gate.let_go()
        ran = _ended(process)
    assert ran.code == 4, ran.err
    assert "Traceback" not in ran.err
    assert "left" in ran.out
    (to_go_on,) = [line for line in ran.err.splitlines() if line.strip().startswith("norce-order bulk transition")]
    assert shlex.split(to_go_on) == ["norce-order", *arguments]
    changed = len(here.sandbox.effects.of(operation=TO_STATUS))
    assert 2 < changed <= 4
    assert piped(*shlex.split(to_go_on)[1:], env=here.env).code == 0
    _all_once(here, ids)


@pytest.mark.parametrize("journaled", [True, False])
def test_items_that_wait_for_the_rate_are_not_sent(here: Shop, gate: Gate, tmp_path: Path, journaled: bool) -> None:
    """Of sixty orders at five a second, those reported as done are those that were changed, and the next run does the
    rest."""
    ids = here.ids(60, "completed")
    file, journal = tmp_path / "rows.csv", str(tmp_path / "refs.journal")
    file.write_text("order_id,reference\n" + "\n".join(f"{each},erp-{each}" for each in ids))
    arguments = ["bulk", "set-reference", "--from-file", str(file), "--rate", "5", "--json"]
    arguments += ["--journal", journal] if journaled else []
    with _started(here, gate, arguments) as process:
        said = _stopped(process)
        gate.let_go()
        ran = _ended(process)
    assert "Traceback" not in said + ran.err
    assert ran.code == 4, ran.err
    *orders, last = map(json.loads, ran.out.splitlines())
    summary = last["summary"]
    changed = len(here.sandbox.effects.of(operation=SET_REFERENCE))
    assert 2 <= changed < 60
    assert summary["verdicts"]["done"] == changed == [order["verdict"] for order in orders].count("done")
    assert set(summary["verdicts"]) <= {"done", "not tried"}
    assert (summary["left"], summary["stopped"]) == (60 - changed, "SIGINT")
    if not journaled:
        assert "progress was not recorded" in ran.err
        return
    assert "to continue:" in ran.err
    counted = json.loads(inside("bulk", "status", journal, "--json").out)
    assert counted["states"] == {"confirmed": changed, "planned": 60 - changed}
    arguments[arguments.index("5")] = "1000"
    assert inside(*arguments, env=here.env).code == 0
    assert [len(here.sandbox.effects.of(each, SET_REFERENCE)) for each in ids] == [1] * 60


@pytest.mark.parametrize("journaled", [True, False])
def test_stopped_when_all_is_in_flight(here: Shop, gate: Gate, tmp_path: Path, journaled: bool) -> None:
    """If all orders are in flight when the signal comes, all are done and there is nothing to continue."""
    _, arguments = _job(here, tmp_path)
    file = Path(arguments[arguments.index("--from-file") + 1])
    file.write_text("\n".join(file.read_text().splitlines()[:3]))
    at = arguments.index("--journal")
    arguments = arguments if journaled else arguments[:at] + arguments[at + 2 :]
    gate.passing = 0
    with _started(here, gate, arguments) as process:
        wait_until(lambda: gate.counts[Fault.HOLD] == 2)
        _stopped(process)
        gate.let_go()
        ran = _ended(process)
    assert ran.code == 0, ran.err
    assert "to continue" not in ran.err
    assert "stopped" not in ran.out


def test_two_signals_stop_at_once(here: Shop, gate: Gate, tmp_path: Path) -> None:
    """The journal has the orders that were in flight, so the next run changes nothing twice."""
    ids, arguments = _job(here, tmp_path)
    with _started(here, gate, arguments) as process:
        _stopped(process)
        process.send_signal(signal.SIGINT)
        ran = _ended(process)
    assert ran.code == 130, ran.err
    assert "Traceback" not in ran.err
    assert "to continue:" in ran.err
    # The requests in flight take effect.
    gate.let_go()
    gate.settle()
    assert inside(*arguments, env=here.env).code == 0
    _all_once(here, ids)


def test_pressed_on_a_terminal(here: Shop, gate: Gate, tmp_path: Path) -> None:
    """After Ctrl-C the terminal's cursor is shown again, and the summary has the signal."""
    _, arguments = _job(here, tmp_path)
    go_on = {"press Ctrl-C again": gate.let_go}
    ran = on_terminal(*arguments, env=here.env, wait_for="2 at once", then=b"\x03", on=go_on)
    assert ran.code == 4, ran.out
    assert "press Ctrl-C again" in ran.out
    assert "\x1b[?25h" in ran.out
    assert "SIGINT" in ran.out
    assert "Traceback" not in ran.out


def test_two_runs_exclude_each_other(here: Shop, gate: Gate, tmp_path: Path) -> None:
    ids, arguments = _job(here, tmp_path)
    with _started(here, gate, arguments) as process:
        second = inside(*arguments, env=here.env)
        assert (second.code, second.out) == (2, "")
        assert "another run" in second.err
        told = inside("bulk", "status", arguments[arguments.index("--journal") + 1], "--json")
        assert told.code == 4
        assert json.loads(told.out)["running"]
        _stopped(process)
        gate.let_go()
        assert _ended(process).code == 4
    assert inside(*arguments, env=here.env).code == 0
    _all_once(here, ids)


def test_a_job_without_a_journal_reports_it(here: Shop, gate: Gate, tmp_path: Path) -> None:
    _, arguments = _job(here, tmp_path)
    at = arguments.index("--journal")
    with _started(here, gate, arguments[:at] + arguments[at + 2 :]) as process:
        _stopped(process)
        gate.let_go()
        ran = _ended(process)
    assert ran.code == 4, ran.err
    assert "--journal" in ran.err


def test_a_second_signal_waits_for_no_answer(
    here: Shop, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders in flight are reported as unknown by then, so the client closes without waiting for their answers."""
    _, arguments = _job(here, tmp_path)
    told: list[bool] = []
    graces: list[float] = []
    stop, close = Job.stop, NorceOrderClient.aclose

    def stopped(job: Job, *, now: bool = False, why: str = "stopped") -> None:
        stop(job, now=now, why=why)
        told.append(now)

    async def closed(client: NorceOrderClient, grace: float = 25.0) -> None:
        graces.append(grace)
        await close(client, grace)

    monkeypatch.setattr(Job, "stop", stopped)
    monkeypatch.setattr(NorceOrderClient, "aclose", closed)

    def interrupt() -> None:
        wait_until(lambda: gate.counts[Fault.HOLD])
        signal.raise_signal(signal.SIGINT)
        wait_until(lambda: told)
        signal.raise_signal(signal.SIGINT)

    thread = Thread(target=interrupt)
    thread.start()
    ran = inside(*arguments, env=here.env)
    thread.join()
    assert ran.code == 130, ran.err
    assert told[:2] == [False, True]
    assert graces[0] == 0.0
    assert "unknown" in ran.out
