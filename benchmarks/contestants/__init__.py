"""The clients that read orders: this client on its engines, bare libraries, and clients made in other ways.

All have a hundred connections at most and send the same headers. The result of each is in its name: the bytes, plain
data, or a typed order.
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
    """The contestants that can run here, and the reasons why the others can't."""
    present: list[str] = []
    absent: dict[str, str] = {}
    for name in names:
        try:
            CONTESTANTS[name].prepare()
            present.append(name)
        except AbsentError as absence:
            absent[name] = str(absence)
    return present, absent
