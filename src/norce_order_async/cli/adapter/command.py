"""``norce-order adapter dev module:adapter``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from norce_order_async.cli.sandbox.command import CALLBACK_TOKEN, CHANNEL, MERCHANT
from norce_order_async.display import printable

if TYPE_CHECKING:
    from rich.console import Console

    from norce_order_async.sandbox import Sandbox


@click.group()
def adapter() -> None:
    """Work on an adapter, a program that the order service calls."""


@adapter.command(short_help="Run an adapter against a local order service.")
@click.argument("target", metavar="MODULE:ADAPTER")
@click.option("--walk", is_flag=True, help="Pay, validate and complete the order once the adapter runs.")
@click.option("--once", is_flag=True, help="End after the walk.")
@click.option("--no-reload", is_flag=True, help="Do not restart the adapter when its code changes.")
def dev(target: str, walk: bool, once: bool, no_reload: bool) -> None:
    """Run MODULE:ADAPTER under uvicorn against a local order service, until Ctrl-C.

    ADAPTER is an adapter, or a function that makes one from a client. The command creates an order, registers the
    adapter on it, and shows each call between you, the service and the adapter. When the code changes, it restarts and
    registers the adapter again. It sets NORCE_BASE_URL, NORCE_TOKEN, NORCE_MERCHANT and NORCE_CHANNEL for the adapter,
    so that NorceOrderClient.from_env() reaches the local service.

    If the adapter requires a bearer token, put it in NORCE_SANDBOX_CALLBACK_TOKEN.
    """
    try:
        from rich.console import Console

        from norce_order_async.cli.adapter.process import AdapterProcess
        from norce_order_async.cli.adapter.served import HOST, NEW_ORDER
        from norce_order_async.cli.adapter.view import Proxy, View
        from norce_order_async.sandbox import Sandbox
    except ImportError as missing:
        raise click.ClickException(str(missing)) from missing
    console = Console(highlight=False, emoji=False)
    view = View(console, target.partition(":")[0].rpartition(".")[2])
    process = AdapterProcess(target, reload=not no_reload)
    proxy = Proxy(process.address, view.callback)
    with Sandbox(
        apps={HOST: proxy},
        callback_token=os.environ.get(CALLBACK_TOKEN) or None,
        on_request=view.request,
    ) as service:
        order = str(_sent(service, "POST", "", NEW_ORDER)["id"])
        runs = True
        try:
            process.start(service, order)
            _introduce(service, order, console)
            runs = process.wait_until_ready()
            if runs and (walk or once):
                _walk(service, order, console)
            if runs and not once:
                runs = process.wait_until_ended()
        except KeyboardInterrupt:
            pass
        finally:
            process.stop()
    if not runs:
        raise click.ClickException("the adapter's server ended by itself; its output is above")


def _headers(service: Sandbox) -> dict[str, str]:
    return {"authorization": f"Bearer {service.token}", "x-merchant": MERCHANT, "x-channel": CHANNEL}


def _orders(service: Sandbox) -> str:
    return f"{service.base_url}/api/v0/checkout/orders"


def _sent(service: Sandbox, method: str, path: str, body: object = None) -> dict[str, Any]:
    """Send a plain request; returns the JSON object of the answer, empty if the answer is not an object."""
    import httpx

    with httpx.Client(trust_env=False, timeout=60, headers=_headers(service)) as client:
        answer = client.request(method, _orders(service) + path, json=body)
    data: Any = answer.json() if answer.content else {}
    return data if isinstance(data, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _walk(service: Sandbox, order: str, console: Console) -> None:
    """Take the order through a checkout."""
    import anyio

    console.print("\nAdd a payment, validate the order, and complete it:")
    _sent(service, "POST", f"/{order}/payments", {"amount": 125.0})
    _sent(service, "POST", f"/{order}/validate")
    _sent(service, "PUT", f"/{order}/state", {"currentStatus": "completed"})
    anyio.run(service.deliver_due)
    state = _sent(service, "GET", f"/{order}")["state"]
    console.print(f"The order is {printable(state['currentStatus'])}.\n")


def _introduce(service: Sandbox, order: str, console: Console) -> None:
    curl = f"""curl -H 'Authorization: Bearer {service.token}' -H 'x-merchant: {MERCHANT}' -H 'x-channel: {CHANNEL}'"""
    here = f"{_orders(service)}/{order}"
    console.print(
        f"""\
This runs a local imitation of the order service, not the real one, and your adapter. Ctrl-C stops both.

  service  {service.base_url}
  order    {order}, with a cart of 125

To pay, validate and complete the order:

{curl} --json '{{"amount": 125}}' {here}/payments
{curl} -X POST {here}/validate
{curl} -X PUT --json '{{"currentStatus": "completed"}}' {here}/state

Calls, as they come:
""",
        markup=False,
        soft_wrap=True,
    )
