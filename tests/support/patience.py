"""How long callers wait before they are cancelled: about as long as calls take on this machine."""

from __future__ import annotations

import random
from typing import Final

_STEP: Final = 1.05


class Patience:
    """Draws it at random between nothing and a longest time, which goes up with each caller that left and down with
    each that was answered. So about half of them leave, at every moment of a call, on any machine.

    Args:
        seed: of the random numbers.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._longest = 0.01

    def draw(self) -> float:
        """Seconds."""
        return self._random.uniform(0.0, self._longest)

    def left(self) -> None:
        self._longest *= _STEP

    def answered(self) -> None:
        self._longest /= _STEP
