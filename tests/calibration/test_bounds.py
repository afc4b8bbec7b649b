"""What a calibration never does: create too many orders, send too many requests, set a status that starts adapters,
or do damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from norce_order_async.calibration.bench import MOST_ORDERS, Bench, TestOrder
from norce_order_async.calibration.run import CalibrationError
from norce_order_async.calibration.state import StateFile
from norce_order_async.calibration.wire import PER_MINUTE, Exchange, RateLimit, Wire
from norce_order_async.engines.base import WireRequest, WireResponse
from norce_order_async.sandbox import Sandbox

from .support import Instead, SandboxTime, an_engine, calibrated, left_in, made_in, named, plan_for


def test_no_more_than_forty_requests_a_minute() -> None:
    """The limit holds for any sixty seconds, however the requests come."""
    clock = SandboxTime()

    async def run() -> list[float]:
        limit, sent = RateLimit(clock, PER_MINUTE), list[float]()
        for number in range(150):
            if number % 7 == 0:
                await clock.sleep(3.0)
            await limit.take()
            sent.append(clock.monotonic())
        return sent

    sent = anyio.run(run)
    for index, moment in enumerate(sent):
        assert len([other for other in sent[index:] if other < moment + 59.9]) <= PER_MINUTE
    assert sent[-1] - sent[0] < 4 * 60.0, "it waits no longer than it has to"


def test_requests_that_belong_together_are_sent_together() -> None:
    """The rate makes room for both, so that two requests that should meet are not separated."""
    clock = SandboxTime()

    async def run() -> float:
        limit = RateLimit(clock, PER_MINUTE)
        for _ in range(PER_MINUTE - 1):
            await limit.take()
        await limit.room(2)
        before = clock.ahead
        await limit.take()
        await limit.take()
        return clock.ahead - before

    assert anyio.run(run) == 0


def test_only_a_service_on_this_machine_has_no_rate(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        plan = plan_for(sandbox, tmp_path)
    assert plan.per_minute is None
    assert replace(plan, base_url="https://acme.api-se.stage.norce.tech/checkout/order").per_minute == PER_MINUTE


@pytest.mark.parametrize("most", [1, 3, 7])
def test_never_more_orders_than_allowed(most: int, tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, most_orders=most)
        assert made_in(sandbox) == most
        assert left_in(sandbox) == 0
    assert result.left == []
    assert any(f"has created {most} orders" in str(each) for each in result.verdicts.values())


def test_a_plain_run_needs_fewer_than_twenty_orders(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        calibrated(sandbox, tmp_path, reachable=False, allow_completing=True)
        assert made_in(sandbox) < MOST_ORDERS


def _statuses_asked_for(sandbox: Sandbox) -> set[str]:
    return {json.loads(each.body)["currentStatus"] for each in sandbox.requests.of("UpdateCheckoutOrderState")}


def test_no_order_is_accepted_unless_allowed(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        calibrated(sandbox, tmp_path)
        assert _statuses_asked_for(sandbox) == {"checkout", "processing", "removed"}


def test_no_order_is_completed_even_if_allowed(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        calibrated(sandbox, tmp_path, allow_completing=True)
        assert _statuses_asked_for(sandbox) == {"checkout", "processing", "removed", "accepted"}


@pytest.mark.parametrize(("status", "allowed"), [("accepted", False), ("completed", False), ("completed", True)])
def test_a_bench_refuses_a_status_that_is_not_allowed(status: str, allowed: bool, tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        clock = SandboxTime(sandbox)
        wire = Wire(sandbox.base_url, {}, an_engine(), clock, None)
        state = StateFile.open(tmp_path / "state", {})
        bench = Bench(wire, state, "norce-calibrate-0123456789ab", allow_completing=allowed)
        order = TestOrder("o1", state.about_to_create("norce-calibrate-0123456789ab-1"), Exchange(
            "GET", "/", {}, None, 200, {}, b"", {}, began=0.0, took=0.0
        ))  # fmt: skip
        with pytest.raises(ValueError, match="must not move"):
            anyio.run(bench.put_status, order, status)
        assert len(sandbox.requests) == 0


def _answering(status: int, when: Callable[[WireRequest], bool] = lambda _: True) -> Instead:
    """Give these requests an answer with this status, without the service."""
    return lambda request: WireResponse(status, {}, b"{}") if when(request) else None


def test_the_third_5xx_stops_it(tmp_path: Path) -> None:
    """Other answers may come between them. The run still removes its orders."""
    sent: list[str] = []

    def fails(request: WireRequest) -> bool:
        sent.append(request.method)
        return request.method == "PATCH"

    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, instead=_answering(503, fails))
        assert left_in(sandbox) == 0
    assert result.stopped == "the service failed 3 times (HTTP 503 the last time)"
    assert sent.count("PATCH") == 3
    assert "cart-total" in named(result), "what was told before counts"
    assert result.left == []


def test_a_stopped_run_reports_the_open_questions(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, instead=_answering(500, lambda request: request.url.endswith("/cart")))
    assert "stopped before" in str(result.verdicts["delete-order"])


def test_an_order_that_can_not_be_removed_stops_it(tmp_path: Path) -> None:
    """The run creates few more orders, and its file names this one until it is gone."""

    def stuck(request: WireRequest) -> bool:
        return request.method == "DELETE" or (request.method == "PUT" and b'"removed"' in (request.body or b""))

    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, instead=_answering(409, stuck))
        assert result.stopped == "1 test orders can't be removed from the status they are in"
        assert made_in(sandbox) < 8
        assert result.left
        assert (tmp_path / "calibration.state").exists()
        # The orders can be removed now, and the file is removed with them.
        calibrated(sandbox, tmp_path, clean_only=True)
        assert left_in(sandbox) == 0
    assert not (tmp_path / "calibration.state").exists()


@pytest.mark.parametrize(("status", "meaning"), [(401, "the token is not known"), (403, "is not for"), (404, "404")])
def test_a_service_that_refuses_the_token(status: int, meaning: str, tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        with pytest.raises(CalibrationError, match=f"{meaning}.*nothing was created"):
            calibrated(sandbox, tmp_path, instead=_answering(status))
        assert made_in(sandbox) == 0
    assert list(tmp_path.glob("*.state")) == []
