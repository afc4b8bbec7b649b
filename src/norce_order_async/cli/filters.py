"""The filter options of all commands that select orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import wraps
from typing import Any

import click

from norce_order_async.cli.failures import in_shell
from norce_order_async.cli.options import Choice, Command, with_options
from norce_order_async.display import printable


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """A date or time in ISO 8601; without a zone it is local time."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{printable(value)!r} is not a time such as 2026-11-20 or 2026-11-20T08:30:00+01:00"
        ) from None


STATUSES = ("checkout", "processing", "accepted", "completed", "declined", "removed")

_ONE = (
    click.option("--search", metavar="TEXT", help="Orders that contain this text."),
    click.option("--reference", metavar="TEXT", help="Orders with this reference in another system."),
    click.option("--cart-reference", metavar="TEXT", help="The order with this cart reference."),
    click.option("--payment-id", metavar="ID", help="The order with this payment."),
    click.option(
        "--date-from",
        callback=_moment,
        metavar="TIME",
        help="Orders from this time on. A time without a zone is local time.",
    ),
    click.option("--date-to", callback=_moment, metavar="TIME", help="Orders up to this time."),
)

_MANY = {
    "status": f"Orders in this status: {', '.join(STATUSES[:-1])} or {STATUSES[-1]}",
    "country": "Orders of this country",
    "billing_name": "Orders billed to this name",
    "billing_email": "Orders billed to this e-mail address",
    "billing_phone": "Orders billed to this phone number",
    "billing_country": "Orders billed in this country",
    "shipping_name": "Orders shipped to this name",
    "shipping_email": "Orders shipped to this e-mail address",
    "shipping_phone": "Orders shipped to this phone number",
    "shipping_country": "Orders shipped to this country",
}
_PLURAL = {"status": "status", "country": "countries", "billing_country": "billing_countries"} | {
    "shipping_country": "shipping_countries"
}


def _many(name: str, help: str) -> Any:
    kind = Choice(STATUSES, case_sensitive=False) if name == "status" else click.STRING
    return click.option(
        f"--{name.replace('_', '-')}", name, type=kind, multiple=True, metavar="WORD", help=f"{help}; repeat for more."
    )


PERSONAL = frozenset({"--search", *(f"--{name.replace('_', '-')}" for name in _MANY if "_" in name)})
"""Options whose values may be personal data."""

_OPTIONS = (_many("status", _MANY["status"]), *_ONE, *(_many(*each) for each in list(_MANY.items())[1:]))


def filter_options(command: Command) -> Command:
    """Add the options to a command, which gets them as ``where``: an ``OrderFilter``, or None if no option was
    given."""

    @wraps(command)
    def filtered(**options: Any) -> Any:
        from norce_order_async.errors import InvalidRequestError
        from norce_order_async.orders.filter import OrderFilter

        names = ("search", "reference", "cart_reference", "payment_id", "date_from", "date_to")
        given: dict[str, Any] = {name: value for name in names if (value := options.pop(name)) is not None}
        for name in _MANY:
            values: Sequence[str] = options.pop(name)
            if values:
                given[_PLURAL.get(name, f"{name}s")] = list(values)
        where = OrderFilter(**given) if given else None
        try:
            if where is not None:
                where.query()
        except InvalidRequestError as error:
            raise click.UsageError(in_shell(printable(str(error)), ("search", "reference"))) from error
        return command(where=where, **options)

    return with_options(_OPTIONS, filtered)
