"""``norce-order inbox``: lists the notifications in an adapter's inbox, has them handled again, and drops them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from norce_order_async.cli.bulk.rows import BadInput
from norce_order_async.cli.failures import one_line
from norce_order_async.cli.tables import table

if TYPE_CHECKING:
    from datetime import datetime

    from norce_order_async.adapter import InboxEntry, PostgresInbox, SqliteInbox
    from norce_order_async.adapter.inbox.protocol import State

STATES: Final = ("waiting", "working", "dead", "handled")
MOST: Final = 100
"""Entries shown to people; ``--json`` and ``--jsonl`` have all."""


@click.group(short_help="Look after notifications that an adapter has stored.")
def inbox() -> None:
    """Look after the notifications that an adapter has stored, also while it runs.

    INBOX is the file of an inbox, or the address of a PostgreSQL database, postgresql://user@host/database. Leave its
    password to PGPASSWORD or ~/.pgpass: the command line is shown to every user of the machine. No command shows the
    content of a notification.
    """


_inbox = click.argument("address", metavar="INBOX")
_ids = click.argument("ids", metavar="ID...", nargs=-1, required=True, type=click.IntRange(min=1))


@inbox.command("list", short_help="List notifications that are not handled.")
@_inbox
@click.option("--state", type=click.Choice(STATES), help="Only those in this state; without it, all but the handled.")
@click.option("--json", "form", flag_value="json", help="As one JSON array.")
@click.option("--jsonl", "form", flag_value="jsonl", help="As JSON, one notification per line.")
def list_entries(address: str, state: State | None, form: Literal["json", "jsonl"] | None) -> int:
    """List notifications, oldest first: those that wait, are being handled, or were given up.

    The error is the kind of exception that the handler raised last.
    """

    async def show(opened: SqliteInbox | PostgresInbox) -> int:
        chosen = (each async for each in opened.entries(state) if state is not None or each.state != "handled")
        match form:
            case "json":
                begin = "["
                async for entry in chosen:
                    click.echo(begin + json.dumps(_record(entry)), nl=False)
                    begin = ",\n "
                click.echo("[]" if begin == "[" else "]")
            case "jsonl":
                async for entry in chosen:
                    click.echo(json.dumps(_record(entry)))
            case None:
                counts = (await opened.counts()).counts
                await _show(chosen)
                click.echo(", ".join(f"{counts[each]:,} {each}" for each in STATES))
        return 0

    return _with(address, show)


@inbox.command(short_help="Have notifications handled again.")
@_inbox
@_ids
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retry(address: str, ids: tuple[int, ...], as_json: bool) -> int:
    """Have notifications handled again, with all of their tries.

    Dead ones, and those that wait for their next try, are due at once. The content of a handled one is not kept: it is
    forgotten, and handled again when the service sends it again.

    The exit code is 1 if one is not there, or is being handled right now.
    """
    words: dict[State, str] = {
        "waiting": "due now",
        "dead": "due now",
        "handled": "forgotten: it is handled when the service sends it again",
    }
    return _with(address, lambda opened: _each(ids, opened.retry, words, as_json=as_json))


@inbox.command(short_help="Remove notifications.")
@_inbox
@_ids
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drop(address: str, ids: tuple[int, ...], as_json: bool) -> int:
    """Remove notifications for good. One that the service sends again is handled.

    The exit code is 1 if one is not there, or is being handled right now.
    """
    words: dict[State, str] = {"waiting": "dropped", "dead": "dropped", "handled": "dropped"}
    return _with(address, lambda opened: _each(ids, opened.drop, words, as_json=as_json))


async def _each(
    ids: tuple[int, ...], change: Callable[[int], Awaitable[State | None]], words: dict[State, str], *, as_json: bool
) -> int:
    code, left = 0, {None: "not there", "working": "being handled, so it was left alone"}
    for number in ids:
        was = await change(number)
        done = was is not None and was in words
        code = code if done else 1
        if as_json:
            click.echo(json.dumps({"id": number, "was": was, "done": done}))
        else:
            click.echo(f"{number}  {words[was] if was is not None and done else left[was]}")
    return code


async def _show(entries: AsyncIterator[InboxEntry]) -> None:
    rows: list[tuple[str, ...]] = []
    async for entry in entries:
        if len(rows) == MOST:
            click.echo(f"the first {MOST}; --json prints all", err=True)
            break
        record = _record(entry)
        rows.append(tuple("" if record[name] is None else str(record[name]) for name in _COLUMNS))
    if rows:
        table([name.replace("_", " ") for name in _COLUMNS], rows)


_COLUMNS: Final = ("id", "state", "adapter_id", "route", "order_id", "received", "attempts", "due", "error")


def _record(entry: InboxEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "state": entry.state,
        "adapter_id": entry.adapter_id,
        "route": entry.route,
        "merchant": entry.merchant,
        "channel": entry.channel,
        "order_id": entry.order_id,
        "received": _moment(entry.received_at),
        "attempts": entry.attempts,
        "due": _moment(entry.due),
        "changed": _moment(entry.changed),
        "error": entry.error or None,
    }


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with(address: str, work: Callable[[SqliteInbox | PostgresInbox], Awaitable[int]]) -> int:
    """Open an inbox that is there, and work with it."""
    import anyio

    from norce_order_async.adapter import InboxError
    from norce_order_async.errors import ConfigurationError

    async def run() -> int:
        async with opened:
            return await work(opened)

    try:
        opened = _inbox_at(address)
        return anyio.run(run)
    except (InboxError, ConfigurationError) as error:
        raise BadInput(one_line(error)) from error


def _inbox_at(address: str) -> SqliteInbox | PostgresInbox:
    from norce_order_async.adapter import PostgresInbox, SqliteInbox

    if address.startswith(("postgresql://", "postgres://")):
        return PostgresInbox(address)
    if not Path(address).exists():
        raise BadInput(f"there is no inbox {address}")
    return SqliteInbox(address)
