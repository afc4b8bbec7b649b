"""A full disk or a folder without the right to write leads to a clear error, and nothing is sent that is not in the
journal."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from norce_order_async import Fixed, JournalError
from norce_order_async.bulk import actions
from norce_order_async.bulk.journal.inspect import read_journal
from norce_order_async.bulk.journal.sqlite import SqliteStore, file_errors
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import client_of, content, effects, list_only, new_orders
from tests.bulk.test_job import all_of

pytestmark = pytest.mark.anyio

FEW = Fixed(in_flight=5)
ROOT = Path(__file__).parents[3]
NOBODY = 65534


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "job.journal"


async def test_a_disk_that_becomes_full(sandbox: Sandbox, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite reports it and the job stops. Items that could not be marked as sent were not sent. With space again,
    the job continues."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 40)
        async with norce.bulk(journal, load=FEW) as job:
            run = job.run(ids, actions.remove())
            await anext(run)

            def full(*_: Any) -> None:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorname = "SQLITE_FULL"
                with file_errors(journal):
                    raise error

            monkeypatch.setattr(SqliteStore, "record", full)
            with pytest.raises(JournalError, match="disk is full"):
                await all_of(run)
        monkeypatch.undo()
        assert len(effects(sandbox)) < 20
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(ids, actions.remove()))
    assert effects(sandbox) == dict.fromkeys(ids, 1)


PROGRAM = """
    import resource, sys
    from pathlib import Path
    import anyio
    from norce_order_async import Fixed, JournalError, NorceOrderClient
    from norce_order_async.bulk import actions

    async def main(base_url, token, journal, room, ids):
        async with NorceOrderClient(base_url=base_url, token=token, merchant="acme", channel="se") as norce:
            async with norce.bulk(journal, load=Fixed(in_flight=5)) as job:
                try:
                    run = job.run(ids, actions.remove())
                    if room:
                        await anext(run)
                    # From here on no file can grow beyond this size: a write past it fails in its middle.
                    largest = max(each.stat().st_size for each in Path(journal).parent.iterdir())
                    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + room, largest + room))
                    async for _ in run:
                        pass
                except JournalError as error:
                    print("told", error)
                print("stopped", job.summary.stopped)

    base_url, token, journal, room, ids = sys.argv[1:]
    anyio.run(main, base_url, token, journal, int(room), Path(ids).read_text().split())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the operating system's limit on a file's length")
@pytest.mark.parametrize("room", [0, 30_000])
def test_a_write_that_fails_in_its_middle(sandbox: Sandbox, tmp_path: Path, room: int) -> None:
    """A limit of the operating system makes a process of its own fail while it lists or in the middle of the work."""
    import anyio

    async def prepare() -> list[str]:
        async with client_of(sandbox) as norce:
            return await new_orders(norce, 120)

    keys = anyio.run(prepare)
    folder = tmp_path / "journals"
    folder.mkdir()
    journal, ids = folder / "job.journal", tmp_path / "ids"
    ids.write_text("\n".join(keys))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(PROGRAM),
            sandbox.base_url,
            sandbox.token,
            str(journal),
            str(room),
            str(ids),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("told journal"), done.stdout
    assert "stopped failed: JournalError" in done.stdout
    assert "Traceback" not in done.stderr

    changed = set(effects(sandbox))
    assert (0 < len(changed) < len(keys)) if room else not changed
    connection = sqlite3.connect(journal)
    marked = {key for (key,) in connection.execute("SELECT key FROM item WHERE state <> 'planned'")}
    connection.close()
    assert changed <= marked, "an order was sent that was not marked as sent"

    async def go_on() -> None:
        async with client_of(sandbox) as norce, norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(keys, actions.remove()))
            assert job.summary.complete

    anyio.run(go_on)
    assert effects(sandbox) == dict.fromkeys(keys, 1)


@contextmanager
def without_rights() -> Generator[None]:
    """Become another user for a moment, because root may write everywhere."""
    if sys.platform == "win32" or os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may read, because those of pytest are private."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        yield Path(made)
        os.chmod(made, 0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="rights of another kind")
async def test_a_read_only_folder_is_refused(sandbox: Sandbox, folder: Path) -> None:
    """That holds for a new journal and for an existing one, which stays as it is. Nothing is sent."""
    begun, fresh = folder / "begun", folder / "fresh"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        async with norce.bulk(begun) as job:
            await list_only(job, ids, actions.remove())
        for each in os.listdir(folder):
            os.chmod(folder / each, 0o666)
        before = content(begun)
        os.chmod(folder, 0o555)
        for journal in (begun, fresh):
            with without_rights(), pytest.raises(JournalError, match=f"journal {journal}: "):
                await norce.bulk(journal).__aenter__()
        os.chmod(folder, 0o755)
        assert content(begun) == before
        assert read_journal(begun).counts == {"planned": 2}
        assert not fresh.exists()
    assert not effects(sandbox)


async def test_a_missing_folder_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    async with client_of(sandbox) as norce:
        with pytest.raises(JournalError, match="No such file"):
            await norce.bulk(tmp_path / "missing" / "j").__aenter__()
