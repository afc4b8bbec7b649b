"""``norce-order sandbox``: the local order service until Ctrl-C, with a line for each request."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import click

from norce_order_async.cli.failures import printable
from norce_order_async.environments import is_loopback

if TYPE_CHECKING:
    from norce_order_async.sandbox import ReceivedRequest, Sandbox

MERCHANT, CHANNEL = "demo", "se"


@click.command(short_help="Serve a local imitation of the order service.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8700, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--token", default="sandbox-token", show_default=True, help="The one token it accepts.")
@click.option("--seed", type=int, help="The same seed gives the same identifiers.")
def sandbox(host: str, port: int, token: str, seed: int | None) -> None:
    """Serve a local imitation of the order service, until Ctrl-C.

    Orders live in memory and are gone when it stops.
    """
    try:
        from norce_order_async.sandbox import Sandbox, SandboxStartError, serve
    except ImportError as missing:
        raise click.ClickException(str(missing)) from missing
    if not token or " " in token or not (token.isascii() and token.isprintable()):
        raise click.BadParameter(
            "must be one word of plain characters, as it travels in a header", param_hint="--token"
        )
    service = Sandbox(host=host, port=port, token=token, seed=seed, on_request=_request_line)
    try:
        serve(service, on_start=_introduce)
    except SandboxStartError as error:
        raise click.ClickException(str(error)) from error
    click.echo("stopped")


def _introduce(service: Sandbox) -> None:
    # An address that means "all of this machine's" is none that a client can go to.
    url = service.base_url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    click.echo(
        f"""\
A local imitation of the Norce Checkout order service, not the real one.
Orders live in memory and are gone when it stops. Ctrl-C stops it.

  address    {url}
  token      {service.token}
  merchant   any; {MERCHANT} below
  channel    any; {CHANNEL} below

With curl, the orders there are:

{_curl(url, service.token)}
With Python, the first order:

{_python(url, service.token)}
Requests, as they come:
"""
    )
    if not is_loopback(service.base_url):
        click.echo("  (Other machines can reach it; the client sends its token over plain http to this one only.)")


def _curl(url: str, token: str) -> str:
    return f"""\
curl -H {shlex.quote(f"Authorization: Bearer {token}")} \\
  -H "x-merchant: {MERCHANT}" -H "x-channel: {CHANNEL}" \\
  {shlex.quote(f"{url}/api/v0/checkout/orders")}
"""


def _python(url: str, token: str) -> str:
    return f"""\
import asyncio
from norce_order_async import NorceOrderClient
from norce_order_async.models import Cart, Item

async def main():
    async with NorceOrderClient(
        base_url="{url}",
        merchant="{MERCHANT}",
        channel="{CHANNEL}",
        token={json.dumps(token)},
    ) as norce:
        order = await norce.orders.create(
            culture="sv-SE",
            currency="SEK",
            country="SE",
            cart=Cart(items=[Item(sku="MUG-01", quantity=1)]),
        )
        print(await order.refresh())

asyncio.run(main())
"""


def _request_line(request: ReceivedRequest) -> None:
    """Method, path, status and time; never the query or a body, which may hold personal data."""
    status = request.status or 0
    colour = "green" if status < 300 else "yellow" if status < 500 else "red"
    took = (request.seconds or 0) * 1000
    line = f"  {printable(request.method):<6} {printable(request.path)}"
    try:
        click.echo(f"{line} {click.style(str(status), fg=colour)} {took:.1f} ms")
    except OSError:
        # Nobody reads the lines any more; the service goes on.
        return
