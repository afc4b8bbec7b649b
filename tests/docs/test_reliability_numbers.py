"""docs/reliability.md says what the code does: every number and every word of its tables is compared with the code.

The tests fail when either side changes alone: for a number in the page that is not checked here, for a setting without
a row, and for a row without a setting.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import fields
from pathlib import Path

import pytest

from norce_order_async import errors
from norce_order_async.client import CLOSE_GRACE
from norce_order_async.pipeline import readback as settle
from norce_order_async.pipeline import retry as backoff
from norce_order_async.pipeline.limiter import MAX_IN_FLIGHT
from norce_order_async.pipeline.operations import OPERATIONS, Kind
from norce_order_async.pipeline.retry import (
    CAPACITY,
    FIRST_TRY_REFUND,
    NEVER_REPEATED,
    RETRY_COST,
    THROTTLED_RETRY_COST,
    Outcome,
    RetryBudget,
    Step,
    classify,
    step_after,
    throttles,
)
from norce_order_async.pipeline.settings import CallOptions, Settings
from tests.support.clock import highest, lowest

PAGE = re.sub(
    r"<!-- measured: counts -->.*?<!-- end -->",
    "",
    (Path(__file__).parents[2] / "docs" / "reliability.md").read_text("utf-8"),
    flags=re.DOTALL,
)
"""The page without the table that ``python -m tests.chaos.counts`` writes, which tests/chaos/test_counts.py holds."""
FLOWING = " ".join(PAGE.split())
"""The page without its line breaks."""


def section(title: str) -> str:
    """Return a section's text, up to the next heading of its level or above."""
    head = re.search(rf"^(#+) {re.escape(title)}$", PAGE, re.MULTILINE)
    assert head, f"no section {title!r}"
    rest = PAGE[head.end() :]
    end = re.search(rf"^#{{1,{len(head[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """Return the cells of the first table in a text, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def tables(text: str) -> list[str]:
    """Return the tables in a text."""
    return re.findall(r"(?:^[|].*\n)+", text, re.MULTILINE)


OUTCOMES, KINDS = ({row[0]: row[-1] for row in rows(table)} for table in tables(section("Outcomes")))


def number(pattern: str) -> float:
    """Return the only number in a sentence of the page."""
    found = re.findall(pattern, FLOWING)
    assert len(found) == 1, f"{pattern!r} is there {len(found)} times"
    return float(found[0])


# Settings


def test_the_table_of_settings_is_the_class_of_settings() -> None:
    """The table has all settings in their order, with their defaults, and each can be set for a scope and a call."""
    table = [(name.strip("`"), default) for name, default, _ in rows(section("Numbers"))]
    assert table == [(setting.name, str(setting.default)) for setting in fields(Settings)]
    assert {name for name, _ in table} <= {option.name for option in fields(CallOptions)}


def test_the_settings_of_the_client() -> None:
    assert number(r"`max_in_flight`, (\d+) attempts at once") == MAX_IN_FLIGHT
    assert number(r"`retry_budget`, (\d+) tokens") == CAPACITY


# Formulas


@pytest.mark.parametrize("retry", range(1, 9))
def test_the_formula_of_the_delay(retry: int) -> None:
    """The formula is evaluated as it is on the page."""
    found = re.search(r"evenly from 0 to `(min\([^`]*\))`", FLOWING)
    assert found
    formula = found[1].replace("·", "*").replace("^", "**").replace("\N{MINUS SIGN}", "-")
    settings = Settings()
    names = {"min": min, "n": retry, "max_delay": settings.max_delay, "base_delay": settings.base_delay}
    bound = float(eval(formula, {"__builtins__": {}}, names))  # the page's own text
    delays = [
        backoff.jittered(retry, base=settings.base_delay, cap=settings.max_delay, uniform=uniform)
        for uniform in (lowest, highest)
    ]
    assert delays == [0.0, bound]


def test_a_retry_after_is_stretched_as_documented() -> None:
    assert number(r"stretched by 0 to (\d+) %") == backoff.RETRY_AFTER_STRETCH * 100
    assert [backoff.stretched(10.0, uniform) for uniform in (lowest, highest)] == pytest.approx([10.0, 11.0])


def test_retry_after_is_read_in_the_documented_forms() -> None:
    assert "in seconds, in milliseconds (`retry-after-ms`) or as a date" in FLOWING
    forms = [{"retry-after": "2"}, {"retry-after-ms": "2000"}, {"retry-after": "Thu, 01 Jan 1970 00:00:05 GMT"}]
    assert [backoff.retry_after(form, lambda: 3.0) for form in forms] == [2.0, 2.0, 2.0]


def test_the_retry_budget() -> None:
    """The page has the size, the costs, the refund, and the limit that follows from them."""
    assert number(r"a bucket of (\d+) tokens") == CAPACITY
    assert number(r"A repeat takes (\d+),") == RETRY_COST
    assert number(r"one after throttling (\d+);") == THROTTLED_RETRY_COST
    assert number(r"a success at the first try gives (\d+) back") == FIRST_TRY_REFUND
    found = re.search(r"\*N\* \+ ⌊(\d+) / (\d+)⌋ = \*N\* \+ (\d+) times: one attempt each, and (\d+) repeats", FLOWING)
    assert found
    budget = RetryBudget()
    repeats = sum(budget.take(throttled=False) is not None for _ in range(10 * CAPACITY))
    assert [int(each) for each in found.groups()] == [CAPACITY, RETRY_COST, repeats, repeats]


def test_closing_waits_as_long_as_documented() -> None:
    assert (
        number(r"`aclose\(\)`, and leaving `async with`, wait for sends in flight, (\d+) seconds at most")
        == CLOSE_GRACE
    )


# Tables of words


def test_every_outcome_has_its_row() -> None:
    assert len(Outcome) == 5
    assert "ends in one of five ways" in FLOWING
    assert list(OUTCOMES) == [outcome.value for outcome in Outcome]


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
@pytest.mark.parametrize("retry_after", [False, True])
def test_a_status_is_classified_as_its_row_says(retry_after: bool, kind: Kind) -> None:
    """The words of the rows agree with the code for every status."""
    assert "any 2xx" in OUTCOMES["succeeded"]
    assert "3xx and 4xx but the ones below" in OUTCOMES["refused"]
    assert OUTCOMES["rejected"].startswith("429 and 425")
    assert "for safe and idempotent operations also 503 with Retry-After" in OUTCOMES["rejected"]
    assert "408, every other 5xx" in OUTCOMES["unknown"]
    assert "a 2xx whose body is needed and can't be read" in OUTCOMES["unknown"]
    rejected = {429, 425, 503} if retry_after and kind in (Kind.SAFE, Kind.IDEMPOTENT) else {429, 425}
    expected = {
        **dict.fromkeys(range(200, 300), Outcome.SUCCEEDED),
        **dict.fromkeys(range(300, 500), Outcome.REFUSED),
        **dict.fromkeys([408, *range(500, 600)], Outcome.UNKNOWN),
        **dict.fromkeys(rejected, Outcome.REJECTED),
    }
    assert {status: classify(kind, status, retry_after=retry_after, readable=True) for status in expected} == expected
    assert classify(kind, 200, retry_after=retry_after, readable=False) is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_every_kind_has_its_row_and_does_what_it_says(kind: Kind) -> None:
    assert list(KINDS) == [kind.value for kind in Kind]
    documented = KINDS[kind.value]
    words = {
        Step.REPEAT: r"repeated\b",
        Step.SETTLE: r"(the order is read|looked for)",
        Step.STOP: r".*never repeated$",
    }
    assert re.match(words[step_after(kind, Outcome.UNKNOWN, None)], documented)


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_a_rejected_call_is_repeated(kind: Kind) -> None:
    assert "*Not sent* and *rejected* may be repeated for every operation." in FLOWING
    assert step_after(kind, Outcome.NOT_SENT, None) is Step.REPEAT
    assert [step_after(kind, Outcome.REJECTED, status) for status in (425, 429, 503)] == [Step.REPEAT] * 3


def test_which_statuses_throttle() -> None:
    assert "Every 429, every 425 and every 503 with Retry-After is a sign of overload" in FLOWING
    for retry_after, expected in ((True, {425, 429, 503}), (False, {425, 429})):
        assert {status for status in range(200, 600) if throttles(status, retry_after=retry_after)} == expected


def test_which_statuses_are_never_repeated() -> None:
    found = re.search(r"(\d+) and (\d+) are never repeated", FLOWING)
    assert found
    assert {int(status) for status in found.groups()} == NEVER_REPEATED


def test_the_natural_keys() -> None:
    assert (
        "the `reference` of payments and shippings, the `id` of consents, and adapter id with address for hooks, "
        "notifications and validations" in FLOWING
    )
    keys = {row.natural_key.member: row.natural_key.keys for row in OPERATIONS if row.natural_key}
    assert keys == {
        "payments": ("reference",),
        "shippings": ("reference",),
        "consents": ("id",),
        "hooks": ("adapterId", "invoke"),
        "notifications": ("adapterId", "invoke"),
        "validations": ("adapterId", "url"),
    }


LOOKS = [0, 1, 3, 7]
EVERY_LATER = 4.0


def test_a_lost_order_is_looked_for_as_documented() -> None:
    """The page has the times, the pages and the time that must be left. The results are tested in
    tests/pipeline/test_settle.py."""
    assert "at 0, 1, 3 and 7 s** after the loss" in FLOWING
    assert "at 0, 1, 3 and 7 s and then every 4 s, within the deadline" in FLOWING
    moments = list(itertools.islice(settle.moments(Settings().settling_pause), 7))
    assert moments[: settle.READS] == LOOKS
    later = [after - before for before, after in itertools.pairwise(moments[settle.READS - 1 :])]
    assert later == [EVERY_LATER] * 3
    assert settle.PAGES == 10
    assert "The client reads ten pages at most" in FLOWING
    assert number(r"only if (\d+) s or more are left of the deadline") == settle.TIME_TO_REPEAT
    assert number(r"within the deadline or, without one, for (\d+) s") == settle.SHOWN_WITHIN


def test_every_error_of_a_call_has_its_row() -> None:
    table = {name for row in rows(section("What the errors mean")) for name in re.findall(r"`(\w+Error)`", row[0])}
    assert table == {error.__name__ for error in errors.CallError.__subclasses__()}


# Nothing else


def test_no_number_is_unchecked() -> None:
    """Each number of the page is a status, or is compared by the tests above."""
    statuses = {202, 404, 408, 409, 425, 429, 501, 503, 505}
    settings = {
        float(default) for _, default, _ in rows(section("Numbers")) if default not in ("None", "True", "False")
    }
    formula = {0.0, 1.0, 2.0}
    compared = {CAPACITY, RETRY_COST, THROTTLED_RETRY_COST, MAX_IN_FLIGHT, CLOSE_GRACE, CAPACITY // RETRY_COST}
    compared |= {backoff.RETRY_AFTER_STRETCH * 100}
    compared |= {*LOOKS, EVERY_LATER, settle.TIME_TO_REPEAT, settle.SHOWN_WITHIN}
    # The soak test in tests/chaos/test_creating_orders.py measures these, with 7,500 creations of 0.3 s each, now and
    # in an earlier version.
    measured = {0.3, 45.0, 155.0, 389.0}
    documented = {float(each) for each in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)", PAGE)}
    assert documented - statuses - settings - formula - compared - measured == set()
