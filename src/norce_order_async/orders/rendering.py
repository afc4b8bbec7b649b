"""How an order looks where ``rich`` is installed: what is safe to show, nothing of a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from norce_order_async.orders.order import Order


def render_order(order: Order) -> RenderableType:
    """A small table: id, status, age of the snapshot, sums and counts."""
    from rich.table import Table

    table = Table("Order", order.id, title_justify="left")
    if not order.loaded:
        table.add_row("", "not loaded")
        return table
    currency = order.data.currency or ""
    table.add_row("status", str(order.status))
    table.add_row("read", f"{order.age:.0f} s ago" + (", stale" if order.stale else ""))
    table.add_row("total", "unknown" if order.amount is None else f"{order.amount} {currency}")
    table.add_row("outstanding", f"{order.outstanding} {currency}")
    table.add_row("cart", f"{len(order.cart.items)} lines")
    table.add_row("shippings", str(len(order.shippings.active)))
    table.add_row("payments", str(len(order.payments.active)))
    for period in order.transitions:
        table.add_row(period.status, f"{period.entered:%Y-%m-%d %H:%M:%S %Z}")
    return table
