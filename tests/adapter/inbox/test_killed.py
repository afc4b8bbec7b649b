"""The process of an inbox is killed at random moments: between the 200 and the handler, and within both."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.adapter.deliveries import delivery
from tests.adapter.inbox.places import Place, column
from tests.support.warm import OURS, PIPE, Program, module

pytestmark = pytest.mark.slow(group="killed")

PROGRAM = Path(__file__).with_name("killed_inbox.py")
ROOT = PROGRAM.parents[3]
ORDERS = 40
PAUSE = 0.004


class Service:
    """Sends notifications in random order until each was answered. It sends some of them twice."""

    def __init__(self, count: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.given = [
            {"number": number, "order": f"o_{number % ORDERS}", "version": number // ORDERS} for number in range(count)
        ]
        self.waiting = [number for number in range(count) for _ in range(1 + (self.random.random() < 0.2))]
        self.random.shuffle(self.waiting)

    @property
    def keys(self) -> set[str]:
        return {
            delivery({"id": each["order"], "version": each["version"]}, order_id=str(each["order"])).key
            for each in self.given
        }

    def calls(self, process: Program, most: int, kill_after: int | None) -> None:
        """Send some notifications to a process. If ``kill_after`` is set, kill the process after so many answers."""
        some, self.waiting = self.waiting[:most], self.waiting[most:]
        assert process.stdin is not None
        assert process.stdout is not None
        for number in some:
            process.stdin.write(json.dumps(self.given[number]) + "\n")
        process.stdin.flush()
        for _ in range(len(some) if kill_after is None else min(kill_after, len(some))):
            line = process.stdout.readline()
            assert line, "it ended by itself"
            some.remove(int(line))
        if kill_after is not None:
            process.kill()
            # Answers in flight are lost, and their notifications are sent again.
            self.waiting += some
            self.random.shuffle(self.waiting)


def begin(place: Place, effects: Path) -> Program:
    program = module("tests.adapter.inbox.killed_inbox")
    return OURS.start(program, place.address, str(effects), str(PAUSE), stdin=PIPE, cwd=ROOT)


def end(process: Program) -> str:
    """Wait for the end of a process. Returns its error output."""
    assert process.stderr is not None
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait()
    return errors


def provider(folder: Path) -> Path:
    effects = folder / "effects"
    connection = sqlite3.connect(effects)
    connection.executescript(
        "PRAGMA journal_mode=WAL; CREATE TABLE effect (key TEXT PRIMARY KEY); "
        "CREATE TABLE run (number INTEGER PRIMARY KEY, key TEXT, process INTEGER, begun REAL, ended REAL);"
    )
    connection.close()
    return effects


def check(service: Service, place: Place, effects: Path) -> Counter[str]:
    """Check that every notification was handled, took effect once, and never ran twice at the same time. Returns how
    often each ran."""
    connection = sqlite3.connect(effects)
    took_effect = [key for (key,) in connection.execute("SELECT key FROM effect")]
    runs = connection.execute("SELECT key, process, begun, ended FROM run ORDER BY key, begun").fetchall()
    connection.close()
    assert not service.waiting
    assert set(took_effect) == service.keys
    assert len(took_effect) == len(service.keys)
    assert Counter(column(place, "state")) == {"handled": len(service.keys)}
    for (key, _, _, ended), (next_key, _, next_begun, _) in itertools.pairwise(runs):
        # A run without an end failed, or its process was killed.
        assert key != next_key or ended is None or ended <= next_begun, "a handler ran twice at once"
    return Counter(key for key, *_ in runs)


def kill_often(place: Place, folder: Path, *, count: int, kills: int) -> Counter[str]:
    """Kill the process again and again, and then let it finish."""
    service, effects = Service(count, seed=count), provider(folder)
    most = len(service.waiting) // (kills + 1)
    for _ in range(kills):
        process = begin(place, effects)
        service.calls(process, most, service.random.randint(0, most))
        end(process)
    process = begin(place, effects)
    while service.waiting:
        service.calls(process, 50, None)
    errors = end(process)
    assert process.returncode == 0, errors
    return check(service, place, effects)


def test_every_notification_is_handled_and_takes_effect_once(place: Place, tmp_path: Path) -> None:
    """The service does not send an answered notification again, so only the inbox has it."""
    kill_often(place, tmp_path, count=150, kills=5)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_kills_in_a_row(place: Place, tmp_path: Path) -> None:
    kill_often(place, tmp_path, count=2000, kills=100)


def two_processes(place: Place, folder: Path, *, count: int, kills: int) -> None:
    """Let two processes work on one inbox, and kill them in turns."""
    service, effects = Service(count, seed=count), provider(folder)
    processes = [begin(place, effects), begin(place, effects)]
    most = len(service.waiting) // (2 * (kills + 1))
    for turn in range(kills):
        service.calls(processes[1 - turn % 2], most, None)
        service.calls(processes[turn % 2], most, service.random.randint(0, most))
        end(processes[turn % 2])
        processes[turn % 2] = begin(place, effects)
    while service.waiting:
        for process in processes:
            service.calls(process, 50, None)
    for process in processes:
        errors = end(process)
        assert process.returncode == 0, errors
    check(service, place, effects)
    connection = sqlite3.connect(effects)
    assert len(connection.execute("SELECT DISTINCT process FROM run").fetchall()) > 1
    connection.close()


@pytest.mark.slow(group="postgres")
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_two_processes_share_an_inbox(place: Place, tmp_path: Path) -> None:
    """The entries of a killed process are handled when its lease is over."""
    two_processes(place, tmp_path, count=200, kills=3)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.slow(group="postgres"))], indirect=True)
def test_two_processes_share_an_inbox_through_forty_kills(place: Place, tmp_path: Path) -> None:
    two_processes(place, tmp_path, count=2000, kills=40)
