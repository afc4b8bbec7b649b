"""What a check came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "doubt", "wrong", "skipped"]
"""``doubt``: it may work like this, but should be looked at; ``skipped``: something before it is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to, in words that hold no token and nothing of a customer."""

    check: str
    verdict: Verdict
    said: str
