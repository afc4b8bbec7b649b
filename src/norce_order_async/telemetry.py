"""OpenTelemetry spans and metrics, with the extra ``otel``: ``NorceOrderClient(..., telemetry=OpenTelemetry())``.

A call is an INTERNAL span named after its operation. Each attempt is a CLIENT span inside it; the span follows the
semantic conventions for HTTP clients, and the request's headers hold the trace context. The metric is
``http.client.request.duration``, a histogram in seconds with one value per attempt. Addresses are recorded without
their query; headers and bodies are not recorded.

With ``norce.adapter(..., telemetry=OpenTelemetry())`` each call that an adapter answers is a SERVER span, such as
``hook /state``, which continues the caller's trace if its headers name one. ``norce.adapter.duration`` is a histogram
in seconds with one value per call, by kind, route and outcome; ``norce.adapter.inbox.depth`` and
``norce.adapter.inbox.age`` say how many stored notifications wait, and for how many seconds the oldest has.

With ``telemetry.watch_job(job, job.run(...), name)`` a job over many orders is measured: orders by verdict, requests in
flight and their limit, the seconds that the service held it back, and the time that each order's requests took.

Source: OpenTelemetry semantic conventions, "HTTP spans" and "HTTP metrics" (stable since 1.23).
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from norce_order_async._version import __version__
from norce_order_async.engines.base import SendError, WireRequest, WireResponse
from norce_order_async.errors import Attempt, CallError
from norce_order_async.pipeline.middleware import AttemptInfo, AttemptNext, CallInfo, CallNext
from norce_order_async.runtime.clock import Clock, SystemClock

try:
    from opentelemetry import metrics, propagate, trace
    from opentelemetry.trace import SpanKind, StatusCode
except ImportError as missing:
    raise ImportError(
        "OpenTelemetry needs the extra 'otel': install norce-order-async with [otel]", name=missing.name
    ) from missing

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from norce_order_async.pipeline.answer import Answer

__all__ = ["BUCKETS", "MeasuredJob", "MeasuredOutcome", "OpenTelemetry"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The boundaries of the histogram in seconds, as the conventions advise."""


class MeasuredOutcome(Protocol):
    """What is measured of the outcome of one order: an ``ItemOutcome`` of a job.

    Example::

        outcome: MeasuredOutcome = ItemOutcome(key="o1", verdict="done")
    """

    @property
    def verdict(self) -> str:
        """The verdict as a word."""
        ...

    @property
    def attempts(self) -> Sequence[Attempt]:
        """The attempts of all calls made for the order."""
        ...


class MeasuredJob(Protocol):
    """What is measured of a job over many orders: the object that ``norce.bulk(...)`` makes.

    Example::

        job: MeasuredJob = norce.bulk()
    """

    @property
    def limiter(self) -> Any:
        """Has ``in_flight`` and ``limit``."""
        ...

    @property
    def summary(self) -> Any:
        """Has ``throttled_seconds``."""
        ...


OutcomeT = TypeVar("OutcomeT", bound=MeasuredOutcome)


