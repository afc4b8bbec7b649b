"""The question that a command asks before it changes orders in production."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from norce_order_async.display import printable
from norce_order_async.environments import is_production

if TYPE_CHECKING:
    from norce_order_async.scope import Scope

FLAG = "--yes-production"


def production_option(command: click.decorators.FC) -> click.decorators.FC:
    """Add the flag that answers the question in advance."""
    return click.option(FLAG, is_flag=True, help="Do not ask before changing orders in production.")(command)


def confirm(scope: Scope, what: str, orders: str, *, yes: bool) -> None:
    """Ask before orders in production are changed. Outside production, or with the flag, do not ask.

    Args:
        scope: The service and account.
        what: The change, in words.
        orders: The number of orders, in words.
        yes: Whether the flag was given.

    Raises:
        UsageError: There is no terminal, or ``--json`` is given without the flag.
        ClickException: The user said no.
    """
    if not is_production(scope.base_url):
        return
    if click.get_current_context().params.get("as_json"):
        # With --json, programs read standard error too, so no question is asked.
        if not yes:
            raise click.UsageError(f"this changes orders in production: give {FLAG} to continue; nothing was sent")
        return
    click.echo("This changes orders in production:\n", err=True)
    for name, value in (
        ("address", scope.base_url),
        ("merchant", scope.merchant),
        ("channel", scope.channel),
        ("what", what),
        ("orders", orders),
    ):
        click.echo(f"  {name:<10} {printable(value)}", err=True)
    click.echo(err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask at: give {FLAG} to continue; nothing was sent")
    if not click.confirm("Continue?", err=True):
        raise click.ClickException("not confirmed; nothing was changed")
