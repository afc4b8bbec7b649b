"""``norce-order inbox``: lists the notifications in an adapter's inbox, has them handled again, and drops them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from norce_order_async.cli.bulk.rows import BadInput
from norce_order_async.cli.failures import one_line
from norce_order_async.cli.options import Choice
from norce_order_async.cli.rows import Form, Rows, array_options, timestamp

if TYPE_CHECKING:
    from norce_order_async.adapter import InboxEntry, PostgresInbox, SqliteInbox
    from norce_order_async.adapter.inbox.protocol import State

STATES: Final = ("waiting", "working", "dead", "handled")
MOST: Final = 100
"""Largest number of notifications in a table; ``--json``, ``--jsonl`` and ``--csv`` have all."""


@click.group(short_help="List, retry and drop notifications that an adapter has stored.")
def inbox() -> None:
    """List, retry and drop the notifications that an adapter has stored, also while the adapter runs.

    INBOX is the file of an inbox, or the address of a PostgreSQL database, postgresql://user@host/database. Put its
    password in PGPASSWORD or ~/.pgpass: every user of the machine can see a command line. No command shows the content
    of a notification.
    """


_inbox = click.argument("address", metavar="INBOX")
_ids = click.argument("ids", metavar="ID...", nargs=-1, required=True, type=click.IntRange(min=1))


@inbox.command("list", short_help="List notifications that are not handled.")
@_inbox
@click.option("--state", type=Choice(STATES), help="Only those in this state. Default: all that are not handled.")
@array_options
def list_entries(address: str, state: State | None, form: Form) -> int:
    """List notifications, oldest first: those that wait, are being handled, or were given up (dead).

    The error is the class of the exception that the handler raised last.
    """
    rows = Rows(form, _COLUMNS, _record, usual=_USUAL)

    async def show(opened: SqliteInbox | PostgresInbox) -> int:
        counts = (await opened.counts()).counts if form.kind == "table" else None
        async for entry in opened.entries(state):
            if state is None and entry.state == "handled":
                continue
            if form.kind == "table" and rows.count == MOST:
                click.echo(f"the first {MOST}; --json prints all", err=True)
                break
            rows.add(entry)
        rows.end("no such notifications")
        if counts is not None:
            click.echo(", ".join(f"{counts[each]:,} {each}" for each in STATES))
        return 0

    return _with(address, show)


@inbox.command(short_help="Have notifications handled again.")
@_inbox
@_ids
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retry(address: str, ids: tuple[int, ...], as_json: bool) -> int:
    """Have notifications handled again, with as many attempts as a new one.

    A dead notification, or one that waits for its next attempt, is due at once. The content of a handled one is not
    kept, so the inbox only forgets it: it is handled again when the service sends it again.

    The exit code is 1 if one of them does not exist or is being handled right now.
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
    """Remove notifications for good. If the service sends one again, it is handled.

    The exit code is 1 if one of them does not exist or is being handled right now.
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


def _record(entry: InboxEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "state": entry.state,
        "adapter_id": entry.adapter_id,
        "route": entry.route,
        "merchant": entry.merchant,
        "channel": entry.channel,
        "order_id": entry.order_id,
        "received": timestamp(entry.received_at),
        "attempts": entry.attempts,
        "due": timestamp(entry.due),
        "changed": timestamp(entry.changed),
        "error": entry.error or None,
    }


def _cell(name: str, entry: InboxEntry) -> Any:
    return _record(entry)[name]


_USUAL: Final = ("id", "state", "adapter_id", "route", "order_id", "received", "attempts", "due", "error")
_COLUMNS: Final[Mapping[str, Callable[[InboxEntry], Any]]] = {
    name: partial(_cell, name) for name in (*_USUAL, "merchant", "channel", "changed")
}


def _with(address: str, work: Callable[[SqliteInbox | PostgresInbox], Awaitable[int]]) -> int:
    """Open an existing inbox, and work with it.

    Raises:
        BadInput: There is no such inbox, or it can't be used.
    """
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
