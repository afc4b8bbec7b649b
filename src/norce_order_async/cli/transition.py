"""``norce-order transition``: move one order to another status."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import click

from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.filters import STATUSES
from norce_order_async.cli.options import Choice
from norce_order_async.cli.production import confirm, production_option
from norce_order_async.display import printable

if TYPE_CHECKING:
    from norce_order_async.client import NorceOrderClient
    from norce_order_async.models import OrderStatus
    from norce_order_async.orders.transition import Transitioned


@click.command(short_help="Move an order to another status.")
@click.argument("order_id", metavar="ID")
@click.option(
    "--to", "target", type=Choice(STATUSES, case_sensitive=False), required=True, help="The status to move to."
)
@click.option("--validate", "validates", is_flag=True, help="Move it only if it passes the service's validation.")
@click.option("--explain", "explains", is_flag=True, help="After a refusal, ask the service what is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@production_option
@connection_options
def transition(
    connection: Connection,
    order_id: str,
    target: OrderStatus,
    validates: bool,
    explains: bool,
    as_json: bool,
    yes_production: bool,
) -> None:
    """Move an order to another status. The service decides whether it allows that.

    --validate and --explain call every validation that is registered with the order.
    """
    import anyio

    from norce_order_async.pipeline.request import check_id

    norce = connection.client()
    # Outside the event loop, where Ctrl-C still ends the question.
    confirm(norce, f"to {target}", f"1: {check_id('order_id', order_id)}", yes=yes_production)
    came_to = anyio.run(partial(_move, norce, order_id, target, validate=validates, explain=explains))
    if as_json:
        result = {"order_id": order_id, "status": came_to.to, "before": came_to.origin, "called": came_to.called}
        click.echo(json.dumps(result))
    elif came_to.called:
        click.echo(f"{printable(order_id)}: {came_to.origin} -> {came_to.to}")
    else:
        click.echo(f"{printable(order_id)}: {came_to.to} already")


async def _move(
    norce: NorceOrderClient, order_id: str, target: OrderStatus, *, validate: bool, explain: bool
) -> Transitioned:
    async with norce:
        # Read first: an order that has the status already is only reported.
        order = await norce.orders.get(order_id)
        return await order.transition_to(target, validate=validate, explain=explain)
