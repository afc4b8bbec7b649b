"""Every generated name that the hand-written code leans on looks as it did when that code was written."""

import json
from functools import cache
from typing import Any

import pytest

from . import leaning

PINNED: dict[str, Any] = json.loads(leaning.PINNED.read_text(encoding="utf-8"))
# Only what runs these tests reads the whole package for it.
places = cache(leaning.places)


@pytest.mark.parametrize("name", sorted(PINNED))
def test_what_is_leaned_on_has_not_moved(name: str) -> None:
    """Otherwise the files named are to be looked at, and then the new shape written down."""
    look_at = f"look at {', '.join(places().get(name, ()))}; then run python -m tests.generated.leaning"
    assert leaning.shape_of(name) == PINNED[name], look_at


def test_what_is_pinned_is_what_is_leaned_on() -> None:
    """A new name is written down, and one that is no longer used goes: python -m tests.generated.leaning."""
    assert PINNED.keys() == places().keys()
