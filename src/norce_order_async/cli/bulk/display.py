"""Shows a running job: a bar on a terminal, lines in a pipe, JSON for machines.

For people, only the summary goes to standard output, everything else to standard error. For machines, standard output
holds only JSON: one object per order, and the summary last.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import click

from norce_order_async.cli.bulk import formatting
from norce_order_async.cli.failures import silence
from norce_order_async.cli.tables import facts

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from norce_order_async.bulk.outcome import ItemOutcome, Summary

MOST_LINES = 20
"""Largest number of orders with a line of their own; the journal and ``--json`` have all."""


class Display(Protocol):
    """Shows a running job."""

    every: float
    """Seconds between two calls of ``tick``."""

    @property
    def to_look_at(self) -> int:
        """Number of orders so far that need attention."""
        ...

    def outcome(self, outcome: ItemOutcome[Any]) -> None:
        """Called with the outcome of each order."""
        ...

    def tick(self, summary: Summary, in_flight: int) -> None:
        """Called at intervals with the progress."""
        ...

    def note(self, text: str) -> None:
        """Show a remark to people."""
        ...

    def end(self, summary: Summary) -> None:
        """Called at the end with the summary."""
        ...


@contextmanager
def display(*, as_json: bool, dry_run: bool) -> Generator[Display]:
    """The display for JSON, for a terminal or for a pipe.

    Args:
        as_json: Whether the output is JSON.
        dry_run: Whether every order gets a line.
    """
    if as_json:
        yield _Json(dry_run)
        return
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(dry_run)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, refresh_per_second=5) as bar:
        yield _Bar(dry_run, bar, bar.add_task("", total=None))


class _Counts:
    """Counts that the job's summary does not have: orders that are not valid, and orders that need attention."""

    def __init__(self, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._not_valid = 0
        self.to_look_at = 0

    def _count(self, outcome: ItemOutcome[Any]) -> bool:
        """Whether this order needs attention."""
        fine = formatting.fine(outcome, dry_run=self._dry_run)
        self._not_valid += outcome.verdict == "done" and not fine
        self.to_look_at += not fine
        return not fine


class _Json(_Counts):
    every = 3600.0

    def outcome(self, outcome: ItemOutcome[Any]) -> None:
        self._count(outcome)
        _write(formatting.record(outcome))

    def tick(self, summary: Summary, in_flight: int) -> None:
        pass

    def note(self, text: str) -> None:
        _say(text)

    def end(self, summary: Summary) -> None:
        _write({"summary": formatting.summary_record(summary, self._not_valid)})


class _Lines(_Counts):
    every = 5.0

    def __init__(self, dry_run: bool) -> None:
        super().__init__(dry_run)
        self._shown = 0

    def outcome(self, outcome: ItemOutcome[Any]) -> None:
        to_look_at = self._count(outcome)
        # Orders that were not tried get no line: the summary counts them as left.
        if not self._dry_run and (not to_look_at or outcome.verdict == "not tried"):
            return
        self._shown += 1
        if self._shown <= MOST_LINES:
            self._say(formatting.line(outcome))
        elif self._shown == MOST_LINES + 1:
            self._say("... and more; --json prints every one")

    def tick(self, summary: Summary, in_flight: int) -> None:
        through, total = sum(summary.verdicts.values()), self._total(summary)
        of = "" if total is None else f" of {total:,}"
        self._say(f"{through:,}{of}, {formatting.so_far(summary, in_flight, total)}")

    def note(self, text: str) -> None:
        self._say(text)

    def end(self, summary: Summary) -> None:
        with _read_or_not(sys.stdout):
            facts(formatting.summary_lines(summary, self._not_valid))

    def _total(self, summary: Summary) -> int | None:
        """The number of orders of this run, without those that earlier runs did; None if it is not known."""
        return None if summary.total is None else summary.total - sum(summary.before.values())

    def _say(self, text: str) -> None:
        _say(text)


class _Bar(_Lines):
    every = 0.2

    def __init__(self, dry_run: bool, bar: Progress, task: TaskID) -> None:
        super().__init__(dry_run)
        self._bar = bar
        self._task = task

    def tick(self, summary: Summary, in_flight: int) -> None:
        total = self._total(summary)
        self._bar.update(
            self._task,
            completed=sum(summary.verdicts.values()),
            total=total,
            description=formatting.so_far(summary, in_flight, total),
        )

    def end(self, summary: Summary) -> None:
        # The last tick may have come just before the last order.
        self.tick(summary, 0)
        self._bar.stop()
        super().end(summary)

    def _say(self, text: str) -> None:
        self._bar.console.print(text, soft_wrap=True)


def _write(record: Mapping[str, Any]) -> None:
    with _read_or_not(sys.stdout):
        click.echo(json.dumps(record))


def _say(text: str) -> None:
    with _read_or_not(sys.stderr):
        click.echo(text, err=True)


@contextmanager
def _read_or_not(stream: TextIO) -> Generator[None]:
    """Print inside this block. If the reader of the output has gone, the job goes on."""
    try:
        yield
    except BrokenPipeError:
        silence(stream)
