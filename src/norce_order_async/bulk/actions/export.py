"""Reading orders into a file: JSON Lines, CSV, or Parquet with the ``parquet`` extra.

Lines of JSON are collected while the job runs (:mod:`.output`) and made into the file at its end, so a job that was
killed can continue in every format.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from norce_order_async.bulk.actions.base import Action, Row
from norce_order_async.bulk.actions.cells import harmless
from norce_order_async.bulk.actions.fields import found, parts_of
from norce_order_async.bulk.actions.output import OutputFile, new_file
from norce_order_async.checking import check_kind, mapping_of
from norce_order_async.errors import ConfigurationError

if TYPE_CHECKING:
    from norce_order_async.orders.order import Order

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
