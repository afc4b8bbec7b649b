"""``norce-order sandbox tail``: the requests of a local order service that runs, as they end."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from norce_order_async.cli.sandbox.lines import print_line
from norce_order_async.cli.sandbox.running import LocalService, NotRunning, local_service_options

_EVERY: Final = 0.25


@click.command(short_help="Print the requests of a local service, as they come.")
@local_service_options
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="Begin with so many earlier requests."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each request.")
def tail(service: LocalService, lines: int, as_json: bool) -> None:
    """Print the requests of a local order service, as they come, until Ctrl-C or until the service stops.

    Without URL it is the one that `norce-order sandbox` runs on this machine. A line has method, path, status, time and
    the faults that were played; queries and bodies are not shown, because they may hold personal data.
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
                what = (
                    "1 request is left out: the service does not keep it"
                    if missed == 1
                    else (f"{missed} requests are left out: the service does not keep them")
                )
                click.echo(f"{what} any more", err=True)
            for request in found["requests"]:
                _print(request, as_json=as_json)
            seen = found["last"]


def _print(request: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(request))
    else:
        print_line(request["method"], request["path"], request["status"], request["seconds"], request["faults"])
