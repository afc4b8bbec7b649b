"""A job measured with OpenTelemetry, and the dashboard that shows it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric

from norce_order_async import Attempt, Fixed, ItemOutcome, NorceOrderClient
from norce_order_async.bulk import actions
from norce_order_async.sandbox import Sandbox
from norce_order_async.telemetry import OpenTelemetry

pytestmark = pytest.mark.anyio

DASHBOARD = json.loads((Path(__file__).parents[2] / "examples" / "grafana" / "jobs.json").read_text("utf-8"))
CART: Any = {"items": [{"sku": "T001", "quantity": 1, "total": {"includingVat": 125, "excludingVat": 100}}]}


class Measured:
    """Telemetry that is kept in memory."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])
        self.telemetry = OpenTelemetry(meter_provider=self.provider)

    @property
    def now(self) -> dict[str, Metric]:
        """Return the metrics of jobs, by name."""
        data: Any = self.reader.get_metrics_data()
        resources: list[Any] = [] if data is None else data.resource_metrics
        found: list[Metric] = [metric for one in resources for scope in one.scope_metrics for metric in scope.metrics]
        return {metric.name: metric for metric in found if metric.name.startswith("norce.job.")}

    def values(self, name: str) -> dict[str, Any]:
        """Return the values of a metric, by verdict."""
        shown: dict[str, Any] = {}
        for point in points(self.now.get(name)):
            attributes = dict(point.attributes)
            assert attributes.pop("norce.job.name") == "close"
            shown[attributes.get("norce.job.verdict", "")] = point.count if hasattr(point, "count") else point.value
        return shown


def points(metric: Metric | None) -> list[Any]:
    """Return a metric's points, whose kinds have no common type."""
    data: Any = None if metric is None else metric.data
    return [] if data is None else list(data.data_points)


@pytest.fixture
def measured() -> Iterator[Measured]:
    made = Measured()
    yield made
    made.provider.shutdown()


async def test_a_job_is_measured_until_it_ends(measured: Measured) -> None:
    """The metrics show orders by verdict, and the number in flight only while the job runs."""
    with Sandbox(seed=5) as sandbox:
        async with NorceOrderClient(
            base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se", telemetry=measured.telemetry
        ) as norce:
            ids = [
                (await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=CART)).id for _ in "ab"
            ]
            assert measured.now == {}, "a client without a job"
            async with norce.bulk(load=Fixed(in_flight=3)) as job:
                run = job.run([*ids, "none"], actions.transition("removed"))
                async for outcome in measured.telemetry.watch_job(job, run, "close"):
                    assert outcome.verdict in ("done", "refused")
                    assert measured.values("norce.job.limit") == {"": 3}
                    assert 0 <= measured.values("norce.job.in_flight")[""] <= 3
    assert measured.values("norce.job.orders") == {"done": 2, "refused": 1}
    assert measured.values("norce.job.duration") == {"done": 2, "refused": 1}
    assert measured.values("norce.job.limit") == measured.values("norce.job.in_flight") == {}


class HeldBackJob:
    """A job that the service throttles for half a second after each outcome."""

    def __init__(self) -> None:
        self.limiter = SimpleNamespace(in_flight=2, limit=5)
        self.summary = SimpleNamespace(throttled_seconds=0.0)

    async def outcomes(self) -> AsyncIterator[ItemOutcome[None]]:
        attempt = Attempt(1, "succeeded", 200, None, "", 0.25, "", 10.0)
        for verdict in ("done", "done", "unknown"):
            yield ItemOutcome(key="o1", verdict=verdict, attempts=(attempt, attempt))
            self.summary.throttled_seconds += 0.5


async def test_time_held_back_is_counted_once_and_to_the_end(measured: Measured) -> None:
    """The time after the last outcome counts too, and the gauges are right while no outcome comes."""
    job = HeldBackJob()
    watched = measured.telemetry.watch_job(job, job.outcomes(), "close")
    assert measured.values("norce.job.in_flight") == {"": 2}
    job.limiter.in_flight = 4
    assert measured.values("norce.job.in_flight") == {"": 4}
    assert [outcome.verdict async for outcome in watched] == ["done", "done", "unknown"]
    assert measured.values("norce.job.throttled") == {"": 1.5}
    (done, unknown) = points(measured.now["norce.job.duration"])
    assert (done.sum, unknown.sum) == (1.0, 0.5)


def in_prometheus(metric: Metric) -> set[str]:
    """Return the series of a metric in Prometheus, as the collector names them."""
    unit = "_seconds" if metric.unit == "s" else ""
    base = metric.name.replace(".", "_") + unit
    match type(metric.data).__name__:
        case "Histogram":
            return {f"{base}_bucket", f"{base}_count", f"{base}_sum"}
        case "Sum":
            return {f"{base}_total"}
        case _:
            return {base}


async def test_the_dashboard_shows_existing_metrics(measured: Measured) -> None:
    """The code makes each series on the dashboard, each metric of a job is on it, and the labels exist."""
    metrics: dict[str, Metric] = {}
    job = HeldBackJob()
    async for _ in measured.telemetry.watch_job(job, job.outcomes(), "close"):
        metrics |= measured.now
    labels = {key.replace(".", "_") for one in metrics.values() for point in points(one) for key in point.attributes}
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    shown += " " + " ".join(one["query"] for one in DASHBOARD["templating"]["list"])
    made = {series: metric for metric in metrics.values() for series in in_prometheus(metric)}
    words = set(re.findall(r"norce_job_\w+", shown))
    assert words <= made.keys() | labels
    assert {metric.name for metric in metrics.values()} == {made[word].name for word in words & made.keys()}
    assert words & labels == {"norce_job_name", "norce_job_verdict"}
