"""How orders and reports look where ``rich`` is installed: what is safe to show, nothing of a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async.display import cell, shown, shown_code

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import RenderableType
    from rich.text import Text

    from norce_order_async.orders.order import Order
    from norce_order_async.orders.pages import OrderPage
    from norce_order_async.orders.validation import ValidationReport


def render_order(order: Order) -> RenderableType:
    """A small table: id, status, age of the snapshot, sums and counts."""
    from rich.table import Column, Table

    table = Table("Order", Column(cell(order.id)), title_justify="left")
    if not order.loaded:
        table.add_row("", "not loaded")
        return table
    table.add_row("status", cell(order.status or "unknown"))
    table.add_row("read", f"{order.age:.0f} s ago" + (", stale" if order.stale else ""))
    table.add_row("total", _amount(order, order.amount))
    table.add_row("outstanding", _amount(order, order.outstanding))
    table.add_row("cart", f"{len(order.cart.items)} lines")
    table.add_row("shippings", str(len(order.shippings.active)))
    table.add_row("payments", str(len(order.payments.active)))
    for period in order.transitions:
        table.add_row(cell(period.status), f"{period.entered:%Y-%m-%d %H:%M:%S %Z}")
    return table


def render_page(page: OrderPage) -> RenderableType:
    """An order a line."""
    from rich.table import Table

    table = Table("Order", "status", "created", "total")
    for order in page.orders:
        created = f"{order.created:%Y-%m-%d %H:%M:%S %Z}" if order.created else ""
        table.add_row(cell(order.id), cell(order.status or "unknown"), created, _amount(order, order.amount))
    return table


def render_report(report: ValidationReport) -> RenderableType:
    """A problem a line: what failed and who says so. An explanation may name a customer, so it is not shown."""
    from rich.table import Table

    if report.ok:
        return cell(f"Order {shown(report.order_id)}: nothing is wrong", longest=200)
    table = Table("Problem", "reported by", title=cell(f"Order {report.order_id}"), title_justify="left")
    for problem in report.problems:
        table.add_row(shown_code(problem.code), shown_code(problem.adapter_id))
    return table


def _amount(order: Order, amount: Decimal | None) -> Text | str:
    return "unknown" if amount is None else cell(f"{amount} {order.data.currency or ''}".rstrip())
