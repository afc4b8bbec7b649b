"""What the tests of the generated core share: a record of drift, and the way to the modules of the regeneration."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from norce_order_api.types import DRIFT

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))


@pytest.fixture
def told() -> Generator[list[tuple[str, str]], None, None]:
    """Where and kind of every surprise, in the order they were met."""
    record: list[tuple[str, str]] = []
    token = DRIFT.set(lambda where, kind: record.append((where, kind)))
    yield record
    DRIFT.reset(token)
