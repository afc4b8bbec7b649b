"""``--watch``: a command that reads shows the same again whenever something has changed."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Final, TextIO

import click

EVERY: Final = 2.0
"""Seconds between two readings, unless others are given."""

watch_option = click.option(
    "--watch",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 86_400),
    is_flag=False,
    flag_value=EVERY,
    help=f"Read again every {EVERY:g} seconds, or as given, and print what has changed, until Ctrl-C.",
)


class _Printed(StringIO):
    """Collects what is printed, in the form that it has where it will be printed."""

    def __init__(self, destination: TextIO) -> None:
        super().__init__()
        self._destination = destination

    def isatty(self) -> bool:
        return self._destination.isatty()


async def again_and_again(show: Callable[[], Awaitable[None]], every: float | None) -> None:
    """Show it once; with ``every``, read it again after so many seconds, and show it whenever it is not the same."""
    import anyio

    if every is None:
        await show()
        return
    before: tuple[str, str] | None = None
    while True:
        printed, said = _Printed(sys.stdout), _Printed(sys.stderr)
        with redirect_stdout(printed), redirect_stderr(said):
            await show()
        now = (printed.getvalue(), said.getvalue())
        if now != before:
            before = now
            click.echo(f"{time.strftime('%H:%M:%S')}", err=True)
            click.echo(now[1], nl=False, err=True)
            click.echo(now[0], nl=False)
        await anyio.sleep(every)
