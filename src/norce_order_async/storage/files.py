"""Files of ours in SQLite: made whole, recognised before they are touched, and their failures in words.

Every commit is brought to disk before it counts (``synchronous=FULL``), so that neither ``kill -9`` nor a power cut
takes it back.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from norce_order_async.errors import NorceError

_MAGIC: Final = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class FileKind:
    """What one kind of file is called, how it is recognised, and what is in a new one."""

    name: str
    """In texts, such as ``"inbox"``."""
    of: str
    """What it belongs to, with its article, such as ``"an adapter"``."""
    application_id: int
    version: int
    schema: str
    error: type[NorceError]
    """Raised with the text as its only argument."""
    on_full: str = "free some space"
    """What to do when the disk is full."""

    def connect(self, path: Path, check: Callable[[sqlite3.Connection], None] | None = None) -> sqlite3.Connection:
        """Open a file, made if it is not there. The connection may be used by one thread at a time.

        Args:
            path: the file.
            check: looks at what is in it, before anything is changed.

        Raises:
            NorceError: of the kind's class: the file can't be opened, is damaged, or is something else.
        """
        with self.errors(path):
            if not path.exists():
                self._build(path)
            self.check_header(path)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        try:
            with self.errors(path):
                _check_pages(connection)
                if check is not None:
                    check(connection)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA fullfsync=ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def check_header(self, path: Path) -> None:
        """Look at a file's first bytes without touching it.

        Raises:
            NorceError: of the kind's class: it is another kind of file.
        """
        with self.errors(path), path.open("rb") as file:
            header = file.read(100)
        if len(header) < 100 or not header.startswith(_MAGIC):
            raise self.error(f"{path} is no {self.name} of {self.of}: it was left as it is; name another file")
        if int.from_bytes(header[68:72], "big") != self.application_id:
            raise self.error(f"{path} is a database of something else: it was left as it is; name another file")
        if (version := int.from_bytes(header[60:64], "big")) != self.version:
            raise self.error(f"{path} has format {version} of the {self.name}, and this version knows {self.version}")

    @contextmanager
    def errors(self, path: Path) -> Generator[None]:
        """Failures of the file in words.

        Raises:
            NorceError: of the kind's class, instead of what SQLite or the operating system raised.
        """
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorname", "")
            why = {
                "SQLITE_FULL": f"the disk is full; {self.on_full}",
                "SQLITE_READONLY": "it can't be written to",
                "SQLITE_BUSY": "another program has locked it",
                "SQLITE_CANTOPEN": "it can't be opened; check the folder and its rights",
            }.get(code)
            if why is None:
                damaged = code in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or not isinstance(error, sqlite3.OperationalError)
                why = f"it is damaged and was left as it is ({error})" if damaged else f"it can't be written ({error})"
            raise self.error(f"{self.name} {path}: {why}") from error
        except OSError as error:
            raise self.error(f"{self.name} {path}: {error.strerror or error}") from error

    def _build(self, path: Path) -> None:
        # Aside, under a name that no other process has, and moved into place whole.
        aside = path.with_name(f"{path.name}.{os.getpid()}.new")
        aside.unlink(missing_ok=True)
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            connection = sqlite3.connect(aside, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous=FULL")
                connection.executescript(
                    f"BEGIN; PRAGMA application_id={self.application_id}; PRAGMA user_version={self.version}; "
                    f"{self.schema} COMMIT;"
                )
            finally:
                connection.close()
            # A link and not a rename: a file that another process has made meanwhile stays.
            with suppress(FileExistsError):
                os.link(aside, path)
        finally:
            aside.unlink(missing_ok=True)


def _check_pages(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError("its pages do not fit together")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Everything inside takes effect, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended it already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@final
class FileLock:
    """A lock that the operating system drops with the process, however it ends.

    It is on a file of its own beside the other one, because SQLite locks and unlocks that.

    Args:
        path: of the file that is locked.
    """

    __slots__ = ("_file", "path")

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def take(self) -> bool:
        """Take the lock without waiting: whether it was free.

        Raises:
            OSError: the file can't be made.
        """
        while self._file is None:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            if not _lock(file):
                os.close(file)
                return False
            if self._is_there(file):
                self._file = file
            else:
                # The one before removed it between the two: a lock on it would keep no process out.
                os.close(file)
        return True

    def release(self, *, remove: bool = False) -> None:
        """Release the lock.

        Args:
            remove: whether the file goes, too. Where an open file can't be removed, as on Windows, it stays.
        """
        if self._file is not None:
            if remove:
                # While it is locked, so that no other process has taken it.
                with suppress(OSError):
                    self.path.unlink()
            os.close(self._file)
            self._file = None

    def _is_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
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
