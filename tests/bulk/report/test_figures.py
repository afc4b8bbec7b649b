"""The numbers of a report are those of the journal, whatever the length of the job."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from norce_order_async.bulk.journal.reading import STATES
from norce_order_async.bulk.report.figures import BUCKETS, REFUSALS, SLOWEST, figures_of

from .made import Done, journal_of


def test_counts_over_time_add_up_however_long_the_job_was(tmp_path: Path) -> None:
    """A job may take a second, an hour or a month. Merging buckets loses nothing, and there are never too many
    buckets."""
    drawn = random.Random(7)
    for length in (1, 3_600, 30 * 86_400):
        moments = [drawn.uniform(0, length) for _ in range(3_000)]
        orders = [
            Done(f"o{number}", at, at + 0.2, drawn.choice(("confirmed", "refused", "unknown")), "400")
            for number, at in enumerate(moments)
        ]
        figures = figures_of(journal_of(tmp_path / f"{length}.journal", orders))
        over_time = list(figures.over_time())
        assert len(over_time) <= BUCKETS
        assert [at for at, _ in over_time] == sorted({at for at, _ in over_time})
        assert sum(moment.sent for _, moment in over_time) == len(orders)
        for verdict, state in (("done", "confirmed"), ("refused", "refused"), ("unknown", "unknown")):
            counted = sum(moment.verdicts[verdict] for _, moment in over_time)
            assert counted == figures.job.counts[state] == sum(order.state == state for order in orders)
        assert figures.seconds == pytest.approx(max(moments) + 0.2 - min(moments), abs=0.01)


def test_durations_are_right_to_two_percent(tmp_path: Path) -> None:
    drawn = random.Random(8)
    took = sorted(drawn.lognormvariate(-1, 1.5) for _ in range(2_000))
    figures = figures_of(
        journal_of(tmp_path / "a.journal", [Done(f"o{number}", 10.0, 10.0 + one) for number, one in enumerate(took)])
    )
    for share in (0.5, 0.9, 0.99, 1.0):
        expected = took[round(len(took) * share) - 1]
        assert figures.percentile(share) == pytest.approx(expected, rel=0.02)
    assert [result.key for _, result in figures.slowest] == [
        f"o{number}" for number in range(1_999, 1_999 - SLOWEST, -1)
    ]


def test_kinds_of_refusal_are_bounded(tmp_path: Path) -> None:
    orders = [Done(f"o{number}", 0.0, 1.0, "refused", f"400 code-{number}") for number in range(REFUSALS + 50)]
    refusals = figures_of(journal_of(tmp_path / "a.journal", orders)).refusals
    assert len(refusals) == REFUSALS + 1
    assert refusals[0].reason == "other reasons"
    assert sum(each.count for each in refusals) == len(orders)


def test_a_job_that_has_not_begun_has_figures(tmp_path: Path) -> None:
    figures = figures_of(journal_of(tmp_path / "a.journal", [Done("o1", None, None, STATES[0])]))
    assert (figures.began, figures.seconds, figures.percentile(0.5), list(figures.over_time())) == (None, 0.0, None, [])
