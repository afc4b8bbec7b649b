"""One request in a line: method, path, status, time and faults; no query and no body, which may hold personal data."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from norce_order_async.display import printable


def print_line(method: str, path: str, status: int | None, seconds: float, faults: Sequence[str]) -> None:
    """Print it; a request without an answer has ``---`` for a status.

    Raises:
        OSError: The reader of the lines has gone.
    """
    shown = click.style("---", fg="red") if status is None else click.style(str(status), fg=_colour(status))
    played = click.style(f"  [{printable(', '.join(faults))}]", fg="magenta") if faults else ""
    # On the thread of the server there is no context of click that says it.
    colour = False if os.environ.get("NO_COLOR") else None
    click.echo(f"  {printable(method):<6} {printable(path)} {shown} {seconds * 1000:.1f} ms{played}", color=colour)


def _colour(status: int) -> str:
    return "green" if status < 300 else "yellow" if status < 500 else "red"
