"""docs/spread.md: its code runs in a shell as a reader pastes it, with a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from norce_order_async.bulk.journal import postgres as journal

from .shell import ROOT, paste, pasted

PAGE = ROOT.joinpath("docs/spread.md").read_text("utf-8")


@pytest.mark.slow(group="postgres")
def test_its_code_runs(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS_DATABASE", postgres)
    paste(pasted(PAGE), tmp_path)


def test_its_numbers() -> None:
    """Are the code's."""
    text = " ".join(PAGE.split())
    assert f"A run has the job for {journal.LEASE:g} s" in text
    assert f"renews that every {journal.LEASE / journal.RENEWALS:g} s" in text
