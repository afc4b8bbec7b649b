"""Texts about jobs: counts in words, command lines without customers, the limits of options."""

from __future__ import annotations

from collections import Counter

import pytest

from norce_order_async import NotFoundError, RefusedError, ValidationProblem, ValidationReport
from norce_order_async.bulk.outcome import ItemOutcome, Summary
from norce_order_async.cli.bulk import formatting
from norce_order_async.cli.bulk.running import again
from norce_order_async.cli.tables import duration

SECRET = "ada@example.com"


def test_an_outcome_shows_nothing_of_a_customer() -> None:
    """The service's messages and values are left out, and codes that look like addresses are not shown."""
    refused: ItemOutcome[None] = ItemOutcome(
        key="o1", verdict="refused", error=NotFoundError("gone", status=404, message=SECRET, operation="GetOrder")
    )
    report = ValidationReport("o2", (ValidationProblem(SECRET, "order", SECRET),))
    not_valid = ItemOutcome(key="o2", verdict="done", value=report)
    for outcome in (refused, not_valid):
        assert SECRET not in formatting.line(outcome)
        assert SECRET not in str(formatting.record(outcome))
    assert formatting.line(not_valid) == "not valid    o2  order: not shown"
    assert formatting.record(refused)["reason"] == "404"


def test_orders_that_need_a_look() -> None:
    refusal = RefusedError("no", status=400, operation="x")
    assert formatting.fine(ItemOutcome(key="o", verdict="already done"), dry_run=False)
    assert not formatting.fine(ItemOutcome(key="o", verdict="unknown"), dry_run=False)
    assert formatting.fine(ItemOutcome(key="o", verdict="not tried", note="would"), dry_run=True)
    assert not formatting.fine(ItemOutcome(key="o", verdict="not tried", error=refusal), dry_run=True)
    assert not formatting.fine(
        ItemOutcome(key="o", verdict="done", value=ValidationReport("o", (ValidationProblem("c", "a", None),))),
        dry_run=False,
    )


def test_the_rate_and_the_time_left() -> None:
    """100 of 300 orders in 10 s are 10 a second, with 20 s left."""
    summary = Summary(verdicts=Counter(done=95, refused=5), elapsed=10.0, throttled_seconds=2.0, failed_probes=3)
    assert formatting.so_far(summary, 7, 300) == (
        "10/s, 7 at once, 5 refused or unknown, waited 2.0 s, 3 failed probes, 20 s left"
    )
    assert formatting.so_far(Summary(), 0, None) == "0/s, 0 at once"


@pytest.mark.parametrize(("seconds", "said"), [(4.4, "4 s"), (99, "99 s"), (120, "2 min"), (9000, "2.5 h")])
def test_durations_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_the_command_to_continue_is_the_same_without_customers() -> None:
    line = [
        "bulk",
        "remove",
        "--billing-email",
        SECRET,
        f"--search={SECRET}",
        "--status",
        "checkout",
        "--journal",
        "a b",
    ]
    assert again(line) == ("norce-order bulk remove --billing-email ... --search=... --status checkout --journal 'a b'")
