"""The folder of an export that is split into shards: one part a shard, and a manifest that names them. Blocking.

In a text format a shard without orders has no part. Programs that read a folder as one table refuse an empty file of
JSON lines, and take the types of all columns from the first file of CSV. In Parquet, an empty part has the types.

A run of a shard may freeze, and wake after another run has taken over the shard. So that it can't damage the files of
the other run, every run has its own files, with its epoch in their names::

    .part-00003-9f3a1c2b-2.lines      the lines that run 2 of shard 3 collects; 9f3a1c2b is the job's mark
    .part-00003-9f3a1c2b-2.parquet    the part made of them; it counts if the run still has the shard then
    part-00003-9f3a1c2b-2.parquet     the same part, once all shards have one
    _manifest.json                    the parts that count

A run that finds all shards done takes the lease of the whole job, renames the parts that the journal names, and puts
the manifest in place. If it freezes meanwhile, the next run removes the parts of earlier epochs, and the manifest that
the frozen run was about to move. So its moves fail when it wakes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from norce_order_async._json import UNREADABLE, is_list, is_mapping, read_json
from norce_order_async.bulk.actions.export import Export, ExportFile, is_number
from norce_order_async.bulk.actions.output import OutExistsError, kept_file, named, new_file, to_disk
from norce_order_async.bulk.journal.errors import JournalError, JournalLockedError
from norce_order_async.bulk.journal.parts import MANIFEST, ExportShard, Part
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.errors import ConfigurationError

_OWN: Final = ".norce-order-job"
"""The file with the job to which the folder belongs."""
_FILE: Final = re.compile(r"\.?part-(?P<shard>[0-9]{5,})-(?P<mark>[0-9a-f]{8})-(?P<epoch>[0-9]+)\.(?P<ending>[a-z]+)")
_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder with the parts of one job."""

    path: Path
    mark: str
    job: str
    """The job's name."""

    def lines(self, shard: int, epoch: int) -> Path:
        """The working file of one run of a shard."""
        return self.path / f".{self._name(shard, epoch)}.lines"

    def part(self, shard: int, epoch: int, ending: str) -> Path:
        """The part that a run of a shard has made, under its final name."""
        return self.path / f"{self._name(shard, epoch)}.{ending}"

    def made(self, shard: int, epoch: int, ending: str) -> Path:
        """The part that a run of a shard has made, before all shards have one."""
        return self.path / f".{self._name(shard, epoch)}.{ending}"

    def _name(self, shard: int, epoch: int) -> str:
        return f"part-{shard:05}-{self.mark}-{epoch}"

    def begin(self, *, overwrite: bool, begun: bool) -> None:
        """Make the folder, and record in it that it belongs to this job.

        Args:
            overwrite: whether an export in it may be replaced.
            begun: whether the job has files in it already.

        Raises:
            OutExistsError: the folder holds an export of another job.
            ConfigurationError: the folder can't be used.
        """
        with _as_configuration_errors(self.path):
            try:
                self.path.mkdir(mode=0o700, exist_ok=True)
            except FileExistsError:
                raise ConfigurationError(
                    f"{self.path} is a file, and a job that is split into shards writes one part a shard: name a folder"
                ) from None
            owner = self._owner()
            if owner == self.mark:
                # The exports that this one replaces were recorded when it began. Only check that files can be written.
                aside = self._own_aside
                self._write(aside, b"")
                aside.unlink()
                return
            if begun:
                raise ConfigurationError(self._strange())
            replaced = self._look(overwrite=overwrite)
            if owner:
                replaced.add(owner)
            self._own(sorted(replaced))

    def check(self) -> None:
        """Check that the folder, as this machine sees it, is the one that the job was begun with.

        Raises:
            ConfigurationError: it is not, or can't be read.
        """
        with _as_configuration_errors(self.path):
            if self._owner() != self.mark:
                raise ConfigurationError(self._strange())

    def check_manifest(self) -> None:
        """Check that the manifest of a finished job was not replaced. It may be gone: its folder may have been moved.

        Raises:
            ConfigurationError: it is another job's.
        """
        with suppress(OSError):
            if _members(self.path / MANIFEST).get("export") != self.mark:
                raise ConfigurationError(
                    f"{self.path} holds the export of another job, which has replaced that of job {self.job!r}: "
                    "export with a new job"
                )

    def _strange(self) -> str:
        return (
            f"{self.path} is not the folder that job {self.job!r} writes to: every worker must see the same folder "
            "under this name. If it was moved or another job has replaced it, put it back, or export with a new job"
        )

    def _owner(self) -> str:
        """The mark of the job to which the folder belongs; empty if it belongs to none."""
        for name in (_OWN, MANIFEST):
            with suppress(FileNotFoundError):
                members = _members(self.path / name)
                return str(members.get("export", "?"))
        return ""

    def _look(self, *, overwrite: bool) -> set[str]:
        """Find the marks of the exports in the folder, and check that it may be used."""
        marks, others = set[str](), 0
        is_used = False
        for entry in os.scandir(self.path):
            if found := _FILE.fullmatch(entry.name):
                marks.add(found["mark"])
            elif entry.name in (_OWN, MANIFEST):
                is_used = True
            elif not entry.name.startswith((".", "_")):
                others += 1
        if others:
            raise ConfigurationError(f"{self.path} holds other files: name a folder that is new or empty")
        if (marks or is_used) and not overwrite:
            raise OutExistsError(f"{self.path} holds an export already: name another folder, or give overwrite=True")
        return marks

    @property
    def _own_aside(self) -> Path:
        return self.path / f"{_OWN}.{self.mark}"

    def _own(self, replaced: Sequence[str]) -> None:
        aside = self._own_aside
        self._write(aside, json.dumps({"export": self.mark, "job": self.job, "replaces": replaced}).encode() + b"\n")
        aside.replace(self.path / _OWN)
        sync(self.path)

    @property
    def replaces(self) -> set[str]:
        """The marks of the exports that this one replaces."""
        with suppress(FileNotFoundError):
            marks = _members(self.path / _OWN).get("replaces")
            return {str(mark) for mark in marks} if is_list(marks) else set()
        return set()

    def _write(self, path: Path, content: bytes) -> None:
        with named(path), new_file(path) as file:
            file.write(content)
            to_disk(file)

    def put_manifest(self, epoch: int, members: Mapping[str, Any], *, still_ours: Callable[[], None]) -> None:
        """Put the manifest in place.

        Args:
            epoch: the epoch of the run that has the whole job.
            members: the content of the manifest.
            still_ours: raises if another run has the whole job now. It is called when the manifest is written and not
                in place yet: a run that takes the job after that removes this manifest.
        """
        aside = self._manifest_of(epoch)
        self._write(aside, json.dumps(members, ensure_ascii=False, indent=1).encode() + b"\n")
        still_ours()
        aside.replace(self.path / MANIFEST)
        sync(self.path)

    def revoke(self, epoch: int, parts: Sequence[Part], ending: str) -> None:
        """Remove all files that a frozen earlier run could still move into place.

        They are removed by name, because the list of a folder on a network share may be out of date.
        """
        for earlier in range(1, epoch):
            self._manifest_of(earlier).unlink(missing_ok=True)
        for part in parts:
            for earlier in range(1, part.made_by or 1):
                self.made(part.shard, earlier, ending).unlink(missing_ok=True)

    def show(self, part: Part, ending: str) -> None:
        """Give a part its final name, and check that it is a file of its size.

        Raises:
            JournalError: the part is gone, is a link, or has another size.
        """
        assert part.made_by is not None  # noqa: S101 - called for parts that are made
        path = self.part(part.shard, part.made_by, ending)
        # It may have been done before.
        with suppress(FileNotFoundError):
            self.made(part.shard, part.made_by, ending).replace(path)
        try:
            found = path.lstat()
        except FileNotFoundError:
            raise JournalError(f"{path} is gone, and is part of the export: put it back, or export again") from None
        if not stat.S_ISREG(found.st_mode):
            raise JournalError(f"{path} is a link or no file, and is part of the export: put it back, or export again")
        if found.st_size != part.bytes:
            raise JournalError(
                f"{path} was made with {part.bytes} bytes and has {found.st_size}: put it back, or export again"
            )

    def clean(self, epoch: int, parts: Sequence[Part], *, replaces: set[str]) -> None:
        """Remove files of earlier runs, and of exports that were replaced.

        Lines stay if orders of their shard may be tried again. Files of later runs are left alone.
        """
        by_shard = {part.shard: part for part in parts}
        for entry in os.scandir(self.path):
            found = _FILE.fullmatch(entry.name)
            if found is None:
                continue
            part = by_shard.get(int(found["shard"]))
            if found["mark"] == self.mark and part is not None:
                is_over = _is_over(part, int(found["epoch"]), is_lines=found["ending"] == "lines")
            else:
                is_over = found["mark"] in replaces
            if is_over:
                Path(entry.path).unlink(missing_ok=True)
        for earlier in range(1, epoch):
            self._manifest_of(earlier).unlink(missing_ok=True)

    def _manifest_of(self, epoch: int) -> Path:
        return self.path / f".manifest-{self.mark}-{epoch}.json"


