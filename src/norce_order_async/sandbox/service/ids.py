"""New identifiers, in the forms of the service's published samples."""

from __future__ import annotations

import random
import string
from datetime import datetime
from uuid import UUID

_LETTERS = string.ascii_letters


class Ids:
    """Makes identifiers. The same seed makes the same identifiers in the same order."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._random = random.Random(seed)

    def restart(self) -> None:
        """Start again: with a seed, the same identifiers follow as at first."""
        self._random.seed(self._seed)

    def order(self) -> str:
        """A new id of an order."""
        return self._make("o", 7)

    def payment(self) -> str:
        """A new id of a payment."""
        return self._make("p", 26)

    def shipping(self) -> str:
        """A new id of a shipping."""
        return self._make("s", 26)

    def callback(self) -> str:
        """A new id of a hook, a notification or a validation."""
        return self._make("oc", 26)

    def item(self) -> str:
        """A new id of a line of a cart."""
        return self._make("ci", 26)

    def consent(self) -> str:
        """A new id of a consent, if the caller gives none."""
        return self._make("ci", 26)

    def action(self) -> str:
        """A new id of a payment action."""
        return self._make("pa", 26)

    def event(self, moment: datetime) -> str:
        """A UUID of version 7, for a delivery: texts sort by the moment."""
        value = int(moment.timestamp() * 1000) << 80 | self._random.getrandbits(80)
        value = value & ~(0xF << 76) | 0x7 << 76
        return str(UUID(int=value & ~(0x3 << 62) | 0x2 << 62))

    def _make(self, prefix: str, letters: int) -> str:
        return prefix + "".join(self._random.choices(_LETTERS, k=letters))
