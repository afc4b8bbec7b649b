"""Spans and metrics follow OpenTelemetry's conventions for HTTP clients, as the SDK's own exporters show."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from norce_order_async import (
    Answer,
    AttemptInfo,
    AttemptNext,
    BadRequestError,
    CallInfo,
    CallNext,
    CallOptions,
    NorceOrderClient,
    NotFoundError,
    OutcomeUnknownError,
    RefusedError,
    WireRequest,
    WireResponse,
)
from norce_order_async._version import __version__
from norce_order_async.pipeline.operations import CREATE_PAYMENT, GET_ORDER, LIST_ORDERS, SET_CART
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.telemetry import BUCKETS, OpenTelemetry
from tests.support.clock import FakeClock
from tests.support.engine import Script, ScriptedEngine, answer, lost
from tests.support.pipeline import BASE_URL, Stand

pytestmark = pytest.mark.anyio

FOUND = answer(200, {"id": "o1"})
HOST = "acme.api-se.playground.norce.tech"


@dataclass(frozen=True)
class Watched:
    """A client's telemetry and its exporters."""

    telemetry: OpenTelemetry
    tracing: TracerProvider
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    clock: FakeClock

    def stand(self, script: Script, **changes: Any) -> Stand:
        """Make a client with this telemetry and its clock."""
        engine = ScriptedEngine(script, self.clock)
        given: dict[str, Any] = {"base_url": BASE_URL, "merchant": "acme", "channel": "se", "token": "t0ken", **changes}
        return Stand(
            NorceOrderClient(telemetry=self.telemetry, engine=engine, clock=self.clock, **given), engine, self.clock
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        """Return the spans in the order of their ends."""
        return list(self.exporter.get_finished_spans())

    @property
    def points(self) -> list[HistogramDataPoint]:
        """Return the points of the one metric."""
        data = self.reader.get_metrics_data()
        assert data is not None
        (metric,) = [
            metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
        ]
        assert (metric.name, metric.unit) == ("http.client.request.duration", "s")
        return [point for point in metric.data.data_points if isinstance(point, HistogramDataPoint)]


@pytest.fixture
def watched() -> Iterator[Watched]:
    exporter, reader, clock = InMemorySpanExporter(), InMemoryMetricReader(), FakeClock()
    tracing, metering = TracerProvider(), MeterProvider([reader])
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = OpenTelemetry(tracer_provider=tracing, meter_provider=metering, clock=clock)
    yield Watched(telemetry, tracing, exporter, reader, clock)
    tracing.shutdown()
    metering.shutdown()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


# Spans


async def test_a_call_is_a_span_and_each_attempt_one_inside_it(watched: Watched) -> None:
    """The spans have the right names, kinds, parents and attributes, also that of the attempt that failed."""
    on = watched.stand([answer(503, takes=0.5), answer(200, {"id": "o1"}, takes=0.25)])
    await on.call(GET_ORDER, options=CallOptions(correlation_id="c-1"))
    first, second, call = watched.spans
    assert (call.name, call.kind, call.parent) == ("GetCheckoutOrder", SpanKind.INTERNAL, None)
    assert attributes(call) == {
        "norce.operation": "GetCheckoutOrder",
        "norce.order.id": "o1",
        "norce.merchant": "acme",
        "norce.channel": "se",
        "norce.correlation_id": "c-1",
        "norce.attempts": 2,
    }
    assert call.status.status_code is StatusCode.UNSET
    for attempt in (first, second):
        assert (attempt.name, attempt.kind) == ("GET", SpanKind.CLIENT)
        assert attempt.parent is not None
        assert call.context is not None
        assert attempt.parent.span_id == call.context.span_id
        assert attempt.instrumentation_scope is not None
        assert (attempt.instrumentation_scope.name, attempt.instrumentation_scope.version) == (
            "norce_order_async",
            __version__,
        )
    shared = {
        "http.request.method": "GET",
        "server.address": HOST,
        "server.port": 443,
        "url.scheme": "https",
        "url.full": f"{BASE_URL}/api/v0/checkout/orders/o1",
    }
    assert attributes(first) == {**shared, "http.response.status_code": 503, "error.type": "503"}
    assert (first.status.status_code, first.status.description) == (StatusCode.ERROR, None)
    assert attributes(second) == {**shared, "http.response.status_code": 200, "http.request.resend_count": 1}
    assert second.status.status_code is StatusCode.UNSET


async def test_a_trace_around_the_call_is_continued(watched: Watched) -> None:
    """The user's span is the parent of ours, and each request carries the id of its own attempt."""
    on = watched.stand([answer(500), FOUND])
    with watched.tracing.get_tracer("shop").start_as_current_span("checkout") as outer:
        await on.call(GET_ORDER)
    first, second, call, _ = watched.spans
    assert call.parent is not None
    assert call.parent.span_id == outer.get_span_context().span_id
    carried = [request.headers["traceparent"].split("-") for request in on.engine.requests]
    for span, (version, trace_id, span_id, flags) in zip((first, second), carried, strict=True):
        assert span.context is not None
        assert (version, int(flags, 16) & 1) == ("00", 1)
        assert (int(trace_id, 16), int(span_id, 16)) == (span.context.trace_id, span.context.span_id)
        assert span.context.trace_id == outer.get_span_context().trace_id


async def test_a_refusal_is_an_error_of_the_call_too(watched: Watched) -> None:
    on = watched.stand([answer(404)])
    with pytest.raises(NotFoundError):
        await on.call(GET_ORDER)
    attempt, call = watched.spans
    assert attributes(attempt)["error.type"] == "404"
    assert attempt.status.status_code is StatusCode.ERROR
    assert attributes(call)["error.type"] == "NotFoundError"
    assert attributes(call)["norce.attempts"] == 1
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, None)


