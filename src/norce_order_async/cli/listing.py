"""``norce-order list``: the newest orders that match, as a table or as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.filters import filter_options
from norce_order_async.cli.tables import table

if TYPE_CHECKING:
    from norce_order_async.client import NorceOrderClient
    from norce_order_async.orders.filter import OrderFilter
    from norce_order_async.orders.order import Order

PAGE = 50
"""The service may refuse to give more at a time."""

MOST_REPEATS = 3
"""How often in a row the same page comes before the offset counts as not honoured."""


@click.command("list", short_help="List the newest orders.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Show at most this many orders."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print whole orders as JSON, one per line, personal data included."
)
@filter_options
@connection_options
def list_orders(connection: Connection, where: OrderFilter | None, limit: int, as_json: bool) -> None:
    """List the newest orders that match, newest first. Without --json no personal data is shown.

    To get every order that matches, exactly once, use `bulk export`.
    """
    import anyio

    anyio.run(_list, connection, where, limit, as_json)


async def _list(connection: Connection, where: OrderFilter | None, limit: int, as_json: bool) -> None:
    async with connection.client() as norce:
        if as_json:
            async for order in _newest(norce, where, limit):
                click.echo(json.dumps(order.data.to_dict()))
            return
        rows = [_row(order) async for order in _newest(norce, where, limit)]
    if rows:
        table(("ID", "STATUS", "CREATED", "TOTAL", "REFERENCE"), rows)
    else:
        click.echo("no orders match", err=True)


async def _newest(norce: NorceOrderClient, where: OrderFilter | None, limit: int) -> AsyncIterator[Order]:
    """The newest orders, page by page. An order that new ones shift to the next page comes once.

    Raises:
        UnavailableError: the same page comes at every offset, so that there may be more orders.
    """
    from norce_order_async.errors import UnavailableError
    from norce_order_async.orders.filter import OrderFilter

    newest_first = replace(where or OrderFilter(), order_by="created", order_by_direction="desc")
    seen: set[str] = set()
    offset = 0
    before: list[str] = []
    repeats = 0
    while len(seen) < limit:
        page = await norce.orders.list(newest_first, offset=offset, limit=min(PAGE, limit))
        if not page.orders:
            return
        ids = [order.id for order in page.orders]
        # Once it may be chance: as many new orders as the page has.
        repeats = repeats + 1 if ids == before else 0
        if repeats == MOST_REPEATS:
            what = f"the service does not honour the offset; {len(seen)} orders were found, and there may be more"
            advice = "narrow it by --date-from and --date-to"
            raise UnavailableError(what, operation="GetCheckoutOrders", advice=advice)
        before = ids
        offset += len(page.orders)
        for order in page.orders:
            if order.id not in seen and len(seen) < limit:
                seen.add(order.id)
                yield order


def _row(order: Order) -> tuple[str, ...]:
    total = "unknown" if order.amount is None else f"{order.amount} {order.data.currency or ''}"
    created = f"{order.created:%Y-%m-%d %H:%M:%S %Z}" if order.created else "unknown"
    return order.id, str(order.status), created, total, order.reference or "-"
