"""Reads orders into a file: JSON Lines, CSV, or Parquet with the ``parquet`` extra.

Lines of JSON are collected while the job runs (:mod:`.output`), and the file is made of them at its end. So a job that
was killed can continue, whatever the format.

A path such as ``total.includingVat``, ``cart.items.0.sku`` or ``payments[*].amount`` names a value in an order. It is
checked against the members in the API description, so a misspelt path is an error before the first read, rather than a
column of empty cells. Within free-form data (``attributes``) every name is allowed.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, get_args, get_origin

import attrs

from norce_order_async import models
from norce_order_async._json import UNREADABLE, is_list, is_mapping, read_json
from norce_order_async.bulk.actions.base import Action, Row
from norce_order_async.bulk.actions.cells import harmless
from norce_order_async.bulk.actions.output import OutputFile, kept_file, named, new_file, to_disk, version_of
from norce_order_async.checking import check_kind, mapping_of
from norce_order_async.errors import ConfigurationError

if TYPE_CHECKING:
    from norce_order_async.orders.order import Order

_ALL: Final = "*"
_LIST: Final = re.compile(r"list\[(.*)\]")

ExportFormat = Literal["jsonl", "csv", "parquet"]

DEFAULT_FIELDS: Final[Mapping[str, str]] = {
    "id": "id",
    "reference": "reference",
    "cart_reference": "cart.reference",
    "status": "state.currentStatus",
    "created": "created",
    "last_modified": "lastModified",
    "currency": "currency",
    "country": "country",
    "total_including_vat": "total.includingVat",
    "total_excluding_vat": "total.excludingVat",
}
"""The default columns of a table: no personal data."""

_GROUP = 5000
"""Rows of a group of a Parquet file."""


class Export(Action[dict[str, Any]]):
    """Read orders. The values of the outcomes are the lines of the file."""

    name = "export"
    writes = False

    def __init__(
        self,
        out: Path,
        fields: Mapping[str, str] | None,
        format: ExportFormat | None,
        *,
        overwrite: bool = False,
        raw_cells: bool = False,
    ) -> None:
        if format is not None:
            check_kind("format", format, str, "a string", ConfigurationError)
        kind: Any = format or out.suffix.lstrip(".").lower()
        if kind not in get_args(ExportFormat):
            raise ConfigurationError(f"no format for {out.name}: give it as 'jsonl', 'csv' or 'parquet'")
        if kind == "parquet" and find_spec("pyarrow") is None:
            raise ConfigurationError("Parquet needs the extra 'parquet': install norce-order-async with [parquet]")
        if fields is None and kind != "jsonl":
            fields = DEFAULT_FIELDS
        self.out = out
        self.fields = None if fields is None else mapping_of("fields", fields, ConfigurationError)
        for column, path in (self.fields or {}).items():
            check_kind("a column of fields", column, str, "a string", ConfigurationError)
            check_kind("a path of fields", path, str, "a string", ConfigurationError)
            if not _is_unicode(column):
                raise ConfigurationError(f"a column of fields holds half a surrogate pair: {column!r}")
        self._paths = {column: parts_of(path) for column, path in (self.fields or {}).items()}
        self.format: ExportFormat = kind
        self.overwrite = overwrite
        self.raw_cells = raw_cells
        self._made: Callable[[], ExportFile] | None = None
        self.parameters = {"out": str(out), "fields": self.fields, "format": kind}
        if raw_cells:
            self.parameters["raw_cells"] = True

    async def apply(self, order: Order, row: Row) -> dict[str, Any]:
        """Read the order, and return the chosen fields or the whole order as a dict."""
        del row
        await order.refresh()
        whole = order.data.to_dict()
        if self.fields is None:
            return whole
        return {column: found(whole, path) for column, path in self._paths.items()}

    async def preview(self, order: Order, row: Row) -> str:
        """Return into which file the order would be read, in words."""
        del row
        return f"would be read into {self.out.name}" if order.id else ""

    def output(self) -> ExportFile:
        """Make the file in which the orders are collected."""
        if self._made is not None:
            return self._made()
        return ExportFile(self.out, self.format, self.fields, overwrite=self.overwrite, raw_cells=self.raw_cells)

    # For a job that is split

    def into_folder(self) -> Export:
        """Return the export in the form in which a split job runs it: into a folder, with an absolute path.

        Raises:
            ConfigurationError: the path names a file, or the extra is missing here.
        """
        if self.out.suffix.lstrip(".").lower() in get_args(ExportFormat):
            raise ConfigurationError(
                f"{self.out} names a file, and a job that is split into shards writes one part a shard: name a folder "
                f"that all workers see and a format, such as {str(self.out.with_suffix(''))!r} and {self.format!r}"
            )
        return Export(self.out.absolute(), self.fields, self.format, overwrite=self.overwrite, raw_cells=self.raw_cells)

    def in_order(self, columns: Iterable[str]) -> Export:
        """Return a copy of the export whose columns are in this order, for parts that are to agree."""
        if self.fields is None or {*columns} != self.fields.keys():
            return self
        other = copy(self)
        other.fields = {column: self.fields[column] for column in columns}
        other._paths = {column: self._paths[column] for column in columns}  # noqa: SLF001 - of this class
        return other

    def into(self, made: Callable[[], ExportFile]) -> Export:
        """Return a copy of the export whose file ``made`` makes."""
        other = copy(self)
        other._made = made  # noqa: SLF001 - of this class
        return other

    @property
    def numbers(self) -> Mapping[str, bool]:
        """Whether each column holds numbers, by the API description.

        For a single file the orders decide this, but parts of one export could differ then.
        """
        return {column: _is_number(path) for column, path in (self.fields or {}).items()}


class ExportFile(OutputFile[dict[str, Any]]):
    """Collects orders as lines, and makes the file of them.

    Args:
        out: the file.
        format: its format.
        fields: its columns.
        overwrite: whether it may replace another.
        raw_cells: whether texts in CSV stay as they are.
        numbers: for Parquet, whether each column holds numbers; by default, the orders decide it.
    """

    def __init__(
        self,
        out: Path,
        format: str,
        fields: Mapping[str, str] | None,
        *,
        overwrite: bool,
        raw_cells: bool,
        numbers: Mapping[str, bool] | None = None,
    ) -> None:
        super().__init__(out, overwrite=overwrite)
        self._raw_cells = raw_cells
        self.format = format
        self._fields = fields
        self.numbers = numbers

    def line(self, value: dict[str, Any]) -> bytes:
        """An order as one line of JSON."""
        text = json.dumps(value, ensure_ascii=False)
        # Half a surrogate pair is no text, but the service may send it, and JSON has an escape for it.
        return (text if _is_unicode(text) else json.dumps(value)).encode() + b"\n"

    def finish(self, *, keep_lines: bool, record: Callable[[Sequence[list[int]]], None] | None = None) -> None:
        """Make the real file. Until it is there, the working file is kept, so that this can be done again."""
        self.close()
        aside, new = self.working, self.out.with_name(f"{self.out.name}.new")
        if keep_lines or self.format != "jsonl":
            aside = new
            self.write(aside)
        elif record is not None:
            new.unlink(missing_ok=True)  # an earlier run may have been killed that kept its lines
        if record is not None:
            # A run may be killed before the file is moved: the one in place stays known as one of this job.
            versions = (version_of(self.out), version_of(aside))
            record([one for one in versions if one is not None and (one is versions[1] or one in self.made)])
        aside.replace(self.out)
        if not keep_lines:
            self.working.unlink(missing_ok=True)

    def write(self, path: Path) -> int:
        """Make a file of the lines, and return their number. When it returns, the file is on disk.

        Raises:
            OSError: the file can't be written. The error has its name.
        """
        with named(path), new_file(path) as file:
            match self.format:
                case "csv":
                    count = self._write_csv(file)
                case "parquet":
                    count = self._write_parquet(file)
                case _:
                    count = self._write_lines(file)
            to_disk(file)
        return count

    def _lines(self) -> Iterator[bytes]:
        with kept_file(self.working) as lines:
            yield from lines

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        columns = (self._fields or {}).keys()
        for line in self._lines():
            row: Any = read_json(line)
            if row is UNREADABLE or not is_mapping(row) or row.keys() != columns:
                raise OSError(f"{self.working} was changed by another program: a line in it is not one of this job")
            yield row

    def _write_lines(self, file: BinaryIO) -> int:
        count = 0
        for line in self._lines():
            file.write(line)
            count += 1
        return count

    def _write_csv(self, file: BinaryIO) -> int:
        count = 0
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        writer = csv.DictWriter(text, list(self._fields or {}))
        writer.writeheader()
        for row in self._rows():
            cells = {column: _cell(value) for column, value in row.items()}
            writer.writerow(cells if self._raw_cells else {name: harmless(cell) for name, cell in cells.items()})
            count += 1
        text.flush()
        text.detach()
        return count

    def _write_parquet(self, file: BinaryIO) -> int:
        # By name, because type checkers run without it.
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
        columns = self._columns() if self.numbers is None else list(self.numbers.items())
        schema: Any = arrow.schema([(name, arrow.float64() if number else arrow.string()) for name, number in columns])
        count = 0
        with parquet.ParquetWriter(file, schema) as writer:
            group: list[dict[str, Any]] = []
            for row in self._rows():
                group.append({name: _typed(row.get(name), number) for name, number in columns})
                count += 1
                if len(group) == _GROUP:
                    writer.write_table(arrow.Table.from_pylist(group, schema=schema))
                    group = []
            writer.write_table(arrow.Table.from_pylist(group, schema=schema))
        return count

    def _columns(self) -> list[tuple[str, bool]]:
        """The columns, and whether each holds only numbers."""
        names = list(self._fields or {})
        numbers, texts = set[str](), set[str]()
        for row in self._rows():
            for name in names:
                value = row.get(name)
                if value is not None:
                    (numbers if is_number(value) else texts).add(name)
        return [(name, name in numbers and name not in texts) for name in names]


def is_number(value: object) -> bool:
    """Whether a value of an order is a number that a column of numbers can hold."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return isinstance(value, float)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _typed(value: Any, number: bool) -> Any:
    if value is None or number:
        return value if value is None else float(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if _is_unicode(text) else text.encode(errors="replace").decode()


def _is_unicode(text: str) -> bool:
    """Whether a text holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parts_of(path: str, kind: str = "OrderData") -> tuple[str, ...]:
    """Return the steps of a path into a model, by default an order's.

    Raises:
        ConfigurationError: the model has no such path. The text names the nearest one that exists.
    """
    return _walked(path, kind)[0]


def _is_number(path: str) -> bool:
    parts, kind = _walked(path, "OrderData")
    return kind in ("int", "float") and _ALL not in parts


def _walked(path: str, kind: str) -> tuple[tuple[str, ...], str]:
    """Return the steps of a path, and the type of its value in the API description."""
    parts = tuple(re.sub(r"\[(\*|[0-9]+)\]", r".\1", path).split("."))
    for place, name in enumerate(parts):
        said = ".".join(parts[:place])
        found = _LIST.fullmatch(kind)
        if found is not None:
            if name != _ALL and not re.fullmatch("[0-9]+", name):
                raise ConfigurationError(
                    f"no field {path!r}: {said} is a list; say {said}[*] for all, {said}.0 for one"
                )
            kind = found.group(1)
            continue
        model: Any = getattr(models, kind, None)
        members: frozenset[str] = getattr(model, "MEMBERS", frozenset())
        if not members:
            if get_origin(model) is dict:
                # Free-form data.
                return parts, "Any"
            raise ConfigurationError(f"no field {path!r}: there is nothing below {said}")
        if name not in members:
            raise ConfigurationError(f"no field {path!r}{_nearest(parts, place, members)}")
        kind = _types(model)[name]
    return parts, kind


def found(value: Any, parts: tuple[str, ...]) -> Any:
    """Return the value of a path in an order as JSON data; None if there is none, and a list for ``*``."""
    for place, name in enumerate(parts):
        if name == _ALL and is_list(value):
            return [found(each, parts[place + 1 :]) for each in value]
        if is_list(value):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if is_mapping(value) else None
    return value


def _nearest(parts: tuple[str, ...], place: int, members: frozenset[str]) -> str:
    by_lower = {member.lower(): member for member in members}
    near = difflib.get_close_matches(parts[place].lower(), by_lower, n=1)
    return f": did you mean {'.'.join((*parts[:place], by_lower[near[0]]))!r}?" if near else ""


def _types(model: Any) -> dict[str, str]:
    """The types of a model's members as text, without null, by the names in JSON."""
    declared = {field.name.replace("_", ""): str(field.type) for field in attrs.fields(model)}
    return {member: re.sub(r"( \| (str|None))+$", "", declared[member.lower()]) for member in model.MEMBERS}
