"""``norce-order set-reference``, ``attributes`` and ``payments``: commands for one part of an order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.create import strict_json
from norce_order_async.cli.production import confirm, production_option
from norce_order_async.cli.rows import Form, Rows, row_options
from norce_order_async.cli.tables import facts
from norce_order_async.display import printable

if TYPE_CHECKING:
    from norce_order_async.client import NorceOrderClient
    from norce_order_async.models import Payment
    from norce_order_async.orders.order import Order


@click.command("set-reference", short_help="Set the reference of an order.")
@click.argument("order_id", metavar="ID")
@click.argument("reference", metavar="REFERENCE")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@production_option
@connection_options
def set_reference(connection: Connection, order_id: str, reference: str, as_json: bool, yes_production: bool) -> None:
    """Set the reference of an order in another system, such as an ERP."""
    import anyio

    from norce_order_async.pipeline.request import check_id

    norce = connection.client()
    confirm(norce, "set the reference", f"1: {check_id('order_id', order_id)}", yes=yes_production)
    anyio.run(_set_reference, norce, order_id, reference)
    if as_json:
        click.echo(json.dumps({"order_id": order_id, "reference": reference}))
    else:
        click.echo(f"{printable(order_id)}: reference {printable(reference)}")


async def _set_reference(norce: NorceOrderClient, order_id: str, reference: str) -> None:
    async with norce:
        await norce.orders(order_id).set_reference(reference)


def _changes(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for each in given:
        name, parted, value = each.partition("=")
        typed = name.endswith(":")
        name = name.removesuffix(":")
        if not (name and parted) or name in changes:
            raise click.BadParameter("must be NAME=TEXT or NAME:=JSON, each name once")
        if typed:
            try:
                changes[name] = strict_json(value)
            except ValueError:
                raise click.BadParameter(f"{printable(name)}: the text after := is not JSON") from None
        else:
            changes[name] = value
    return changes


@click.command(short_help="Show or change the attributes of an order.")
@click.argument("order_id", metavar="ID")
@click.argument("changes", metavar="[NAME=TEXT]...", nargs=-1, callback=_changes)
@click.option("--remove", "removed", metavar="NAME", multiple=True, help="Remove this attribute; repeat for more.")
@click.option("--json", "as_json", is_flag=True, help="Print the attributes as one JSON object.")
@production_option
@connection_options
def attributes(
    connection: Connection,
    order_id: str,
    changes: dict[str, Any],
    removed: tuple[str, ...],
    as_json: bool,
    yes_production: bool,
) -> None:
    """Change the given attributes of an order, if any, and show all of its attributes.

    NAME=TEXT sets a text. NAME:=JSON sets another value, such as NAME:=5 or NAME:=true. The values are shown even if
    they are personal data.
    """
    import anyio

    from norce_order_async.pipeline.request import check_id

    both = changes.keys() & set(removed)
    if both:
        raise click.UsageError(f"{printable(min(both))} can't be both set and removed")
    norce = connection.client()
    if changes or removed:
        confirm(norce, "change attributes", f"1: {check_id('order_id', order_id)}", yes=yes_production)
    found = anyio.run(_attributes, norce, order_id, changes, removed)
    if as_json:
        click.echo(json.dumps(found))
    else:
        facts((name, value if isinstance(value, str) else json.dumps(value)) for name, value in found.items())
        if not found:
            click.echo("no attributes", err=True)


async def _attributes(
    norce: NorceOrderClient, order_id: str, changes: Mapping[str, Any], removed: tuple[str, ...]
) -> dict[str, Any]:
    async with norce:
        order = norce.orders(order_id)
        if changes or removed:
            # In one call: a null removes an attribute.
            await order.attributes.update({**changes, **dict.fromkeys(removed)})
        await order.refresh()
        return dict(order.attributes)


_PAYMENT: Final[Mapping[str, Callable[[Payment], Any]]] = {
    "id": lambda payment: payment.id,
    "state": lambda payment: payment.state,
    "type": lambda payment: payment.type_,
    "amount": lambda payment: None if payment.amount is None else str(payment.amount),
    "currency": lambda payment: payment.currency,
    "reference": lambda payment: payment.reference,
}


@click.command(short_help="List the payments of an order.")
@click.argument("order_id", metavar="ID")
@row_options
@connection_options
def payments(connection: Connection, order_id: str, form: Form) -> None:
    """List the payments of an order, including removed ones."""
    import anyio

    rows = Rows[Any](form, _PAYMENT, lambda payment: payment.to_dict(), "Payment")
    for payment in anyio.run(_read, connection, order_id).payments:
        rows.add(payment)
    rows.end("no payments")


async def _read(connection: Connection, order_id: str) -> Order:
    async with connection.client() as norce:
        return await norce.orders.get(order_id)
