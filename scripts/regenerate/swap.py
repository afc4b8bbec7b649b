"""Lets new files and folders take the place of old ones, all of them or none.

A plan is written first: what lies ready, where it goes, and the inode by which it is known again. Then each is moved,
a folder by exchanging it with the old one in a single step where the system can. Whoever is killed before the plan is
whole has changed nothing; whoever is killed after it is finished by the next run, which calls `finish` before anything
else. Signals that ask to stop wait until the few renames are done.
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
    """Something that lies ready, and the place it is to take."""

    ready: Path
    place: Path


def commit(work: Path, moves: Sequence[Move]) -> None:
    """Makes every move. `work` is on the same file system and lives until `finish` has run."""
    plan = [[str(move.ready), str(move.place), move.ready.stat().st_ino] for move in moves]
    draft = work / "plan.draft"
    draft.write_text(json.dumps(plan), encoding="utf-8")
    with _undisturbed():
        draft.rename(work / _PLAN)
        finish(work)


def finish(work: Path) -> None:
    """Carries out what a plan still asks for, then clears the working folder."""
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
    """Linux can exchange two names in one step; elsewhere two renames have to do."""
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
