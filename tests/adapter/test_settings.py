"""An adapter's arguments and those that it refuses, the contents of its calls, its validations and its texts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from norce_order_async import ConfigurationError, InvalidRequestError
from norce_order_async.adapter import Adapter, HookCall, SqliteInbox, ValidationCall, deny, problems
from norce_order_async.telemetry import OpenTelemetry
from tests.adapter.conftest import ORDER, SECRET
from tests.support.clock import FakeClock


@pytest.mark.parametrize(
    "arguments",
    [
        {"secret": "short"},
        {"secret": "with/a/slash/in/the/secret"},
        {"secret": []},
        {"secret": [SECRET, 7]},
        {"secret": None},
        {"bearer": ""},
        {"bearer": "two words"},
        {"bearer": "line\nbreak"},
        {"bearer": []},
        {"public_url": "erp.example.com"},
        {"public_url": "http://erp.example.com"},
        {"public_url": "https://erp.example.com/{order_id}"},
        {"public_url": "https://user:word@erp.example.com"},
        {"public_url": "https://erp.example.com?a=1"},
        {"public_url": "https://[::1"},
        {"merchants": []},
        {"merchants": "acme"},
        {"channels": ["s\ne"]},
        {"version": "v2"},
        {"budget": 0},
        {"budget": float("nan")},
        {"max_concurrent": 0},
        {"workers": 0},
        {"inbox": "erp.inbox"},
        {"inbox": SqliteInbox},
        {"telemetry": True},
    ],
)
def test_impossible_arguments_are_refused_without_being_shown(make: Callable[..., Adapter], arguments: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make(**arguments)
    assert "with/a/slash" not in str(refused.value)
    assert "two words" not in str(refused.value)


@pytest.mark.parametrize(
    "public_url",
    ["https://erp.example.com/norce/", "http://127.0.0.1:9000", "http://adapter:9000", "asgi://erp.example/x"],
)
def test_these_addresses_are_accepted(make: Callable[..., Adapter], public_url: str) -> None:
    assert make(public_url=public_url).public_url == public_url.rstrip("/")


def test_no_text_of_an_adapter_shows_its_secrets(make: Callable[..., Adapter]) -> None:
    adapter = make(secret=[SECRET, SECRET + "-old"], bearer="the-bearer", public_url="https://erp.example.com")
    shown = f"{adapter!r}{vars(adapter)!r}{adapter.simulate!r}"
    assert SECRET not in shown
    assert "the-bearer" not in shown


@pytest.mark.parametrize("arguments", [{"schema": {"type": 7}}, {"schema": object()}, {"ack": "never"}, {"delay": -1}])
def test_impossible_notifications_are_refused(adapter: Adapter, arguments: Any) -> None:
    with pytest.raises(ConfigurationError):
        adapter.notification("/cart", **arguments)


def test_without_the_extra_the_error_names_it(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("norce_order_async.adapter.patches.importlib.import_module", missing)
    with pytest.raises(ConfigurationError, match=r"install norce-order-async with \[adapter\]"):
        adapter.hook("/state")


@pytest.mark.parametrize("code", ["", "two words", "x" * 81, None, "å"])
def test_impossible_codes_are_refused(code: Any) -> None:
    with pytest.raises(InvalidRequestError):
        deny(code)
    with pytest.raises(InvalidRequestError):
        problems((code, "why"))


@pytest.mark.anyio
async def test_a_validation_reports_problems(adapter: Adapter, clock: FakeClock) -> None:
    answers: list[Any] = [None, problems(), problems("empty", ("stock", "none left")), "nonsense"]

    @adapter.validation()
    async def check(call: ValidationCall) -> Any:
        if not answers:
            await clock.sleep(60)
        return answers.pop(0)

    assert [(await adapter.simulate.validation("o1")).status for _ in "ab"] == [200, 200]
    found = await adapter.simulate.validation("o1")
    assert found.json == [
        {"adapterId": "erp", "code": "empty", "message": ""},
        {"adapterId": "erp", "code": "stock", "message": "none left"},
    ]
    assert (await adapter.simulate.validation("o1")).problems[0][0] == "adapter-error"
    assert (await adapter.simulate.validation("o1")).problems[0][0] == "adapter-late"
    assert clock.passed == 3


@pytest.mark.anyio
async def test_the_order_of_another_channel_is_read_in_a_scope_of_its_own(make: Callable[..., Adapter]) -> None:
    adapter = make(channels=["no", "se"])
    scopes: list[str] = []

    @adapter.hook("/state")
    async def guard(call: HookCall) -> None:
        scopes.append(f"{call.norce.merchant}/{call.norce.channel}/{call.norce.adapter_id}")

    await adapter.simulate.hook("/state", ORDER)
    assert scopes == ["acme/no/erp"]


@pytest.mark.every_loop
@pytest.mark.asyncio
async def test_a_cancellation_from_elsewhere_is_a_failure_and_is_answered(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    @adapter.hook("/state")
    async def guard(call: HookCall) -> None:
        other = asyncio.ensure_future(asyncio.sleep(60))
        other.cancel()
        await other

    assert (await adapter.simulate.hook("/state", ORDER)).code == "adapter-error"
    assert "waited for something that was cancelled" in caplog.text


@pytest.mark.every_loop
@pytest.mark.anyio
async def test_a_cancelled_server_cancels_the_handler(adapter: Adapter, clock: FakeClock) -> None:
    import anyio

    ended: list[str] = []

    @adapter.hook("/state")
    async def guard(call: HookCall) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(adapter.simulate.hook, "/state", ORDER)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert ended in (["cancelled"], [])
    assert not adapter.denials


@pytest.mark.anyio
async def test_differences_in_bodies_are_counted(make: Callable[..., Adapter], norce: Any) -> None:
    adapter = make()

    @adapter.hook("/state")
    async def guard(call: HookCall) -> None:
        assert call.proposed.data.id == "oAbCdEfG"

    await adapter.simulate.hook("/state", {**ORDER, "surprise": 1})
    assert ("hook /state", "OrderData.surprise", "extra") in {
        (drift.operation, drift.where, drift.kind) for drift, _ in norce.drift
    }


@pytest.mark.anyio
async def test_spans_join_the_callers_trace_and_have_the_outcome(make: Callable[..., Adapter]) -> None:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    adapter = make(telemetry=OpenTelemetry(tracer_provider=tracers, meter_provider=meters))

    @adapter.hook("/state")
    async def guard(call: HookCall) -> Any:
        return deny("no")

    path = f"/{SECRET}/hook/state/oAbCdEfG"
    body = b'{"id": "oAbCdEfG"}'
    headers = [
        (b"x-merchant", b"acme"),
        (b"x-channel", b"se"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    await adapter({"type": "http", "method": "POST", "path": path, "headers": headers}, receive, send)
    (span,) = spans.get_finished_spans()
    assert sent[0]["status"] == 400
    assert span.context is not None
    assert span.name == "hook /state"
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    attributes = dict(span.attributes or {})
    assert attributes["norce.callback.outcome"] == "denied"
    assert attributes["norce.order.id"] == "oAbCdEfG"
    assert SECRET not in f"{span.to_json()}"
    data: Any = reader.get_metrics_data()
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "norce.adapter.duration"
    tracers.shutdown()
    meters.shutdown()


@pytest.mark.anyio
async def test_a_flood_is_one_line_of_the_log(make: Callable[..., Adapter], caplog: pytest.LogCaptureFixture) -> None:
    adapter = make(secret=SECRET)
    statuses: list[int] = []

    async def receive() -> Any:
        raise NotImplementedError

    async def send(message: Any) -> None:
        if "status" in message:
            statuses.append(message["status"])

    with caplog.at_level(logging.INFO, "norce_order_async.adapter"):
        for _ in range(5):
            await adapter({"type": "http", "method": "POST", "path": "/guess", "headers": []}, receive, send)
    assert statuses == [404] * 5
    assert len(caplog.records) == 1
    assert adapter.counts["refused.secret"] == 5
