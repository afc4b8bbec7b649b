"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "doubt", "wrong", "skipped"]
"""``doubt``: it may work, but have a look; ``skipped``: an earlier check failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check, in words without the token and without personal data."""

    check: str
    verdict: Verdict
    said: str
