"""A local order service that is empty for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from norce_order_async.sandbox import Sandbox


@pytest.fixture(scope="package")
def service() -> Iterator[Sandbox]:
    """One service for all tests, because starting and stopping it takes longer than most of them."""
    with Sandbox(token="sandbox-token", keep_requests=100) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(service: Sandbox) -> Iterator[Sandbox]:
    yield service
    service.faults.stop()
    service.reset()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a job keeps its journal."""
    return tmp_path / "job.journal"
