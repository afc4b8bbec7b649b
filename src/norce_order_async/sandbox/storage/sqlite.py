"""Creates, opens and copies the database file of the store.

SQLite keeps two numbers in a file's header: whose file it is, and the version of its schema. A file that is not a
database, that is another program's, damaged, of another version or in use is refused and not changed.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

IN_MEMORY = ":memory:"

_OURS = 0x4E4F5242
_FORM = 3


class DatabaseFileError(ValueError):
    """The state can't be stored in this file, or restored from these bytes; the text says why. The file is unchanged.

    Example::

        try:
            sandbox.restore(b"not a snapshot")
        except DatabaseFileError as error:
            print(error)
    """


def opened(path: str, schema: str) -> sqlite3.Connection:
    """A connection to the file at `path`, which is created if it does not exist, or to memory.

    Raises:
        DatabaseFileError: The file is not a sandbox's, is damaged, is in use, or can't be opened.
    """
    database = _connected(path)
    try:
        if _number(database, "page_count") == 0:
            # In one transaction, so that a file is never left half made.
            database.executescript(
                f"BEGIN IMMEDIATE; {schema}; PRAGMA application_id = {_OURS}; PRAGMA user_version = {_FORM}; COMMIT"
            )
        else:
            _check(database, path)
        if path != IN_MEMORY:
            _exclusively(database)
    except sqlite3.Error as error:
        database.close()
        raise DatabaseFileError(f"can't keep the state in {path}: {_reason(error)}") from None
    except DatabaseFileError:
        database.close()
        raise
    return database


def snapshot(database: sqlite3.Connection) -> bytes:
    """The whole state, as the bytes of a database file."""
    copy = sqlite3.connect(IN_MEMORY)
    try:
        database.backup(copy)
        return copy.serialize()
    finally:
        copy.close()


def restore(database: sqlite3.Connection, taken: bytes) -> None:
    """Set the state back to a snapshot.

    Raises:
        DatabaseFileError: The bytes are not a snapshot; the state is unchanged.
    """
    if not taken.startswith(b"SQLite format 3\0"):
        raise DatabaseFileError("these bytes are not a snapshot")
    copy = sqlite3.connect(IN_MEMORY)
    try:
        try:
            copy.deserialize(taken)
            _check(copy, "the snapshot")
        except (sqlite3.Error, OverflowError) as error:
            raise DatabaseFileError(f"these bytes are not a snapshot: {error}") from None
        copy.backup(database)
    finally:
        copy.close()


def _connected(path: str) -> sqlite3.Connection:
    try:
        is_folder = path != IN_MEMORY and Path(path).is_dir()
    except OSError as error:
        raise DatabaseFileError(f"can't keep the state there: {error.strerror}") from None
    if is_folder:
        raise DatabaseFileError(f"can't keep the state in {path}: it is a folder")
    try:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    except sqlite3.Error as error:
        raise DatabaseFileError(f"can't keep the state in {path}: {_reason(error)}") from None


def _exclusively(database: sqlite3.Connection) -> None:
    """Lock the file against other processes, and make writes fast."""
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    # Changes are not synchronised one by one: a crash of the machine can only lose test data.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("BEGIN IMMEDIATE")
    database.execute("COMMIT")


def _check(database: sqlite3.Connection, path: str) -> None:
    _check_owner(database, path)
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise DatabaseFileError(f"{path} is damaged")


def _check_owner(database: sqlite3.Connection, path: str) -> None:
    if _number(database, "application_id") != _OURS:
        raise DatabaseFileError(f"{path} is another program's database; name a file that does not exist yet")
    if (form := _number(database, "user_version")) != _FORM:
        raise DatabaseFileError(f"{path} is of another version of the sandbox (format {form}, not {_FORM})")


def _number(database: sqlite3.Connection, pragma: str) -> int:
    return int(database.execute(f"PRAGMA {pragma}").fetchone()[0])


def _reason(error: sqlite3.Error) -> str:
    match error.sqlite_errorname if hasattr(error, "sqlite_errorname") else "":
        case "SQLITE_NOTADB":
            return "the file exists and is not a database; name a file that does not exist yet"
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "another sandbox is using it"
        case "SQLITE_CORRUPT":
            return "the file is damaged"
        case _:
            return str(error)
