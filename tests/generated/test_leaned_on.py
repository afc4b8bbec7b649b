"""Every generated name that the hand-written code depends on has the shape that it had when that code was written."""

import json
from functools import cache
from typing import Any

import pytest

from . import leaning

PINNED: dict[str, Any] = json.loads(leaning.PINNED.read_text(encoding="utf-8"))
# Finding the names reads the whole package, so it is done once, and only by these tests.
places = cache(leaning.places)


@pytest.mark.parametrize("name", sorted(PINNED))
def test_the_used_names_have_not_changed(name: str) -> None:
    """If this fails, look at the named files, and then write down the new shape."""
    look_at = f"look at {', '.join(places().get(name, ()))}; then run python -m tests.generated.leaning"
    assert leaning.shape_of(name) == PINNED[name], look_at


def test_the_file_has_exactly_the_used_names() -> None:
    """``python -m tests.generated.leaning`` adds a new name, and removes one that is no longer used."""
    assert PINNED.keys() == places().keys()
