"""How far the batch is: a bar on a terminal, four lines in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def progress(console: Console, total: int) -> Generator[Callable[[], None]]:
    """Gives the function to call once for every order that is through."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield _lines(console, total)
        return
    columns = (TextColumn("   "), BarColumn(), MofNCompleteColumn(), TextColumn("orders"), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _lines(console: Console, total: int) -> Callable[[], None]:
    marks = {-(-total * quarter // 4) for quarter in (1, 2, 3, 4)}
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done in marks:
            console.print(f"    {done} of {total} orders")

    return advance
