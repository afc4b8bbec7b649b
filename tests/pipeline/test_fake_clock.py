"""The virtual clock, which all other tests here rely on."""

from __future__ import annotations

import anyio
import pytest

from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio


async def test_tasks_share_one_time() -> None:
    """Sleeps run side by side, wake in the order of their ends, and scopes end in between."""
    clock = FakeClock()
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        seen.append((name, clock.passed))

    async def bounded() -> None:
        with clock.move_on_after(15.0) as scope:
            await clock.sleep(60.0)
        seen.append(("scope", clock.passed))
        assert scope.cancelled_caught

    async with anyio.create_task_group() as group:
        group.start_soon(sleeper, "long", 20.0)
        group.start_soon(sleeper, "short", 10.0)
        group.start_soon(bounded)
    assert seen == [("short", 10.0), ("scope", 15.0), ("long", 20.0)]


async def test_a_scope_left_in_time_changes_nothing() -> None:
    """A scope that is left in time does not fire, and its time does not pass."""
    clock = FakeClock()
    with clock.move_on_after(5.0) as scope:
        await clock.sleep(1.0)
    await clock.sleep(1.0)
    assert (clock.passed, scope.cancelled_caught) == (2.0, False)


async def test_time_stands_still_while_a_task_works() -> None:
    """A task that only yields is not blocked."""
    clock = FakeClock()
    moments: list[float] = []

    async def worker() -> None:
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
            moments.append(clock.passed)

    async with anyio.create_task_group() as group:
        group.start_soon(clock.sleep, 1.0)
        group.start_soon(worker)
    assert moments == [0.0] * 20
    assert clock.passed == 1.0
