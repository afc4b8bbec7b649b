"""``norce-order sandbox tail``: prints the requests of a running local order service as they end.

A request is one line without its query and its body, which may hold personal data.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, Final

import click

from norce_order_async.cli.sandbox.running import LocalService, NotRunning, local_service_options
from norce_order_async.display import printable

_EVERY: Final = 0.25
"""Seconds between two questions for new requests."""


@click.command(short_help="Print the requests of a local service as they come.")
@local_service_options
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Begin with this many earlier requests.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each request.")
def tail(service: LocalService, lines: int, as_json: bool) -> None:
    """Print the requests of a local order service as they come, until Ctrl-C or until the service stops.

    Without URL, it is the service that `norce-order sandbox` runs on this machine. A line has method, path, status,
    time and the faults that were played. Queries and bodies are not shown, because they may hold personal data.
    """
    import anyio

    try:
        anyio.run(_follow, service, lines, as_json)
    except KeyboardInterrupt:
        return


async def _follow(service: LocalService, lines: int, as_json: bool) -> None:
    import anyio

    async with service.client() as client:
        found = await service.ask(client, "GET", "log")
        seen: int = found["last"]
        earlier: list[dict[str, Any]] = found["requests"]
        for request in earlier[len(earlier) - min(lines, len(earlier)) :]:
            _print(request, as_json=as_json)
        while True:
            await anyio.sleep(_EVERY)
            try:
                found = await service.ask(client, "GET", f"log?after={seen}")
            except NotRunning:
                click.echo(f"{service.address} has stopped", err=True)
                return
            missed = found["last"] - seen - len(found["requests"])
            if missed > 0:
                what = "1 request is" if missed == 1 else f"{missed} requests are"
                click.echo(f"{what} missing here: the service has dropped the oldest from its log", err=True)
            for request in found["requests"]:
                _print(request, as_json=as_json)
            seen = found["last"]


def _print(request: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(request))
    else:
        print_line(request["method"], request["path"], request["status"], request["seconds"], request["faults"])


def print_line(method: str, path: str, status: int | None, seconds: float, faults: Sequence[str]) -> None:
    """Print one request: method, path, status, time and faults. A request without an answer has the status ``---``.

    Raises:
        OSError: The reader of the lines has gone.
    """
    shown = click.style("---", fg="red") if status is None else click.style(str(status), fg=_colour(status))
    played = click.style(f"  [{printable(', '.join(faults))}]", fg="magenta") if faults else ""
    # On the server's thread, click has no context that says whether to use colours.
    colour = False if os.environ.get("NO_COLOR") else None
    click.echo(f"  {printable(method):<6} {printable(path)} {shown} {seconds * 1000:.1f} ms{played}", color=colour)


def _colour(status: int) -> str:
    return "green" if status < 300 else "yellow" if status < 500 else "red"
