"""One run at a time for a journal: a lock that the operating system drops with the process, however it ends."""

from __future__ import annotations

from pathlib import Path

from norce_order_async.bulk.journal.errors import JournalLockedError
from norce_order_async.storage.files import FileLock


class RunLock:
    """The lock of one run, held from :meth:`take` to :meth:`release`."""

    def __init__(self, journal: Path) -> None:
        self._lock = FileLock(journal)

    def take(self) -> None:
        """Take the lock without waiting.

        Raises:
            JournalLockedError: another run has it.
            OSError: the file can't be made.
        """
        if not self._lock.take():
            name = self._lock.path.name
            raise JournalLockedError(f"another run is using the journal next to {name}: wait until it ends")

    def release(self, *, remove: bool = False) -> None:
        """Release the lock.

        Args:
            remove: whether the file goes, too. Where an open file can't be removed, as on Windows, it stays.
        """
        self._lock.release(remove=remove)
