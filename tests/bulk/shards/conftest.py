"""A split job of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from norce_order_async.bulk import PostgresJournal, Recipe
from norce_order_async.sandbox import Sandbox

from .support import Place


@pytest.fixture
def place(sandbox: Sandbox, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("NORCE_TOKEN", sandbox.token)
    recipe = Recipe(base_url=sandbox.base_url, merchant="acme", channel="se")
    return Place(sandbox, recipe, PostgresJournal(postgres, uuid4().hex, lease=2.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an export, which is not made yet."""
    return tmp_path / "orders"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """The cheapest executor: its workers are threads, each with a loop and a client."""
    with ThreadPoolExecutor(3) as executor:
        yield executor
