"""One process works on an inbox in a file, whose disk can be full."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import anyio
import pytest

from norce_order_async.adapter import InboxError, InboxLockedError, SqliteInbox
from norce_order_async.runtime.clock import SystemClock
from tests.adapter.deliveries import delivery
from tests.adapter.inbox.places import InFile, Worker, column, let_pass, work_until
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path: Path) -> InFile:
    return InFile(tmp_path / "erp.inbox")


@pytest.mark.anyio
async def test_one_process_works_on_a_file(file: InFile) -> None:
    """Other processes may store into it. When the first ends, the next takes over its entries."""
    worker, never = Worker(), anyio.Event()
    worker.gate = lambda taken: never
    async with file.inbox() as first, file.inbox() as second:
        async with anyio.create_task_group() as group:
            group.start_soon(first.work, worker)
            await second.store(delivery())
            await until(lambda: worker.running)
            with pytest.raises(InboxLockedError, match="another process works on inbox"):
                await second.work(worker)
            group.cancel_scope.cancel()
        worker.gate = lambda taken: None
        await work_until(second, worker, lambda: worker.handled)


@pytest.mark.anyio
async def test_entries_of_a_killed_process_are_handled_by_the_next(file: InFile) -> None:
    """They are handled at once, because a file has no lease to wait for."""
    worker = Worker()
    async with file.inbox() as inbox:
        await inbox.store(delivery())
        file.query("UPDATE norce_inbox SET state = 'working', attempts = 1, epoch = 1, due = 9e99")
        await work_until(inbox, worker, lambda: worker.handled)
    assert [taken.attempt for taken in worker.taken] == [2]


@pytest.mark.anyio
async def test_two_calls_of_work_share_a_file(file: InFile) -> None:
    """The second one to end releases the lock."""
    async with file.inbox() as inbox, file.inbox() as other:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: inbox.work(Worker(), adapter_id="erp"))
            group.start_soon(lambda: inbox.work(Worker(), adapter_id="pim"))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        worker = Worker()
        await inbox.store(delivery())
        await work_until(other, worker, lambda: worker.handled)


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform == "win32", reason="needs rights of files")
async def test_only_its_owner_can_read_it(file: InFile) -> None:
    """The file holds orders. Its lock is the only file beside it."""
    async with file.inbox() as inbox:
        await inbox.store(delivery())
        await work_until(inbox, Worker(), lambda: column(file, "state") == ["handled"])
        for each in file.path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
    assert {each.name for each in file.path.parent.iterdir()} == {"erp.inbox", "erp.inbox.lock"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"notes" * 100, "is not the inbox of an adapter: it was left as it is"),
        (b"", "is not the inbox of an adapter: it was left as it is"),
        ("database", "is a database of another program"),
        ("newer", "has format 9 of the inbox, and this version reads 1"),
        ("damaged", "it is damaged and was left as it is"),
        ("folder", "Is a directory"),
    ],
)
async def test_a_file_that_is_not_an_inbox_is_left_as_it_is(file: InFile, content: bytes | str, match: str) -> None:
    """The error says what the file is."""
    if content == "folder":
        file.path.mkdir()
    elif content == "database":
        sqlite3.connect(file.path).execute("CREATE TABLE t (x)").connection.close()
    elif isinstance(content, str):
        async with file.inbox() as inbox:
            for number in range(100):
                await inbox.store(delivery(order_id=f"o_{number}"))
        written = bytearray(file.path.read_bytes())
        if content == "newer":
            written[60:64] = (9).to_bytes(4, "big")
        else:
            written[4096 : 3 * 4096] = b"x" * 8192
        file.path.write_bytes(written)
    else:
        file.path.write_bytes(content)
    before = file.path.read_bytes() if file.path.is_file() else None
    with pytest.raises(InboxError, match=match):
        await file.inbox().__aenter__()
    assert (file.path.read_bytes() if file.path.is_file() else None) == before


@pytest.mark.anyio
async def test_a_handler_keeps_its_entry_until_its_end_is_written(
    file: InFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full, nothing is stored and nothing runs again. With space again, the work continues by
    itself."""
    refused = 0
    is_full = False

    class OnThisDisk(sqlite3.Connection):
        def execute(self, *given: Any) -> sqlite3.Cursor:
            nonlocal refused
            if is_full:
                refused += 1
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorname = "SQLITE_FULL"
                raise error
            return super().execute(*given)

    class Soon(SystemClock):
        """A clock on which the pause between attempts is short."""

        async def sleep(self, seconds: float) -> None:
            await super().sleep(min(seconds, 0.01))

    connect: Any = sqlite3.connect

    def connected(*given: Any, **named: Any) -> sqlite3.Connection:
        return connect(*given, **named, factory=OnThisDisk)  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", connected)
    worker, go = Worker(), anyio.Event()
    worker.gate = lambda taken: go
    async with file.inbox(clock=Soon()) as inbox, anyio.create_task_group() as group:
        await inbox.store(delivery())
        group.start_soon(inbox.work, worker)
        await until(lambda: worker.running)
        is_full = True
        go.set()
        await until(lambda: worker.handled and refused > 3)
        with pytest.raises(InboxError, match="the disk is full; free some space"):
            await inbox.store(delivery(order_id="o_2"))
        is_full = False
        await until(lambda: column(file, "state") == ["handled"])
        assert await inbox.store(delivery(order_id="o_2"))
        await until(lambda: column(file, "state") == ["handled"] * 2)
        group.cancel_scope.cancel()
    assert len(worker.taken) == 2


