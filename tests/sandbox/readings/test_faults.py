"""Some answers leave the outcome of a request open."""

from __future__ import annotations

import httpx
import pytest

from norce_order_async.sandbox import READY, ManualClock, Sandbox

from .support import Wire, under, waits

pytestmark = pytest.mark.anyio


@under("unprocessed-503", {"not-done": 0, "may-have-been-done": 2})
async def test_a_503_with_retry_after(wire: Wire, expected: int) -> None:
    for form in ("seconds", "milliseconds"):
        wire.sandbox.faults.play({"rules": [{"fault": {"answer": {"status": 503, "retry_after": 1, "form": form}}}]})
        assert await wire.status("POST", "/orders", {}) == 503
    for fault in ({"status": 503}, {"status": 500, "retry_after": 1}, {"status": 429, "retry_after": 1}):
        wire.sandbox.faults.play({"rules": [{"fault": {"answer": fault}}]})
        assert await wire.status("POST", "/orders", {}) == fault["status"]
        assert "unprocessed-503" not in wire.last()
    wire.sandbox.faults.stop()
    assert (await wire.listed())["pagination"]["totalSize"] == expected == len(wire.sandbox.effects)


async def test_a_lost_request_that_takes_effect_late() -> None:
    """This is a fault and not a reading. The connection breaks at once, and the change is there 3 s later. A read is
    only lost."""
    clock = ManualClock()
    async with Sandbox(clock=clock, faults={"rules": [{"fault": "lost-then-late", "first": 1}]}) as sandbox:
        wire = Wire(sandbox, clock, "", "")
        with pytest.raises(httpx.RemoteProtocolError):
            await wire.send("POST", "/orders", {"reference": "late"})
        with pytest.raises(httpx.RemoteProtocolError):
            await wire.send("GET", "/orders")
        assert sandbox.requests[0].status is None
        assert sandbox.requests[0].faults == ("answer lost, change later",)
        assert not sandbox.effects
        clock.advance(2.9)
        assert (await wire.listed())["data"] == []
        clock.advance(0.1)
        await waits(lambda: len(sandbox.effects) == 1)
        assert [order["reference"] for order in (await wire.listed())["data"]] == ["late"]
        await wire.aclose()
    assert "lost-then-late" not in READY
