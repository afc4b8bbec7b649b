"""Fixture for the tests of the generated core: a record of drift."""

from collections.abc import Generator

import pytest

from norce_order_api.types import DRIFT


@pytest.fixture
def told() -> Generator[list[tuple[str, str]], None, None]:
    """Collect place and kind of every difference, in the order of reading."""
    record: list[tuple[str, str]] = []
    token = DRIFT.set(lambda where, kind: record.append((where, kind)))
    yield record
    DRIFT.reset(token)
