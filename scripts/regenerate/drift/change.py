"""One difference between two descriptions."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["breaking", "addition", "note"]

ADVICE: dict[Level, str] = {"breaking": "major", "addition": "minor", "note": "patch"}


@dataclass(frozen=True)
class Change:
    """A change, and its consequence for a program that calls the facade."""

    kind: str
    subject: str
    """`operation X` or `schema X`."""
    text: str
    """The change, and the reason for its level where that is not obvious."""
    level: Level
    operations: tuple[str, ...] = ()
    """The ids of the operations that it affects."""


def worst(changes: list[Change]) -> Level | None:
    """The level that decides; None without a change."""
    for level in ADVICE:
        if any(change.level == level for change in changes):
            return level
    return None
