"""The file that a job makes of its values: lines of JSON in a working file first, and the real file at the end.

With a journal, the length of the working file is committed together with the items whose lines it holds. A run that
continues truncates the file to that length first, so each order is in it once, however often the job was killed.

If items were refused or are unknown, the working file is kept, so that a run that tries them again can make the whole
real file once more. The journal recognises the real files that its job made by their versions.
"""

from __future__ import annotations

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Generic, TypeVar

from norce_order_async.errors import ConfigurationError

_READ_AT_ONCE = 1 << 20

T_contra = TypeVar("T_contra", contravariant=True)


class OutExistsError(ConfigurationError):
    """The file that a job is to make exists already."""


def new_file(path: Path) -> BinaryIO:
    """Open a new file that only its owner can read. It replaces any file of that name; a link is not followed.

    Raises:
        OSError: it can't be written.
    """
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def kept_file(path: Path) -> BinaryIO:
    """Open a file that an earlier step has written; a link is not followed.

    Raises:
        OSError: it can't be read.
    """
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def to_disk(file: BinaryIO) -> None:
    """Flush a file, and wait until it is on disk."""
    file.flush()
    os.fsync(file.fileno())


def version_of(path: Path) -> list[int] | None:
    """Return a file's size and when it was changed, in nanoseconds; None if there is no file. A link is no file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return [found.st_size, found.st_mtime_ns] if S_ISREG(found.st_mode) else None


@contextmanager
def named(path: Path) -> Generator[None]:
    """Add the name of an open file to errors inside.

    Raises:
        OSError: an error inside, with the file's name.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def in_words(path: Path) -> Generator[None]:
    """Turn errors of a file into a ``ConfigurationError``, in a job without a journal.

    Raises:
        ConfigurationError: it can't be written.
    """
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{error.filename or path} can't be written: {error.strerror or error}") from error


class OutputFile(ABC, Generic[T_contra]):
    """Collects lines in a working file, and makes the real file of them. Blocking."""

    def __init__(self, out: Path, *, overwrite: bool = False) -> None:
        self.out = out
        self._overwrite = overwrite
        self.working = out.with_name(out.name + ".part")
        self._file: BinaryIO | None = None
        self.length = 0
        self.made: Sequence[list[int]] = ()
        """The versions of the real file that earlier runs of the job may have made; the latest is the last."""
        self.made_of: int | None = None
        """The length of the lines of which the job has made its file; None if it has made none."""

    @abstractmethod
    def line(self, value: T_contra) -> bytes:
        """A value as one line of JSON, with its line end."""

    @abstractmethod
    def finish(self, *, keep_lines: bool, record: Callable[[Sequence[list[int]]], None] | None = None) -> None:
        """Make the real file of the working file.

        Args:
            keep_lines: whether the working file stays, for a run that adds to it.
            record: called with the versions that the real file may have now, right before it is put in place.
        """

    def check(self) -> None:
        """Check that the real file may be made.

        Raises:
            OutExistsError: it exists, and may not be overwritten.
            ConfigurationError: it is a folder.
        """
        if self.out.is_dir() and not self.out.is_symlink():
            raise ConfigurationError(f"{self.out} is a folder: name a file")
        if not self._may_replace():
            raise OutExistsError(f"{self.out} is there already: name another file, or give overwrite=True")

    def is_left(self, length: int | None) -> bool:
        """Whether a run ended before it made the real file of all lines in the working file. It reads the disk.

        Args:
            length: the length of the lines that the journal has recorded; None if it has recorded none.
        """
        if length is None or length == self.made_of:
            return False
        return self.working.is_file() and self._may_replace()

    def _may_replace(self) -> bool:
        """Whether there is no real file, or one that may be replaced: the job made it, or any may be overwritten."""
        return self._overwrite or not os.path.lexists(self.out) or version_of(self.out) in self.made

    def kept_lines(self, length: int) -> list[int]:
        """Return the length and a checksum of the lines that a run keeps, for :meth:`check_kept`.

        Raises:
            OSError: they can't be read.
        """
        checksum, left = 0, length
        with kept_file(self.working) as lines:
            while left and (some := lines.read(min(left, _READ_AT_ONCE))):
                checksum, left = zlib.crc32(some, checksum), left - len(some)
        return [length - left, checksum]

    def check_kept(self, lines: Sequence[int]) -> None:
        """Check that the working file begins with the lines that an earlier run has kept.

        Raises:
            OSError: it does not: another job may write to the same file.
        """
        if self.working.is_file() and self.kept_lines(lines[0]) == list(lines):
            return
        raise OSError(
            f"{self.working.absolute()} does not hold the orders that its journal has recorded: it was changed or "
            "removed, or the job was begun in another folder: put it back, run the job in that folder, or export with "
            "a new journal"
        )

    def open(self, length: int) -> None:
        """Open the working file with its first ``length`` bytes.

        Raises:
            OSError: it can't be written, or it is shorter than that.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        file = os.fdopen(os.open(self.working, flags, 0o600), "r+b")
        try:
            os.fchmod(file.fileno(), 0o600)
            self._cut(file, length)
        except BaseException:
            file.close()
            raise
        self._file = file
        self.length = length

    def _cut(self, file: BinaryIO, length: int) -> None:
        if file.seek(0, os.SEEK_END) < length:
            raise OSError(
                f"{self.working} is shorter than its journal has recorded: it was truncated, replaced or removed: put "
                "it back, or export with a new journal"
            )
        file.truncate(length)
        file.seek(length)

    def append(self, lines: Sequence[bytes], *, durable: bool) -> None:
        """Add lines; ``durable`` brings them to disk before it returns."""
        if self._file is None:
            raise OSError(f"{self.working} is not open")
        with named(self.working):
            self._file.write(b"".join(lines))
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        self.length += sum(map(len, lines))

    def close(self) -> None:
        """Close the working file; it stays on disk."""
        if self._file is not None:
            self._file.close()
            self._file = None
