"""``norce-order create``: creates an order from a JSON file."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.failures import one_line
from norce_order_async.cli.production import confirm, production_option
from norce_order_async.display import printable

if TYPE_CHECKING:
    from norce_order_async.client import NorceOrderClient


class UnusableInput(click.ClickException):
    """The input can't be used; nothing was sent."""

    exit_code = 2


@click.command(short_help="Create an order.")
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@production_option
@connection_options
def create(connection: Connection, file: str, as_json: bool, yes_production: bool) -> None:
    """Create an order from a JSON file, and print its id. FILE is - for standard input.

    The file holds an order in the API's spelling: culture, currency, country, cart and so on. A cart with lines but
    without a total gets the sum of its lines. With a cart.reference, the order is created only once, even if an answer
    is lost.
    """
    import anyio

    body = _json_object(_text_of(file), "the file" if file == "-" else file)
    norce = connection.client()
    confirm(norce, "create", "1: a new one", yes=yes_production)
    order_id = anyio.run(_create, norce, body)
    click.echo(json.dumps({"order_id": order_id}) if as_json else printable(order_id))


async def _create(norce: NorceOrderClient, body: dict[str, Any]) -> str:
    from norce_order_async.errors import InvalidRequestError

    async with norce:
        try:
            return (await norce.orders.create(cast("Any", body))).id
        except InvalidRequestError as error:
            raise UnusableInput(one_line(error)) from error


def _text_of(file: str) -> str:
    try:
        return sys.stdin.read().removeprefix("\ufeff") if file == "-" else Path(file).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableInput(f"{printable(file)} can't be read: {type(error).__name__}") from None


def strict_json(text: str) -> Any:
    """Read JSON, more strictly than Python does.

    Raises:
        ValueError: The text is not JSON, has a number beyond all bounds or a name twice in one object, or is nested too
            deeply.
    """
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(word: str) -> float:
    raise ValueError(word)


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError("beyond all numbers")
    return number


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name twice")
    return members


def _json_object(text: str, name: str) -> dict[str, Any]:
    try:
        found = strict_json(text)
    except ValueError as error:
        # The error holds the whole text, which may be personal; the line is enough.
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UnusableInput(f"{printable(name)} is not JSON{where}") from None
    if not isinstance(found, dict):
        raise UnusableInput(f"{printable(name)} must hold one JSON object, an order")
    return cast("dict[str, Any]", found)
