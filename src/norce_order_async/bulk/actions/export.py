"""Reading orders into a file: JSON Lines, CSV, or Parquet with the ``parquet`` extra.

Lines of JSON are collected while the job runs (:mod:`.output`) and made into the file at its end, so a job that was
killed can continue in every format.

A path such as ``total.includingVat``, ``cart.items.0.sku`` or ``payments[*].amount`` names a place in an order. It is
checked against the members in the API description, so a misspelt path is an error before the first read and not a
column of empty cells. Below free-form data (``attributes``) every name is allowed.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

import attrs

from norce_order_async import models
from norce_order_async._json import is_list, is_mapping
from norce_order_async.bulk.actions.base import Action, Row
from norce_order_async.bulk.actions.cells import harmless
from norce_order_async.bulk.actions.output import OutputFile, new_file
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
"""Rows that Parquet is written in at a time."""


class Export(Action[dict[str, Any]]):
    """Read orders; the values are what goes into the file."""

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
        kind = format or out.suffix.lstrip(".").lower()
        if kind not in get_args(ExportFormat):
            raise ConfigurationError(f"no format for {out.name}: give it as 'jsonl', 'csv' or 'parquet'")
        if kind == "parquet" and find_spec("pyarrow") is None:
            raise ConfigurationError("Parquet needs the extra 'parquet': install norce-order-async with [parquet]")
        if fields is None and kind != "jsonl":
            fields = DEFAULT_FIELDS
        self._out = out
        self._fields = None if fields is None else mapping_of("fields", fields, ConfigurationError)
        for column, path in (self._fields or {}).items():
            check_kind("a column of fields", column, str, "a string", ConfigurationError)
            check_kind("a path of fields", path, str, "a string", ConfigurationError)
        self._paths = {column: parts_of(path) for column, path in (self._fields or {}).items()}
        self._format = kind
        self._overwrite = overwrite
        self._raw_cells = raw_cells
        self.parameters = {"out": str(out), "fields": self._fields, "format": kind}

    async def apply(self, order: Order, row: Row) -> dict[str, Any]:
        """Read the order; returns the chosen fields, or the whole order as a dict."""
        del row
        await order.refresh()
        whole = order.data.to_dict()
        if self._fields is None:
            return whole
        return {column: found(whole, path) for column, path in self._paths.items()}

    async def preview(self, order: Order, row: Row) -> str:
        """Say into which file the order would be read."""
        del row
        return f"would be read into {self._out.name}" if order.id else ""

    def output(self) -> ExportFile:
        """The file that the orders are collected in."""
        return ExportFile(self._out, self._format, self._fields, overwrite=self._overwrite, raw_cells=self._raw_cells)


class ExportFile(OutputFile[dict[str, Any]]):
    """Collects orders as lines, and makes the file of them."""

    def __init__(
        self, out: Path, format: str, fields: Mapping[str, str] | None, *, overwrite: bool, raw_cells: bool
    ) -> None:
        super().__init__(out, overwrite=overwrite)
        self._raw_cells = raw_cells
        self._format = format
        self._fields = fields

    def line(self, value: dict[str, Any]) -> bytes:
        """An order as one line of JSON."""
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"

    def finish(self) -> None:
        """The working file is kept unless it has become the real one, so that finishing can be done again."""
        self.close()
        if self._format == "jsonl":
            self.working.replace(self.out)
            return
        if self._format == "csv":
            self._write_csv()
        else:
            self._write_parquet()
        self.working.unlink()

    def _rows(self) -> Iterator[dict[str, Any]]:
        with self.working.open("rb") as lines:
            for line in lines:
                yield json.loads(line)

    def _write_csv(self) -> None:
        aside = self.out.with_name(f"{self.out.name}.new")
        with io.TextIOWrapper(new_file(aside), encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self._fields or {}))
            writer.writeheader()
            for row in self._rows():
                cells = {column: _cell(value) for column, value in row.items()}
                writer.writerow(cells if self._raw_cells else {name: harmless(cell) for name, cell in cells.items()})
        aside.replace(self.out)

    def _write_parquet(self) -> None:
        # By name, because type checkers run without it.
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
        aside = self.out.with_name(f"{self.out.name}.new")
        columns = self._columns()
        schema: Any = arrow.schema([(name, arrow.float64() if number else arrow.string()) for name, number in columns])
        with new_file(aside) as file, parquet.ParquetWriter(file, schema) as writer:
            group: list[dict[str, Any]] = []
            for row in self._rows():
                group.append({name: _typed(row.get(name), number) for name, number in columns})
                if len(group) == _GROUP:
                    writer.write_table(arrow.Table.from_pylist(group, schema=schema))
                    group = []
            writer.write_table(arrow.Table.from_pylist(group, schema=schema))
        aside.replace(self.out)

    def _columns(self) -> list[tuple[str, bool]]:
        """Each column, and whether it holds nothing but numbers."""
        names = list(self._fields or {})
        numbers, texts = set[str](), set[str]()
        for row in self._rows():
            for name in names:
                value = row.get(name)
                if value is not None:
                    is_number = isinstance(value, int | float) and not isinstance(value, bool)
                    (numbers if is_number else texts).add(name)
        return [(name, name in numbers and name not in texts) for name in names]


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _typed(value: Any, number: bool) -> Any:
    if value is None or number:
        return value if value is None else float(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parts_of(path: str, kind: str = "OrderData") -> tuple[str, ...]:
    """The steps of a path into a model, an order's unless another is named.

    Raises:
        ConfigurationError: no such model has that; the text names the nearest path that exists.
    """
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
                return parts
            raise ConfigurationError(f"no field {path!r}: there is nothing below {said}")
        if name not in members:
            raise ConfigurationError(f"no field {path!r}{_nearest(parts, place, members)}")
        kind = _types(model)[name]
    return parts


def found(value: Any, parts: tuple[str, ...]) -> Any:
    """What is there in an order as JSON; None where there is nothing, and a list for ``*``."""
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
    """The types of a model's members as it writes them, without null, by name in JSON."""
    declared = {field.name.replace("_", ""): str(field.type) for field in attrs.fields(model)}
    return {member: re.sub(r"( \| (str|None))+$", "", declared[member.lower()]) for member in model.MEMBERS}
