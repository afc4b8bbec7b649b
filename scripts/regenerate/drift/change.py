"""One difference between two descriptions."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["breaking", "addition", "note"]

ADVICE: dict[Level, str] = {"breaking": "major", "addition": "minor", "note": "patch"}


@dataclass(frozen=True)
class Change:
    """What changed, and what that means to a program that calls the facade."""

    kind: str
    subject: str
    """`operation X` or `schema X`."""
    text: str
    """What changed, and where a reason is needed why it is of this level."""
    level: Level
    operations: tuple[str, ...] = ()
    """The operations it reaches, by id."""


def worst(changes: list[Change]) -> Level | None:
    """The level that decides; None without a change."""
    for level in ADVICE:
        if any(change.level == level for change in changes):
            return level
    return None
