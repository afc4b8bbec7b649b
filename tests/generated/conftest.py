"""What the tests of the generated core share: a record of drift."""

from collections.abc import Generator

import pytest

from norce_order_api.types import DRIFT


@pytest.fixture
def told() -> Generator[list[tuple[str, str]], None, None]:
    """Where and kind of every surprise, in the order they were met."""
    record: list[tuple[str, str]] = []
    token = DRIFT.set(lambda where, kind: record.append((where, kind)))
    yield record
    DRIFT.reset(token)
