"""A local order service for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from norce_order_async.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(keep_requests=100) as sandbox:
        yield sandbox
