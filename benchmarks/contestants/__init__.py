"""Who takes part in reading orders: the client on both engines, bare libraries, and clients made in other ways.

All have a hundred connections at most and send the same headers. What each hands back is said with its name: the bytes,
plain data, or a typed order.
"""

from __future__ import annotations

from benchmarks.contestants import bare, handwritten, made, ours
from benchmarks.contestants.base import AbsentError, Contestant

CONTESTANTS: dict[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        *ours.CONTESTANTS,
        *bare.CONTESTANTS,
        handwritten.HTTPX_AND_PYDANTIC,
        *made.CONTESTANTS,
    )
}


def ready(names: list[str]) -> tuple[list[str], dict[str, str]]:
    """Those of the contestants that can take part, and why the others can't."""
    present: list[str] = []
    absent: dict[str, str] = {}
    for name in names:
        try:
            CONTESTANTS[name].prepare()
            present.append(name)
        except AbsentError as absence:
            absent[name] = str(absence)
    return present, absent
