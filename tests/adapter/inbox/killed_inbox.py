"""A program with only an adapter's inbox, to be killed while it runs: ``killed_inbox.py ADDRESS EFFECTS [PAUSE]``.

It reads a JSON object a line and stores it, and prints its number when it would answer 200. Its handler records when it
begins and ends, and takes effect once for each key, as a provider with idempotency keys does.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
import time
from typing import Any

import anyio
from anyio import to_thread

from norce_order_async.adapter import PostgresInbox, SqliteInbox, Taken
from tests.adapter.deliveries import delivery


async def main(address: str, effects: str, pause: float) -> None:
    inbox: Any
    if address.startswith("postgresql://"):
        inbox = PostgresInbox(address, backoff_base=0.01, lease=3.0)
    else:
        inbox = SqliteInbox(address, backoff_base=0.01)
    provider = sqlite3.connect(effects, isolation_level=None, timeout=60)
    provider.execute("PRAGMA synchronous=OFF")

    async def handle(taken: Taken) -> None:
        key = taken.delivery.key
        begun = time.monotonic()
        (number,) = provider.execute(
            "INSERT INTO run (key, process, begun) VALUES (?, ?, ?) RETURNING number", (key, os.getpid(), begun)
        ).fetchone()
        await anyio.sleep(random.uniform(0, pause))
        if random.random() < 0.05:
            raise ConnectionError("the provider is away")
        provider.execute("INSERT OR IGNORE INTO effect VALUES (?)", (key,))
        await anyio.sleep(random.uniform(0, pause))
        provider.execute("UPDATE run SET ended = ? WHERE number = ?", (time.monotonic(), number))

    async def store(line: str) -> None:
        given = json.loads(line)
        await inbox.store(delivery({"id": given["order"], "version": given["version"]}, order_id=given["order"]))
        sys.stdout.write(f"{given['number']}\n")
        sys.stdout.flush()

    async with inbox, anyio.create_task_group() as group:
        group.start_soon(inbox.work, handle)
        while line := await to_thread.run_sync(sys.stdin.readline):
            group.start_soon(store, line)
        while (await inbox.counts()).depth:  # noqa: ASYNC110 - the other process empties it too
            await anyio.sleep(0.02)
        group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], float(sys.argv[3]))
