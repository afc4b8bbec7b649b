"""The two places where an inbox can be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapter.inbox.places import InFile, InPostgres, Place


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow(group="postgres"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place for an inbox: a file, and then a database."""
    if request.param == "sqlite":
        return InFile(tmp_path / "erp.inbox")
    return InPostgres(request.getfixturevalue("postgres"))