@pytest.mark.parametrize("status", [204, 302])
async def test_a_redirect_is_not_an_error(watched: Watched, status: int) -> None:
    """By the conventions a redirect is no error, even if the call raises."""
    on = watched.stand([answer(status, {"id": "o1"})])
    with contextlib.suppress(RefusedError) if status == 302 else contextlib.nullcontext():
        await on.call(SET_CART)
    assert "error.type" not in attributes(watched.spans[0])
    assert watched.spans[0].status.status_code is StatusCode.UNSET


async def test_a_lost_answer_and_its_read_back(watched: Watched) -> None:
    """The read is an attempt inside the same call, and not a call of its own."""
    on = watched.stand([lost("read", takes=1.0), answer(200, {"payments": []})])
    with pytest.raises(OutcomeUnknownError):
        await on.call(CREATE_PAYMENT, before=Baseline(ids=frozenset()))
    post, get, call = watched.spans
    assert [span.name for span in (post, get, call)] == ["POST", "GET", "CreateOrderPayment"]
    assert get.parent == post.parent == call.context
    assert attributes(post)["error.type"] == "MaybeSentError"
    assert (post.status.status_code, post.status.description) == (StatusCode.ERROR, "read")
    assert "http.response.status_code" not in attributes(post)
    assert attributes(call)["error.type"] == "OutcomeUnknownError"


