"""Our SQLite files: created whole, recognised before they are changed, and with readable errors.

Every commit is on disk before it counts (``synchronous=FULL``), so neither ``kill -9`` nor a power cut undoes it.
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
    """One kind of file: its name, how it is recognised, and the tables of a new one."""

    name: str
    """The name in texts, such as ``"inbox"``."""
    of: str
    """The owner with its article, such as ``"an adapter"``."""
    application_id: int
    version: int
    schema: str
    error: type[NorceError]
    """The class of errors. It takes the text as its only argument."""
    on_full: str = "free some space"
    """The advice for a full disk."""

    def connect(self, path: Path, check: Callable[[sqlite3.Connection], None] | None = None) -> sqlite3.Connection:
        """Open a file, or create it. One thread at a time may use the connection.

        Args:
            path: the file.
            check: called with the connection before anything is changed; raises if the contents are wrong.

        Raises:
            NorceError: the class of this kind: the file can't be opened, is damaged, or is another kind of file.
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
        """Check a file's first bytes without changing it.

        Raises:
            NorceError: the class of this kind: it is another kind of file.
        """
        with self.errors(path), path.open("rb") as file:
            header = file.read(100)
        if len(header) < 100 or not header.startswith(_MAGIC):
            raise self.error(f"{path} is not the {self.name} of {self.of}: it was left as it is; name another file")
        if int.from_bytes(header[68:72], "big") != self.application_id:
            raise self.error(f"{path} is a database of another program: it was left as it is; name another file")
        if (version := int.from_bytes(header[60:64], "big")) != self.version:
            raise self.error(f"{path} has format {version} of the {self.name}, and this version reads {self.version}")

    @contextmanager
    def errors(self, path: Path) -> Generator[None]:
        """Translates errors of the file.

        Raises:
            NorceError: the class of this kind, instead of the error of SQLite or of the operating system.
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
        # Built under a name that no other process uses, then moved into place whole.
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
            # A link and not a rename, which would replace a file that another process has made meanwhile.
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
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@final
class FileLock:
    """A lock that the operating system releases when the process ends, also when it is killed.

    The lock is on a file of its own beside the database, because SQLite locks and unlocks the database itself.

    Args:
        path: the file to lock.
    """

    __slots__ = ("_file", "path")

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def take(self) -> bool:
        """Take the lock without waiting. True if it was free.

        Raises:
            OSError: the lock file can't be made.
        """
        while self._file is None:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            if not _lock(file):
                os.close(file)
                return False
            if self._is_there(file):
                self._file = file
            else:
                # The last owner removed the file between opening and locking: this lock would keep no process out.
                os.close(file)
        return True

    def release(self, *, remove: bool = False) -> None:
        """Release the lock.

        Args:
            remove: whether to remove the lock file too. On Windows, where an open file can't be removed, it stays.
        """
        if self._file is not None:
            if remove:
                # Removed while it is locked, so that no other process holds it.
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
