"""docs/adapter-notifications.md: its commands run on an inbox that has the entries they name.

The command of docs/adapter.md runs in ``tests/adapter/test_dev_command.py``.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from norce_order_async.adapter import SqliteInbox
from tests.adapter.deliveries import delivery
from tests.cli.inside import inside

from .shell import ROOT, commands

COMMANDS = commands(ROOT.joinpath("docs/adapter-notifications.md").read_text("utf-8"))


def test_the_commands_of_an_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry is retried, and another is dropped for good."""
    monkeypatch.chdir(tmp_path)

    async def fill() -> None:
        async with SqliteInbox("erp.inbox") as inbox:
            for number in range(1, 19):
                await inbox.store(delivery({"n": number}, order_id=f"o{number}"))

    async def kept() -> set[int]:
        async with SqliteInbox("erp.inbox") as inbox:
            return {entry.id async for entry in inbox.entries()}

    anyio.run(fill)
    assert [words[:4] for words in COMMANDS] == [
        ["norce-order", "inbox", verb, "erp.inbox"] for verb in ("list", "retry", "drop")
    ]
    for words in COMMANDS:
        ran = inside(*words[1:])
        assert (ran.code, ran.err) == (0, ""), ran.out
    assert anyio.run(kept) == set(range(1, 18))