PROGRAM = """
    import resource, sys
    import anyio
    from norce_order_async.adapter import InboxError, SqliteInbox
    from tests.adapter.deliveries import delivery

    async def main(path):
        async with SqliteInbox(path) as inbox:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            # From here on no file can grow beyond this size: a write past it fails in its middle.
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
            number = failed = 0
            while failed < 20:
                async def store(number):
                    nonlocal failed
                    try:
                        await inbox.store(delivery({"id": "o", "text": "x" * 3000}, order_id=f"o_{number}"))
                    except InboxError as error:
                        assert "inbox" in str(error), error
                        failed += 1
                    else:
                        print(f"o_{number}")
                async with anyio.create_task_group() as group:
                    for _ in range(4):
                        number += 1
                        group.start_soon(store, number)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            await inbox.store(delivery(order_id="room"))
            print("room")

    anyio.run(main, sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the operating system's limit on a file's length")
def test_a_write_that_fails_in_its_middle_leaves_no_partial_entry(file: InFile) -> None:
    """A limit of the operating system makes the write fail. Earlier entries are whole and the failed one is not
    there. With space again, the inbox continues."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), file.address],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    answered = done.stdout.split()
    assert len(answered) > 20
    assert answered[-1] == "room"
    assert sorted(column(file, "order_id")) == sorted(answered)
    whole = {len(delivery({"id": "o", "text": "x" * 3000}).body), len(delivery(order_id="room").body)}
    assert set(column(file, "length(body)")) == whole


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_million_notifications_take_no_more_memory_than_a_few(file: InFile) -> None:
    """They take no more disk than those of a day. Each batch is a day after the one before."""
    import tracemalloc

    async def batch(inbox: SqliteInbox, number: int) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: inbox.work(_nothing, workers=50))
            for begin in range(0, 20_000, 500):
                async with anyio.create_task_group() as stores:
                    for each in range(begin, begin + 500):
                        stores.start_soon(inbox.store, delivery(order_id=f"o_{number}_{each}"))
            while (await inbox.counts()).depth:  # noqa: ASYNC110
                await anyio.sleep(0.05)
            group.cancel_scope.cancel()
        let_pass(file, 24 * 3600.0)

    async def main() -> None:
        sizes: list[tuple[int, int]] = []
        async with SqliteInbox(file.path) as inbox:
            for number in range(50):
                await batch(inbox, number)
                sizes.append((tracemalloc.get_traced_memory()[0], file.path.stat().st_size))
        (memory, disk), (memory_then, disk_then) = sizes[4], sizes[-1]
        assert memory_then < 1.2 * memory + 200_000
        assert disk_then < 1.2 * disk

    tracemalloc.start()
    try:
        anyio.run(main)
    finally:
        tracemalloc.stop()


async def _nothing(_: object) -> None:
    pass
