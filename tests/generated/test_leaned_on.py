"""Every generated name that the hand-written code leans on looks as it did when that code was written."""

import json
from typing import Any

import pytest

from . import leaning

PINNED: dict[str, Any] = json.loads(leaning.PINNED.read_text(encoding="utf-8"))
PLACES = leaning.places()


@pytest.mark.parametrize("name", sorted(PLACES))
def test_what_is_leaned_on_has_not_moved(name: str) -> None:
    """Otherwise the files named are to be looked at, and then the new shape written down."""
    look_at = f"look at {', '.join(PLACES[name])}; then run python -m tests.generated.leaning"
    assert leaning.shape_of(name) == PINNED.get(name), look_at


def test_nothing_is_pinned_that_is_not_leaned_on() -> None:
    """A name that is no longer used goes."""
    assert PINNED.keys() - PLACES.keys() == set()
