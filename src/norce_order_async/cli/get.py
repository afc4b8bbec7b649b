"""``norce-order get``: shows one order, without personal data unless ``--json`` asks for the whole order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.listing import created
from norce_order_async.cli.tables import facts
from norce_order_async.cli.watching import again_and_again, watch_option

if TYPE_CHECKING:
    from norce_order_async.orders.order import Order


@click.command(short_help="Show an order.")
@click.argument("order_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the whole order as JSON, personal data included.")
@watch_option
@connection_options
def get(connection: Connection, order_id: str, as_json: bool, watch: float | None) -> None:
    """Show an order: status, sums, counts and history. Personal data is shown only with --json."""
    import anyio

    anyio.run(_get, connection, order_id, as_json, watch)


async def _get(connection: Connection, order_id: str, as_json: bool, watch: float | None) -> None:
    async with connection.client() as norce:

        async def show() -> None:
            order = await norce.orders.get(order_id)
            if as_json:
                click.echo(json.dumps(order.data.to_dict(), indent=2))
            else:
                _show(order)

        await again_and_again(show, watch)


def _show(order: Order) -> None:
    currency = order.data.currency or ""
    facts(
        (
            ("order", order.id),
            ("status", str(order.status)),
            ("reference", order.reference or "-"),
            ("total", "unknown" if order.amount is None else f"{order.amount} {currency}"),
            ("outstanding", "unknown" if order.outstanding is None else f"{order.outstanding} {currency}"),
            ("cart", f"{len(order.cart.items)} lines"),
            ("shippings", str(len(order.shippings.active))),
            ("payments", str(len(order.payments.active))),
            ("created", created(order)),
        )
    )
    facts((period.status, f"since {period.entered:%Y-%m-%d %H:%M:%S %Z}") for period in order.transitions)
