"""One run at a time for a journal: a lock that the operating system drops with the process, however it ends.

It is on a file of its own beside the journal, because the journal's file is locked and unlocked by SQLite.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from norce_order_async.bulk.journal.errors import JournalLockedError


class RunLock:
    """The lock of one run, held from :meth:`take` to :meth:`release`."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(journal.name + ".lock")
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock without waiting.

        Raises:
            JournalLockedError: another run has it.
            OSError: the file can't be made.
        """
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        if not _lock(file):
            os.close(file)
            raise JournalLockedError(f"another run is using the journal next to {self._path.name}: wait until it ends")
        self._file = file

    def release(self) -> None:
        """Release the lock. The file stays: another run may have opened it to wait for the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