async def test_other_middleware_lies_between_call_and_attempt(watched: Watched) -> None:
    """The user's call middleware runs inside the call's span, and attempt middleware outside the attempt's span."""
    seen: list[bool] = []
    tracer = watched.tracing.get_tracer("shop")

    async def around_call(call: CallInfo, proceed: CallNext, /) -> Answer:
        with tracer.start_as_current_span("mine"):
            return await proceed()

    async def around_attempt(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        seen.append("traceparent" in request.headers)
        return await proceed(request)

    on = watched.stand([FOUND], call_middleware=[around_call], attempt_middleware=[around_attempt])
    await on.call(GET_ORDER)
    attempt, mine, call = watched.spans
    assert mine.parent == call.context
    assert attempt.parent == mine.context
    assert seen == [False]


@pytest.mark.every_loop
async def test_a_cancelled_call_ends_its_spans(watched: Watched) -> None:
    """The call's span ends at once, and the attempt's when its send has ended."""
    on = watched.stand([answer(200, {"id": "o1"}, takes=5.0)])
    with on.clock.move_on_after(1.0):
        await on.call(GET_ORDER)
    (call,) = watched.spans
    assert call.name == "GetCheckoutOrder"
    assert attributes(call)["error.type"] in ("CancelledError", "Cancelled")
    await on.client.aclose()
    _, attempt = watched.spans
    assert attributes(attempt)["http.response.status_code"] == 200


# Nothing personal


async def test_no_person_no_token_and_no_query_in_any_span_or_metric(watched: Watched) -> None:
    """Queries hold names and addresses, and so may bodies and the user's own errors."""

    async def fails(call: CallInfo, proceed: CallNext, /) -> Answer:
        await proceed()
        raise ValueError("anna@example.com was here")

    said = {"code": "anna@example.com", "message": "anna@example.com"}
    on = watched.stand([answer(400, said), answer(200, {"data": []})], call_middleware=[fails])
    for number in range(2):
        with pytest.raises(ValueError, match="was here") if number else pytest.raises(BadRequestError):
            await on.call(LIST_ORDERS, query={"billing_emails": ["anna@example.com"]})
    assert "anna" in on.sent[0]
    shown = "".join(span.to_json() for span in watched.spans) + repr(watched.points)
    assert "anna" not in shown
    assert "t0ken" not in shown
    assert "billing_emails" not in shown
    assert {attributes(span).get("error.type") for span in watched.spans if span.kind is SpanKind.INTERNAL} == {
        "BadRequestError",
        "ValueError",
    }
    assert all(not span.events for span in watched.spans)


# The metric


async def test_the_histogram_counts_every_attempt(watched: Watched) -> None:
    """The points are in seconds, in the advised buckets and with only the advised attributes, so that the series stay
    few."""
    on = watched.stand([answer(503, takes=0.3), lost("connect", takes=0.02), answer(200, {"id": "o1"}, takes=0.06)])
    await on.call(GET_ORDER)
    base = {"http.request.method": "GET", "server.address": HOST, "server.port": 443, "url.scheme": "https"}
    points = {tuple(sorted((point.attributes or {}).items())): point for point in watched.points}
    assert points.keys() == {
        tuple(sorted({**base, **more}.items()))
        for more in (
            {"http.response.status_code": 503, "error.type": "503"},
            {"error.type": "UnsentError"},
            {"http.response.status_code": 200},
        )
    }
    assert sorted(point.sum for point in points.values()) == pytest.approx([0.02, 0.06, 0.3])
    for point in points.values():
        assert point.count == 1
        assert tuple(point.explicit_bounds) == BUCKETS
        (bucket,) = [index for index, count in enumerate(point.bucket_counts) if count]
        assert bucket == sum(bound < point.sum for bound in BUCKETS)


def test_the_buckets_are_those_of_the_conventions() -> None:
    assert BUCKETS == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


async def test_plain_http_and_a_port(watched: Watched) -> None:
    on = watched.stand([FOUND], base_url="http://127.0.0.1:8700/checkout/order")
    await on.call(GET_ORDER)
    shown = attributes(watched.spans[0])
    assert (shown["server.address"], shown["server.port"], shown["url.scheme"]) == ("127.0.0.1", 8700, "http")


async def test_without_a_provider_nothing_happens() -> None:
    """Without a provider no request carries a trace."""
    clock = FakeClock()
    engine = ScriptedEngine([FOUND], clock)
    norce = NorceOrderClient(
        base_url=BASE_URL,
        merchant="acme",
        channel="se",
        token="t",
        engine=engine,
        clock=clock,
        telemetry=OpenTelemetry(),
    )
    await norce.orders.get("o1")
    assert "traceparent" not in engine.requests[0].headers