class OpenTelemetry:
    """Records spans and metrics of a client.

    Args:
        tracer_provider: The provider for spans; the global one by default.
        meter_provider: The provider for metrics; the global one by default.
        clock: Where time comes from, for tests.

    Example::

        async with NorceOrderClient(..., telemetry=OpenTelemetry()) as norce:
            order = await norce.orders.get("o1")  # a span for the call, and one for each attempt
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._tracer = trace.get_tracer("norce_order_async", __version__, tracer_provider)
        self._meter = meter = metrics.get_meter("norce_order_async", __version__, meter_provider)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._received = meter.create_histogram(
            "norce.adapter.duration",
            unit="s",
            description="Duration of calls that an adapter answered.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._inbox_depth = meter.create_gauge(
            "norce.adapter.inbox.depth", unit="{notification}", description="Stored notifications that wait."
        )
        self._inbox_age = meter.create_gauge(
            "norce.adapter.inbox.age", unit="s", description="Time that the oldest stored notification has waited."
        )

    async def call(self, call: CallInfo, proceed: CallNext, /) -> Answer:
        """Called around each call: records its span."""
        attributes = {
            "norce.operation": call.operation,
            "norce.merchant": call.merchant,
            "norce.channel": call.channel,
            "norce.correlation_id": call.correlation_id,
        }
        if call.order_id is not None:
            attributes["norce.order.id"] = call.order_id
        with self._span(call.operation, SpanKind.INTERNAL, attributes) as span:
            try:
                answer = await proceed()
            except BaseException as error:
                _failed(span, error)
                if isinstance(error, CallError):
                    span.set_attribute("norce.attempts", len(error.attempts))
                raise
            span.set_attribute("norce.attempts", len(answer.attempts))
            return answer

    async def attempt(self, attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        """Called around each attempt: records its span and its duration."""
        address = urlsplit(request.url)
        measured: dict[str, str | int] = {
            "http.request.method": request.method,
            "server.address": address.hostname or "",
            "server.port": address.port or (443 if address.scheme == "https" else 80),
            "url.scheme": address.scheme,
        }
        attributes: dict[str, str | int] = {**measured, "url.full": request.url.partition("?")[0]}
        if attempt.number > 1:
            attributes["http.request.resend_count"] = attempt.number - 1
        started = self._clock.monotonic()
        with self._span(request.method, SpanKind.CLIENT, attributes) as span:
            headers = dict(request.headers)
            propagate.inject(headers)
            try:
                response = await proceed(replace(request, headers=headers))
            except BaseException as error:
                measured["error.type"] = type(error).__name__
                _failed(span, error)
                raise
            else:
                measured["http.response.status_code"] = response.status
                span.set_attribute("http.response.status_code", response.status)
                if response.status >= 400:
                    measured["error.type"] = str(response.status)
                    span.set_attribute("error.type", str(response.status))
                    span.set_status(StatusCode.ERROR)
                return response
            finally:
                self._duration.record(self._clock.monotonic() - started, measured)

    @contextmanager
    def received(
        self, kind: str, route: str, attributes: Mapping[str, str], trace: Mapping[str, str], /
    ) -> Generator[Callable[[str, int], None]]:
        """Called around each call that an adapter answers: records its span and its duration.

        Args:
            kind: ``hook``, ``validation`` or ``notification``.
            route: the handler, such as ``/state``.
            attributes: of the span.
            trace: the caller's trace headers.
        """
        measured: dict[str, str | int] = {"norce.callback.kind": kind, "norce.callback.route": route}
        started = self._clock.monotonic()
        span_attributes = {**measured, **attributes}
        with self._span(f"{kind} {route}", SpanKind.SERVER, span_attributes, propagate.extract(trace)) as span:

            def note(outcome: str, status: int) -> None:
                measured["norce.callback.outcome"] = outcome
                span.set_attribute("norce.callback.outcome", outcome)
                if status:
                    span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_status(StatusCode.ERROR)

            try:
                yield note
            except BaseException as error:
                measured["error.type"] = type(error).__name__
                _failed(span, error)
                raise
            finally:
                self._received.record(self._clock.monotonic() - started, measured)

    def _span(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str | int], context: Context | None = None
    ) -> AbstractContextManager[Span]:
        # Errors are recorded by _failed: their texts may hold personal data.
        return self._tracer.start_as_current_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        )

    def watch_job(self, job: MeasuredJob, outcomes: AsyncIterator[OutcomeT], /, name: str) -> AsyncIterator[OutcomeT]:
        """The same outcomes, measured as they come. The job is measured until they end.

        Args:
            job: The job.
            outcomes: What ``job.run(...)`` gives.
            name: The job's name for the attribute ``norce.job.name``, such as ``close-abandoned``. Each name is a
                series of its own, so use few.

        Example::

            async with norce.bulk() as job:
                run = job.run(order_ids, actions.transition("removed"))
                async for outcome in telemetry.watch_job(job, run, "close-abandoned"):
                    print(outcome.key, outcome.verdict)
        """
        return _Watched(self._jobs, job, outcomes, name)

    @cached_property
    def _jobs(self) -> _JobInstruments:
        return _JobInstruments(self._meter)

    def inbox(self, adapter_id: str, depth: int, oldest: float, /) -> None:
        """Record how many stored notifications wait, and the age of the oldest in seconds."""
        attributes = {"norce.adapter.id": adapter_id}
        self._inbox_depth.set(depth, attributes)
        self._inbox_age.set(oldest, attributes)


class _JobInstruments:
    """The instruments for jobs. They are made with the first job, so a program without jobs has none of them."""

    def __init__(self, meter: Meter) -> None:
        self.orders = meter.create_counter(
            "norce.job.orders", unit="{order}", description="Orders of jobs that have a verdict."
        )
        self.throttled = meter.create_counter(
            "norce.job.throttled", unit="s", description="Time that jobs waited because of the service."
        )
        self.duration = meter.create_histogram(
            "norce.job.duration",
            unit="s",
            description="Time that the requests of an order took together, up to its verdict.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._lock = threading.Lock()
        self._running: WeakKeyDictionary[MeasuredJob, str] = WeakKeyDictionary()
        # The gauges are read when metrics are exported, so they are right also while no outcome comes.
        for gauge, what, description in (
            ("norce.job.in_flight", "in_flight", "Requests of jobs that are in flight."),
            ("norce.job.limit", "limit", "Requests that jobs have in flight at most, as learned from the service."),
        ):
            observe = partial(self._observe, what)
            meter.create_observable_gauge(gauge, [observe], unit="{request}", description=description)

    def begin(self, job: MeasuredJob, name: str) -> None:
        with self._lock:
            self._running[job] = name

    def end(self, job: MeasuredJob) -> None:
        with self._lock:
            self._running.pop(job, None)

    def _observe(self, what: str, _options: CallbackOptions) -> Iterable[metrics.Observation]:
        with self._lock:
            running = list(self._running.items())
        # Jobs of one name are one series.
        sums: dict[str, int] = {}
        for job, name in running:
            sums[name] = sums.get(name, 0) + getattr(job.limiter, what)
        return [metrics.Observation(value, {"norce.job.name": name}) for name, value in sums.items()]


class _Watched(AsyncIterator[OutcomeT]):
    """The outcomes of a job, measured."""

    def __init__(self, to: _JobInstruments, job: MeasuredJob, outcomes: AsyncIterator[OutcomeT], name: str) -> None:
        self._to = to
        self._job = job
        self._outcomes = outcomes
        self._name = {"norce.job.name": name}
        self._throttled = 0.0
        to.begin(job, name)

    async def __anext__(self) -> OutcomeT:
        try:
            outcome = await anext(self._outcomes)
        except BaseException as error:
            self._count_throttled()
            if isinstance(error, Exception):
                self._to.end(self._job)
            raise
        attributes = {**self._name, "norce.job.verdict": outcome.verdict}
        self._to.orders.add(1, attributes)
        if outcome.attempts:
            self._to.duration.record(sum(attempt.seconds for attempt in outcome.attempts), attributes)
        self._count_throttled()
        return outcome

    def _count_throttled(self) -> None:
        seconds: float = self._job.summary.throttled_seconds
        if seconds > self._throttled:
            self._to.throttled.add(seconds - self._throttled, self._name)
            self._throttled = seconds


def _failed(span: Span, error: BaseException) -> None:
    """Record the error's class and, for a failed send, its phase; never its text, which may hold personal data."""
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(StatusCode.ERROR, error.phase if isinstance(error, SendError) else None)
