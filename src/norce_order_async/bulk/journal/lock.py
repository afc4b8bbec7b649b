"""One run at a time for a journal: a lock that the operating system drops with the process, however it ends.

It is on a file of its own beside the journal, because the journal's file is locked and unlocked by SQLite.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
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
        while self._file is None:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            if not _lock(file):
                os.close(file)
                raise JournalLockedError(
                    f"another run is using the journal next to {self._path.name}: wait until it ends"
                )
            if self._is_there(file):
                self._file = file
            else:
                # The run before removed it between the two: a lock on it would keep nobody out.
                os.close(file)

    def release(self, *, remove: bool = False) -> None:
        """Release the lock.

        Args:
            remove: whether the file goes, too. Where an open file can't be removed, as on Windows, it stays.
        """
        if self._file is not None:
            if remove:
                # While it is locked, so that it is nobody else's.
                with suppress(OSError):
                    self._path.unlink()
            os.close(self._file)
            self._file = None

    def _is_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self._path.stat())
        except FileNotFoundError:
            return False


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
