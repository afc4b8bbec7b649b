"""A job is killed at random moments while the service loses answers and rejects requests."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from norce_order_async.bulk.journal.inspect import read_journal
from norce_order_async.sandbox import READY, FaultPlan, FaultRule, Sandbox
from norce_order_async.sandbox.faults.kinds import LimitRate, LoseAnswer
from norce_order_async.sandbox.faults.plan import WRITES
from tests.bulk.support import client_of, effects, new_orders
from tests.support.faults import Fault, Passing
from tests.support.proxy import Proxy
from tests.support.warm import DEVNULL, OURS, script

pytestmark = pytest.mark.slow(group="killed")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose log holds every request, so that a test can kill by number."""
    with Sandbox(token="sandbox-token", keep_requests=1_000_000) as sandbox:
        yield sandbox


class Allowance:
    """Lets a number of requests pass, if one is set. The others get no answer, and the service does not see them.

    A job that is killed late therefore does not get further than that."""

    def __init__(self) -> None:
        self.left: int | None = None

    def __call__(self, _request: Passing) -> Fault:
        if self.left is None:
            return Fault.PASS
        self.left -= 1
        return Fault.PASS if self.left >= 0 else Fault.SILENCE


PROGRAM = Path(__file__).with_name("killed_job.py")
BOTH = FaultPlan(
    (
        FaultRule(LimitRate(200, burst=20, form="milliseconds")),
        FaultRule(LoseAnswer(), WRITES, share=0.05),
    )
)
"""The service loses one in twenty of the answers. It allows two hundred requests a second, so that thousands end in
time."""


def run_once(sandbox: Sandbox, proxy: Proxy, journal: Path, ids: Path, kill_after: int | None) -> bool:
    """Run the job, and kill it once the service has received this many more requests. Returns whether it was killed."""
    before = received(sandbox)
    given = (proxy.base_url, str(journal), str(ids))
    with OURS.start(script(PROGRAM), *given, stdout=DEVNULL, cwd=PROGRAM.parents[3]) as job:
        try:
            while kill_after is not None and job.poll() is None:
                if received(sandbox) - before >= kill_after:
                    return True
                time.sleep(0.002)
            _, errors = job.communicate()
        finally:
            job.kill()
        assert job.returncode == 0, errors
        return False


def received(sandbox: Sandbox) -> int:
    """How many requests the service has received."""
    return len(sandbox.requests)


def kill_often(sandbox: Sandbox, folder: Path, *, orders: int, kills: int, faults: FaultPlan) -> None:
    """Kill a job again and again, let it finish, and compare its journal with the service's own records."""

    async def prepare() -> list[str]:
        async with client_of(sandbox) as norce:
            return await new_orders(norce, orders)

    keys = anyio.run(prepare)
    ids, journal = folder / "ids", folder / "remove.journal"
    ids.write_text("\n".join(keys))
    sandbox.faults.play(faults)
    rng = random.Random(orders)
    plan = Allowance()
    most = orders // (kills + 1)
    with Proxy(sandbox.base_url, plan, answers_all=False) as proxy:
        for _ in range(kills):
            # Some runs are killed before they have sent anything. All of them together never finish the job.
            kill_after = rng.randint(0, most)
            plan.left = kill_after + rng.randint(0, (orders - 1 - kills * most) // kills)
            assert run_once(sandbox, proxy, journal, ids, kill_after), "the job was done too soon"
        plan.left = None
        run_once(sandbox, proxy, journal, ids, None)
    report = read_journal(journal)
    changed = effects(sandbox)
    assert set(changed.values()) == {1}, "an order was changed twice"
    assert set(changed) == set(keys), "an order was lost"
    assert report.counts == {"confirmed": orders}, report.reasons


@pytest.mark.parametrize(
    ("faults", "orders"),
    [
        # The last case has the faults of both of these.
        pytest.param(READY["lost-answers"], 150, marks=pytest.mark.soak),
        pytest.param(READY["rate-limited"], 90, marks=pytest.mark.soak),
        (READY["chaos"], 90),
        (BOTH, 150),
    ],
    ids=["lost-answers", "rate-limited", "chaos", "both"],
)
def test_every_order_is_changed_exactly_once(sandbox: Sandbox, tmp_path: Path, faults: FaultPlan, orders: int) -> None:
    """The service's own log shows it, however often the job is killed."""
    kill_often(sandbox, tmp_path, orders=orders, kills=5, faults=faults)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "faults",
    [READY["lost-answers"], READY["rate-limited"], BOTH],
    ids=["lost-answers", "rate-limited", "both"],
)
def test_two_hundred_kills_in_a_row(sandbox: Sandbox, tmp_path: Path, faults: FaultPlan) -> None:
    kill_often(sandbox, tmp_path, orders=5000, kills=200, faults=faults)