def _is_over(part: Part, epoch: int, *, is_lines: bool) -> bool:
    if is_lines:
        return epoch < (part.lines_of or 0) or (epoch == part.lines_of and not part.failed)
    return epoch < (part.made_by or 0)


class PartFile(ExportFile):
    """The part of one shard, made by one run of the shard."""

    def __init__(self, export: Export, job: str, shard: int, store: ExportShard) -> None:
        super().__init__(
            export.out,
            export.format,
            export.fields,
            overwrite=True,
            raw_cells=export.raw_cells,
            numbers=export.numbers if export.format == "parquet" else None,
        )
        self._folder = Folder(export.out, "", job)
        """It gets the job's mark in :meth:`check`."""
        self._shard = shard
        self._store = store

    def line(self, value: dict[str, Any]) -> bytes:
        """An order as one line of JSON.

        Raises:
            ConfigurationError: a column of numbers has another value, and all parts must have the same types.
        """
        for column, is_one in (self.numbers or {}).items():
            if is_one and not (value.get(column) is None or is_number(value[column])):
                raise ConfigurationError(
                    f"an order has no number as {column}, where the API description has one, and all parts of a "
                    "Parquet export have the same types: leave the column out, or export to jsonl or csv"
                )
        return super().line(value)

    def is_left(self, length: int | None) -> bool:
        """Whether the part must still be made of the lines."""
        return self._store.made_of() != (length or 0)

    def check(self) -> None:
        """Check that the folder is the one that the job was begun with.

        Raises:
            ConfigurationError: it is not.
        """
        self._folder = replace(self._folder, mark=self._store.mark())
        self._folder.check()
        epoch = self._store.epoch
        self.working = self._folder.lines(self._shard, epoch)
        self.out = self._folder.made(self._shard, epoch, self.format)

    def open(self, length: int) -> None:
        """Open a working file for this run, with the lines of the run before.

        Raises:
            JournalError: the lines of the run before can't be read.
        """
        with _as_journal_errors(self._store, self._folder.path):
            with named(self.working), new_file(self.working) as file:
                if length:
                    self._copy(file, length)
                to_disk(file)
            sync(self._folder.path)
            self._store.use_lines()
            super().open(length)

    def _copy(self, file: BinaryIO, length: int) -> None:
        before = self._folder.lines(self._shard, self._store.lines_of() or 0)
        left = length
        try:
            with kept_file(before) as lines:
                while left and (some := lines.read(min(left, _AT_ONCE))):
                    left -= file.write(some)
        except (FileNotFoundError, PermissionError) as error:
            raise JournalError(
                f"{before} can't be read ({error.strerror}), and it holds the orders of shard {self._shard} that were "
                "read so far: every worker must see the same folder, as the same user. Put it back and run it again"
            ) from error
        if left:
            raise JournalError(f"{before} is shorter than the journal says: put it back as it was, and run it again")

    def finish(self, *, keep_lines: bool, record: Callable[[Sequence[list[int]]], None] | None = None) -> None:
        """Make the part, and record it in the journal when it is on disk.

        Its lines are removed, unless orders were refused or are unknown: for those, the shard may be run again.
        """
        del record  # The journal of a split job has a record of each part.
        self.close()
        with _as_journal_errors(self._store, self._folder.path):
            counts = self._store.counts()
            read, rows = counts.get("confirmed", 0), self.write(self.out)
            if rows != read:
                self.out.unlink(missing_ok=True)
                raise JournalError(
                    f"{self.working} was changed by another program: {read} orders were read, and it has {rows} "
                    f"line{'s' if rows != 1 else ''}. Put it back as it was, and run it again"
                )
            size, digest = _size_and_digest(self.out)
            if not _has_file(self.format, rows):
                self.out.unlink()
            sync(self._folder.path)
            try:
                self._store.put_part(made_of=self.length, rows=rows, size=size, sha256=digest)
            except JournalLockedError:
                self.out.unlink(missing_ok=True)
                raise
            if not keep_lines:
                self.working.unlink(missing_ok=True)


