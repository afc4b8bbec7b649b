"""The progress of a run: a line in a terminal, a table in a notebook."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TextIO, TypeVar

from norce_order_async.bulk.outcome import ItemOutcome, Summary
from norce_order_async.bulk.run import Run
from norce_order_async.checking import check_kind
from norce_order_async.errors import ConfigurationError

T = TypeVar("T")

EVERY: Final = 0.2
"""Seconds between two updates, at least."""
WIDTH: Final = 24
"""The bar's length in characters."""

Show = Callable[[Summary, bool], None]
"""Shows the counts; the second argument is whether these are the last ones."""


def progress(run: Run[T]) -> AsyncIterator[ItemOutcome[T]]:
    """Yield the outcomes of a run, and show its counts meanwhile.

    A terminal shows them as a line on standard error, a notebook as a table below the cell. Where there is neither,
    such as in a pipe or a service, nothing is shown. It needs no other library.

    For example::

        async with norce.bulk("close.journal") as job:
            async for outcome in progress(job.run(order_ids, actions.transition("completed"))):
                ...

    Args:
        run: what ``job.run(...)`` returns.

    Raises:
        ConfigurationError: ``run`` is not a run of a job.
    """
    check_kind("run", run, Run, "what job.run(...) returns", ConfigurationError)
    return _Shown(run, _place())


class _Shown(AsyncIterator[ItemOutcome[T]]):
    """A run whose counts are shown at most every :data:`EVERY` seconds, and once more at its end."""

    def __init__(self, run: Run[T], show: Show) -> None:
        self._run = run
        self._show = show
        self._last = -EVERY

    async def __anext__(self) -> ItemOutcome[T]:
        over = True
        try:
            outcome = await self._run.__anext__()
            over = False
        finally:
            summary = self._run.summary
            if over or summary.elapsed - self._last >= EVERY:
                self._last = summary.elapsed
                self._show(summary, over)
        return outcome


def _place() -> Show:
    """Choose how this program shows its progress."""
    # IPython is not imported for this: in a notebook it already is.
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and hasattr(shell, "kernel"):
        return _in_notebook()
    stream = sys.stderr
    if stream is not None and stream.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        return _in_terminal(stream)
    return _nowhere


def _nowhere(_: Summary, __: bool) -> None:
    pass


def _in_notebook() -> Show:
    from importlib import import_module

    display: Any = import_module("IPython.display").display
    handle: Any = None

    def show(summary: Summary, _: bool) -> None:
        nonlocal handle
        if handle is None:
            handle = display(summary, display_id=True)
        else:
            handle.update(summary)

    return show


def _in_terminal(stream: TextIO) -> Show:
    longest = 0

    def show(summary: Summary, over: bool) -> None:
        nonlocal longest
        text = line(summary)
        longest = max(longest, len(text))
        stream.write(f"\r{text.ljust(longest)}" + ("\n" if over else ""))
        stream.flush()

    return show


def line(summary: Summary) -> str:
    """The counts in one line: a bar if the total is known, the rate, and how many were refused or are unknown."""
    finished, total = summary.finished, summary.total
    parts = [f"{finished:,} done"] if total is None else []
    if total is not None:
        mine = total - sum(summary.before.values())
        full = WIDTH * finished // mine if mine else WIDTH
        parts = [f"{'#' * full}{'.' * (WIDTH - full)} {finished:,} of {mine:,}"]
    parts += [f"{summary.rate:,.0f}/s"]
    wrong = summary.verdicts["refused"] + summary.verdicts["unknown"]
    parts += [f"{wrong:,} refused or unknown"] if wrong else []
    return ", ".join(parts)
