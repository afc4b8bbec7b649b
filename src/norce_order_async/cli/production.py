"""The question before a command changes orders of a running shop."""

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
    """The flag that answers the question beforehand."""
    return click.option(FLAG, is_flag=True, help="Do not ask before changing orders in production.")(command)


def confirm(scope: Scope, what: str, orders: str, *, yes: bool) -> None:
    """Continue against production only if the user at a terminal, or the flag, says so.

    Args:
        scope: the service and account.
        what: what the command will do.
        orders: how many orders, in words.
        yes: whether the flag was given.

    Raises:
        UsageError: there is no terminal to ask at.
        ClickException: the answer was no.
    """
    if not is_production(scope.base_url):
        return
    if click.get_current_context().params.get("as_json"):
        # Standard error is for machines too.
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
