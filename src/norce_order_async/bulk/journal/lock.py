"""The lock that lets one run at a time use a journal. The operating system drops it when the process ends."""

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
            remove: whether to remove the file too. It stays where an open file can't be removed, as on Windows.
        """
        self._lock.release(remove=remove)
