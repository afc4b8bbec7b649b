"""``norce-order list``: prints the newest orders that match, as a table, as lines of JSON or as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.filters import filter_options
from norce_order_async.cli.rows import Form, Rows, row_options
from norce_order_async.cli.watching import again_and_again, watch_option

if TYPE_CHECKING:
    from norce_order_async.client import NorceOrderClient
    from norce_order_async.orders.filter import OrderFilter
    from norce_order_async.orders.order import Order

PAGE = 50
"""Orders on a page; the service may refuse larger pages."""

MOST_REPEATS = 3
"""After this many repeats of the same page in a row, the service counts as not honouring the offset."""


@click.command("list", short_help="List the newest orders.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Show at most this many orders."
)
@row_options
@watch_option
@filter_options
@connection_options
def list_orders(connection: Connection, where: OrderFilter | None, limit: int, form: Form, watch: float | None) -> None:
    """List the newest orders that match, newest first. Personal data is shown only if --json or --columns asks for it.

    To get every order that matches, exactly once, use `bulk export`.
    """
    import anyio

    Rows(form, _COLUMNS, _whole, "OrderData")  # refuses an unknown column before anything is sent
    anyio.run(_list, connection, where, limit, form, watch)


async def _list(connection: Connection, where: OrderFilter | None, limit: int, form: Form, watch: float | None) -> None:
    async with connection.client() as norce:

        async def show() -> None:
            rows = Rows(form, _COLUMNS, _whole, "OrderData")
            async for order in _newest(norce, where, limit):
                rows.add(order)
            rows.end("no orders match")

        await again_and_again(show, watch)


async def _newest(norce: NorceOrderClient, where: OrderFilter | None, limit: int) -> AsyncIterator[Order]:
    """The newest orders, page by page. An order that new ones move to the next page is not repeated.

    Raises:
        UnavailableError: The service gives the same page at every offset, so there may be more orders.
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
        # A single repeat may be chance: as many new orders came as the page has.
        repeats = repeats + 1 if ids == before else 0
        if repeats == MOST_REPEATS:
            what = f"the service does not honour the offset; {len(seen)} orders were found, and there may be more"
            advice = "narrow the list with --date-from and --date-to"
            raise UnavailableError(what, operation="GetCheckoutOrders", advice=advice)
        before = ids
        offset += len(page.orders)
        for order in page.orders:
            if order.id not in seen and len(seen) < limit:
                seen.add(order.id)
                yield order


def created(order: Order) -> str:
    """When the order was created, to the second."""
    return f"{order.created:%Y-%m-%d %H:%M:%S %Z}" if order.created else "unknown"


def _total(order: Order) -> str:
    return "unknown" if order.amount is None else f"{order.amount} {order.data.currency or ''}".rstrip()


def _status(order: Order) -> str:
    return str(order.status)


def _reference(order: Order) -> str | None:
    return order.reference


def _id(order: Order) -> str:
    return order.id


def _whole(order: Order) -> Mapping[str, Any]:
    return order.data.to_dict()


_COLUMNS: Final[Mapping[str, Callable[[Order], Any]]] = {
    "id": _id,
    "status": _status,
    "created": created,
    "total": _total,
    "reference": _reference,
}
