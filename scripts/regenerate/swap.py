"""Replaces old files and folders by new ones, all of them or none.

It writes a plan first: each new file, its destination, and its inode. Then it moves each file; a folder is exchanged
with the old one in a single step where the system can do so. A run that is killed before the plan is complete has
changed nothing. A run that is killed later is completed by the next run, which calls `finish` first. Signals that ask
to stop wait until the few renames are done.
"""

import ctypes
import json
import os
import shutil
import signal
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PLAN = "plan.json"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@dataclass(frozen=True)
class Move:
    """A new file or folder, and its destination."""

    ready: Path
    place: Path


def commit(work: Path, moves: Sequence[Move]) -> None:
    """Makes every move. `work` is a folder on the same file system; it must exist until `finish` has run."""
    plan = [[str(move.ready), str(move.place), move.ready.stat().st_ino] for move in moves]
    draft = work / "plan.draft"
    draft.write_text(json.dumps(plan), encoding="utf-8")
    with _undisturbed():
        draft.rename(work / _PLAN)
        finish(work)


def finish(work: Path) -> None:
    """Makes the moves of a plan that are left, then clears the working folder."""
    plan = work / _PLAN
    if plan.exists():
        for ready, place, inode in json.loads(plan.read_text(encoding="utf-8")):
            _move(Path(ready), Path(place), inode)
        plan.unlink()
    shutil.rmtree(work, ignore_errors=True)


def _move(ready: Path, place: Path, inode: int) -> None:
    if place.exists() and place.stat().st_ino == inode:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir() and not exchange(ready, place):
        place.rename(ready.with_name(ready.name + ".old"))
        ready.rename(place)
    elif not place.exists() or place.stat().st_ino != inode:
        ready.replace(place)


def exchange(one: Path, other: Path) -> bool:
    """Exchanges two names: in one step on Linux, elsewhere by two renames."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    done: int = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return done == 0


@contextmanager
def _undisturbed() -> Generator[None, None, None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
