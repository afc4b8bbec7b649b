"""How long callers wait before they are cancelled: about as long as calls take on this machine."""

from __future__ import annotations

import random
from typing import Final

_STEP: Final = 1.05


class Patience:
    """Draws the wait at random between nothing and a longest time, which grows with each caller that left and shrinks
    with each that was answered. So about half of the callers leave, at every moment of a call, on any machine.

    Args:

      seed: the seed of the random numbers.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._longest = 0.01

    def draw(self) -> float:
        """Draw a number of seconds."""
        return self._random.uniform(0.0, self._longest)

    def left(self) -> None:
        self._longest *= _STEP

    def answered(self) -> None:
        self._longest /= _STEP
