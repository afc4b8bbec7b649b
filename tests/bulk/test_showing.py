"""What a job shows: a line in a terminal, a table in a notebook, and the tables of its summary and its journal."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from norce_order_async import ConfigurationError, NorceOrderClient, Summary
from norce_order_async.bulk import actions, progress, read_journal
from norce_order_async.bulk.showing import line
from norce_order_async.sandbox import Sandbox

from .support import client_of, new_orders

pytestmark = pytest.mark.anyio


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Notebook:
    """A stand-in for IPython that records what was displayed and how often it was updated."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.updates = 0

    def display(self, thing: Any, *, display_id: bool) -> Notebook:
        assert display_id
        self.shown.append(thing)
        return self

    def update(self, thing: Any) -> None:
        self.updates += 1
        self.shown[-1] = thing


async def removed(norce: NorceOrderClient, ids: list[str]) -> list[str]:
    async with norce.bulk() as job:
        return [outcome.key async for outcome in progress(job.run(ids, actions.remove()))]


async def test_a_terminal_gets_one_line_that_ends_at_the_end(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller gets every outcome. The line shows the final counts, and the next output begins on a new line."""
    terminal = Terminal()
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 12)
        monkeypatch.setattr(sys, "stderr", terminal)
        assert sorted(await removed(norce, [*ids, "o-nobody-has"])) == sorted([*ids, "o-nobody-has"])
    text = terminal.getvalue()
    assert text.startswith("\r")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    last = text.rpartition("\r")[2]
    assert last.startswith(f"{'#' * 24} 13 of 13, ")
    assert last.rstrip().endswith("1 refused or unknown")


async def test_without_a_display_nothing_is_shown(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        assert sorted(await removed(norce, ids)) == sorted(ids)
    assert capsys.readouterr() == ("", "")


async def test_a_notebook_gets_one_table_that_is_updated(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    vars(ipython)["get_ipython"] = lambda: SimpleNamespace(kernel=object())
    vars(display)["display"] = notebook.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        await removed(norce, ids)
    (summary,) = notebook.shown
    assert notebook.updates >= 1
    assert isinstance(summary, Summary)
    assert summary.left == 0


async def test_the_line_ends_when_the_job_fails(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    async with client_of(sandbox) as norce, norce.bulk() as job:
        with pytest.raises(ConfigurationError):
            async for _ in progress(job.run(cast("Any", 7), actions.remove())):
                pass
    assert terminal.getvalue() in ("", "\r0 done, 0/s\n")


async def test_only_runs_are_shown() -> None:
    with pytest.raises(ConfigurationError, match=re.escape("run must be what job.run(...) returns")):
        progress(cast("Any", []))


def test_a_line_before_the_total_is_known() -> None:
    assert line(Summary()) == "0 done, 0/s"
    summary = Summary(total=0)
    assert line(summary).startswith(f"{'#' * 24} 0 of 0")


async def test_the_tables_of_a_summary_and_of_a_journal(sandbox: Sandbox, tmp_path: Path) -> None:
    """They show counts and reasons, and escape all texts."""
    journal = tmp_path / "remove.journal"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        async with norce.bulk(journal) as job:
            async for _ in job.run([*ids, "o-nobody-has"], actions.remove()):
                pass
    summary, report = cast("Any", job.summary)._repr_html_(), cast("Any", read_journal(journal))._repr_html_()
    assert re.findall(r">done</td><td[^>]*>3<", summary)
    assert re.findall(r">4 orders</th>", summary)
    assert re.findall(r">refused: 404 \S+</td><td[^>]*>1<", summary)
    assert re.findall(r">confirmed</td><td[^>]*>3<", report)
    assert re.findall(r">why: 404 \S+</td><td[^>]*>1<", report)
    odd = Summary(stopped="<script>", total=1)
    odd.refusals["<b>"] = 1
    assert "<script>" not in cast("Any", odd)._repr_html_()
    assert "&lt;b&gt;" in cast("Any", odd)._repr_html_()