def put_manifest(journal: PostgresJob, export: Export, shards: int) -> None:
    """Give the parts their final names and write the manifest, if all parts are made. It can be repeated.

    Raises:
        JournalLockedError: another run does this now.
        JournalError: a part is gone, or the folder can't be written.
        ConfigurationError: the folder is not the one that the job was begun with.
    """
    store = ExportShard(journal, shards=shards)
    store.take()
    try:
        folder = Folder(export.out, store.mark(), journal.job)
        folder.check()
        parts = store.parts()
        if not all(part.current for part in parts):
            return
        with _as_journal_errors(store, folder.path):
            folder.revoke(store.epoch, parts, export.format)
            files = [part for part in parts if _has_file(export.format, part.rows)]
            for part in files:
                folder.show(part, export.format)
            replaces = folder.replaces
            folder.put_manifest(store.epoch, _manifest(folder, export, files), still_ours=store.renew)
            folder.clean(store.epoch, parts, replaces=replaces)
            store.put_listed(parts)
    finally:
        store.release()


def _has_file(format: str, rows: int | None) -> bool:
    """Whether a part with this number of orders has a file."""
    return bool(rows) or format == "parquet"


def _manifest(folder: Folder, export: Export, parts: Sequence[Part]) -> dict[str, Any]:
    return {
        "job": folder.job,
        "export": folder.mark,
        "format": export.format,
        "columns": None if export.fields is None else list(export.fields),
        "rows": sum(part.rows or 0 for part in parts),
        "parts": [
            {
                "shard": part.shard,
                "file": folder.part(part.shard, part.made_by or 0, export.format).name,
                "rows": part.rows,
                "bytes": part.bytes,
                "sha256": part.sha256,
            }
            for part in parts
        ],
    }


def _members(path: Path) -> Mapping[str, Any]:
    found: Any = read_json(path.read_bytes())
    return found if found is not UNREADABLE and is_mapping(found) else {}


def _size_and_digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def sync(folder: Path) -> None:
    """Write the names in a folder to disk, if the system can."""
    with suppress(PermissionError if os.name == "nt" else NotADirectoryError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _as_configuration_errors(folder: Path) -> Generator[None]:
    """Turn errors of the folder into a ``ConfigurationError``, before the job has begun."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"the folder {folder} can't be used: {error.strerror or error}") from error


@contextmanager
def _as_journal_errors(store: ExportShard, folder: Path) -> Generator[None]:
    """Turn errors of the folder into a ``JournalError``, while the job runs.

    Raises:
        JournalLockedError: another run has taken over, and has moved or removed a file that was missing here.
        JournalError: the folder can't be read or written.
    """
    try:
        yield
    except JournalLockedError:
        raise
    except JournalError:
        store.renew()
        raise
    except OSError as error:
        store.renew()
        raise JournalError(f"{error.filename or folder}: {error.strerror or error}") from error
