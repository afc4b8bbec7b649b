"""``--watch``: a command that reads prints its output again whenever it has changed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Final, TextIO

import click

from norce_order_async.cli.failures import cause, one_line, record
from norce_order_async.errors import NorceError

EVERY: Final = 2.0
"""Seconds between two readings, unless the user gives others."""

watch_option = click.option(
    "--watch",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 86_400),
    is_flag=False,
    flag_value=EVERY,
    help=f"Read again every {EVERY:g} seconds, or as given, and print what has changed, until Ctrl-C.",
)


class _Captured(StringIO):
    """Collects output, and looks like a terminal if its destination is one."""

    def __init__(self, destination: TextIO) -> None:
        super().__init__()
        self._destination = destination

    def isatty(self) -> bool:
        return self._destination.isatty()


async def again_and_again(show: Callable[[], Awaitable[None]], every: float | None) -> None:
    """Show something once, or with ``every`` show it again whenever it has changed.

    Args:
        show: Reads and prints it.
        every: Seconds between two readings; None for a single one.

    Raises:
        NorceError: The first reading failed. If a later one fails, the failure is printed, and the next one is made.
    """
    import anyio

    if every is None:
        await show()
        return
    before: tuple[str, str] | None = None
    while True:
        out, err = _Captured(sys.stdout), _Captured(sys.stderr)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                await show()
            now = (out.getvalue(), err.getvalue())
        except Exception as error:
            failure = cause(error)
            if before is None or not isinstance(failure, NorceError):
                raise
            now = ("", failed_reading(failure, every))
        if now != before:
            before = now
            click.echo(f"{time.strftime('%H:%M:%S')}", err=True)
            click.echo(now[1], nl=False, err=True)
            click.echo(now[0], nl=False)
        await anyio.sleep(every)


def failed_reading(failure: Exception, every: float) -> str:
    """A line about a reading that failed: JSON if the user asked for JSON."""
    text = failure.format_message() if isinstance(failure, click.ClickException) else one_line(failure)
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("as_json"):
        return json.dumps(record(failure, text, 1)) + "\n"
    return f"Error: {text}; reading again every {every:g} s\n"
