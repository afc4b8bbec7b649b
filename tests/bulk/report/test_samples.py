"""Samples of a job's load are bounded and in order, and the journal writes them together with other facts."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_async.bulk import actions, html_report, read_journal
from norce_order_async.bulk.journal import samples
from norce_order_async.bulk.journal.samples import SLOTS, Sampler, samples_in
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import client_of, new_orders

from .made import Done, Load, journal_of


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    clock = Seconds()
    monkeypatch.setattr(samples, "time", clock)
    return clock


def test_there_are_never_too_many_and_they_stay_in_order(clock: Seconds) -> None:
    """Two runs take samples over a day, and what a program would read from the journal meanwhile is in order."""
    facts: dict[str, Any] = {}
    sampler = Sampler(Load())
    for second in range(86_400):
        clock.now += 1
        if second == 40_000:
            sampler = Sampler(Load(), samples_in(facts))
        facts.update(sampler.facts())
        if second % 997 == 0 or second > 86_390:
            found = samples_in(facts)
            assert 1 <= len(found) <= SLOTS
            assert [sample.at for sample in found] == sorted({sample.at for sample in found})
    found = samples_in(facts)
    assert len(found) > SLOTS / 3
    assert found[0].at == 1_800_000_001.0
    assert found[-1].at > clock.now - 700
    assert len(facts) <= SLOTS


def test_one_a_second_at_most(clock: Seconds) -> None:
    sampler = Sampler(Load())
    assert sampler.facts()
    clock.now += 0.5
    assert not sampler.facts()
    clock.now += 0.6
    assert sampler.facts()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([f"sample {slot}" for slot in range(4)]), JSON, max_size=4))
@settings(max_examples=60, deadline=None)
def test_an_invalid_sample_is_skipped(facts: dict[str, Any]) -> None:
    found = samples_in(facts)
    assert len(found) <= len(facts)


@pytest.mark.anyio
async def test_a_job_leaves_samples_in_its_journal(tmp_path: Path) -> None:
    place = tmp_path / "a.journal"
    with Sandbox() as sandbox:
        async with client_of(sandbox) as norce:
            ids = await new_orders(norce, 20)
            async with norce.bulk(place) as job:
                async for _ in job.run(ids, actions.transition("removed")):
                    pass
                ran = job.limiter.limit
    (first, *_) = read_journal(place).samples
    assert first.limit >= 1
    assert 0 <= first.in_flight <= max(first.limit, ran)


@pytest.mark.parametrize("written", [f"[{'9' * 400}, 1, 1, 1]", f"[5, {'9' * 400}, 1, 1]"])
def test_a_damaged_sample_does_not_break_the_report(tmp_path: Path, written: str) -> None:
    journal = journal_of(tmp_path / "a.journal", [Done("o1", 1.0, 2.0)])
    with sqlite3.connect(journal) as connection:
        connection.executemany("INSERT INTO fact VALUES (?, ?)", [("sample 0", "[1, 1, 1, 1]"), ("sample 1", written)])
    connection.close()
    assert len(read_journal(journal).samples) == 1
    assert "o1" in html_report(journal).html
