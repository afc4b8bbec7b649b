"""The output of ``norce-order bulk status --watch`` from one reading to the next."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import pytest

from norce_order_async.bulk import JournalReport, ShardReport
from norce_order_async.cli.bulk.journals import print_facts
from norce_order_async.cli.bulk.progress import Progress

ONE, OTHER = "process 7 on a", "process 8 on b"


def report(*shards: tuple[str, int, int], **changes: Any) -> JournalReport:
    """Build a report of shards, each given as its owner, what is done and what is left."""
    each = tuple(
        ShardReport(number=number, owner=owner, counts=Counter(confirmed=done, planned=left))
        for number, (owner, done, left) in enumerate(shards, 1)
    )
    given: dict[str, Any] = {
        "action": "transition",
        "parameters": {},
        "merchant": "acme",
        "channel": "se",
        "service": "https://orders.example",
        "partition": (1, 1),
        "listed": True,
        "running": True,
        "counts": sum((shard.counts for shard in each), Counter[str]()),
        "reasons": {},
        "settles": True,
        "shards": each,
    }
    return JournalReport(**{**given, **changes})


def test_rates_owners_what_is_left_and_how_long() -> None:
    """The rate of a shard that was given back counts for its last owner."""
    progress = Progress()
    assert progress.lines(report((ONE, 100, 900), (OTHER, 0, 500), ("", 0, 600)), 0.0) == [
        "100 of 2,100, 0/s, 3 of 3 shards left",
        f"  {ONE}: 0/s, 900 left of shard 1",
        f"  {OTHER}: 0/s, 500 left of shard 2",
    ]
    assert progress.lines(report((ONE, 120, 880), (OTHER, 10, 490), ("", 0, 600)), 2.0) == [
        "130 of 2,100, 15/s, about 2 min left, 3 of 3 shards left",
        f"  {ONE}: 10/s, 880 left of shard 1",
        f"  {OTHER}: 5/s, 490 left of shard 2",
    ]
    assert progress.lines(report((ONE, 140, 860), ("", 500, 0), (ONE, 4, 596)), 4.0) == [
        "644 of 2,100, 136/s, about 11 s left, 2 of 3 shards left",
        f"  {ONE}: 11/s, 1,456 left of shard 1, 3",
    ]


def test_rates_are_those_of_the_last_half_minute() -> None:
    """The rate after a minute at another speed is the new one."""
    progress = Progress()
    lines = [progress.lines(report((ONE, done, 10_000 - done)), 2.0 * look)[0] for look, done in enumerate(speeds())]
    assert lines[30].startswith("60 of 10,000, 1/s, about 2.8 h left")
    assert lines[60].startswith("3,060 of 10,000, 50/s, about 2 min left")


def speeds() -> list[int]:
    """Return what is done every two seconds: one order a second for a minute, and then fifty."""
    return [*range(0, 60, 2), *range(60, 3100, 100)]


def test_a_rate_that_all_share_and_a_job_that_is_not_split() -> None:
    progress = Progress()
    assert progress.lines(report(listed=False), 0.0) == ["being listed"]
    shared = report((ONE, 0, 10), max_rate=100.0, members=3)
    assert progress.lines(shared, 1.0)[0] == "0 of 10, 0/s of at most 100 for 3 together, 1 of 1 shards left"
    alone = Progress()
    for moment, done in ((0.0, 0), (2.0, 8)):
        lines = alone.lines(report(counts=Counter(confirmed=done, planned=40 - done)), moment)
    assert lines == ["8 of 40, 4/s, about 8 s left"]


def test_a_job_of_many_shards_stays_readable(capsys: pytest.CaptureFixture[str]) -> None:
    """Each place that shows shards counts those that are too many for a screen."""
    many = report(*((f"process {number % 100} on a", 1, 2) for number in range(10_000)))
    lines = Progress().lines(many, 0.0)
    assert lines[0] == "10,000 of 30,000, 0/s, 10000 of 10000 shards left"
    assert lines[1] == "  process 0 on a: 0/s, 200 left of shard 1, 101, 201, 301, 401 and 95 more"
    assert lines[-1] == "  and 70 more processes"
    assert len(lines) == 32
    print_facts(many)
    shown = capsys.readouterr().out.splitlines()
    assert "  shard 20    2 left, process 19 on a" in shown
    assert "  and more    9,980 shards that processes have; --json names all" in shown
    assert len(shown) < 40
    html: str = cast("Any", many)._repr_html_()
    assert "10,000 of 10,000 left" in html
    assert "9,980 shards" in html
    assert len(html) < 5000
