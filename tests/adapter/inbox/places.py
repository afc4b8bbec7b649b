"""The places where tests keep an inbox, and queries of it from outside."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import anyio

from norce_order_async.adapter.inbox.postgres import PostgresInbox
from norce_order_async.adapter.inbox.protocol import Handle, Taken
from norce_order_async.adapter.inbox.sqlite import SqliteInbox

Inbox = SqliteInbox | PostgresInbox


class Place(Protocol):
    """A place where a test can open the inbox more than once."""

    address: str
    """The address of the inbox for the command line and other processes."""

    def inbox(self, **settings: Any) -> Inbox:
        """An inbox in this place. Retries come at once by default."""
        ...

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement of SQL."""
        ...


class InFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = str(path)

    def inbox(self, **settings: Any) -> Inbox:
        given: dict[str, Any] = {"backoff_base": 0.0, **settings}
        return SqliteInbox(self.path, **given)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement).fetchall()


class InPostgres:
    def __init__(self, dsn: str) -> None:
        self.address = dsn

    def inbox(self, **settings: Any) -> Inbox:
        given: dict[str, Any] = {"backoff_base": 0.0, **settings}
        return PostgresInbox(self.address, **given)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.address) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def let_pass(place: Place, seconds: float) -> None:
    """Make all entries of an inbox this much older."""
    place.query(f"UPDATE norce_inbox SET due = due - {seconds}, changed = changed - {seconds}")


def column(place: Place, name: str) -> list[Any]:
    """A column of all entries, oldest first."""
    return [value for (value,) in place.query(f"SELECT {name} FROM norce_inbox ORDER BY id")]


class Worker:
    """A handler that counts its calls, and fails or waits if the test says so.

    Args:
        fails: how often it fails for each order, at first.
    """

    def __init__(self, *, fails: int = 0) -> None:
        self.fails = fails
        self.taken: list[Taken] = []
        self.handled: list[Taken] = []
        self.running = 0
        self.most = 0
        self.gate: Callable[[Taken], anyio.Event | None] = lambda taken: None

    async def __call__(self, taken: Taken) -> None:
        self.taken.append(taken)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            gate = self.gate(taken)
            if gate is not None:
                await gate.wait()
            if taken.attempt <= self.fails:
                raise ValueError("the provider is away, says eva@example.com")
            self.handled.append(taken)
        finally:
            self.running -= 1

    @property
    def orders(self) -> list[str]:
        """Orders in the order in which they were handled."""
        return [taken.delivery.order_id for taken in self.handled]


async def work_until(inbox: Inbox, worker: Handle, true: Callable[[], object], **settings: Any) -> None:
    """Work until a condition is true; it is checked after each handler."""
    from tests.support.waiting import until

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: inbox.work(worker, **settings))
        await until(true)
        group.cancel_scope.cancel()
