"""Reading orders into a file: JSON Lines, CSV, or Parquet with the ``parquet`` extra.

Lines of JSON are collected while the job runs (:mod:`.spool`) and made into the file at its end, so that a job that was
killed goes on where it was in every format.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from norce_order_async.bulk.action import Action, Row
from norce_order_async.bulk.spool import Spool
from norce_order_async.errors import ConfigurationError
from norce_order_async.plain import is_mapping

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
"""What a table holds unless told: nothing of the customer."""

_GROUP = 5000
"""Rows that Parquet is written in at a time."""


class Export(Action[dict[str, Any]]):
    """Read orders; the values are what goes into the file."""

    name = "export"
    writes = False

    def __init__(self, out: Path, fields: Mapping[str, str] | None, format: ExportFormat | None) -> None:
        found = format or out.suffix.lstrip(".").lower()
        if found not in get_args(ExportFormat):
            raise ConfigurationError(f"no format for {out.name}: give it as 'jsonl', 'csv' or 'parquet'")
        if found == "parquet" and find_spec("pyarrow") is None:
            raise ConfigurationError("Parquet needs pyarrow: pip install 'norce-order-async[parquet]'")
        if fields is None and found != "jsonl":
            fields = DEFAULT_FIELDS
        self._out = out
        self._fields = None if fields is None else dict(fields)
        self._format = found
        self.parameters = {"out": str(out), "fields": self._fields, "format": found}

    async def apply(self, order: Order, row: Row) -> dict[str, Any]:
        del row
        await order.refresh()
        whole = order.data.to_dict()
        if self._fields is None:
            return whole
        return {column: _found(whole, path) for column, path in self._fields.items()}

    async def preview(self, order: Order, row: Row) -> str:
        del row
        return f"would be read into {self._out.name}" if order.id else ""

    def spool(self) -> ExportSpool:
        return ExportSpool(self._out, self._format, self._fields)


class ExportSpool(Spool[dict[str, Any]]):
    """Collects orders as lines, and makes the file of them."""

    def __init__(self, out: Path, format: str, fields: Mapping[str, str] | None) -> None:
        super().__init__(out)
        self._format = format
        self._fields = fields

    def line(self, value: dict[str, Any]) -> bytes:
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
        with aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self._fields or {}))
            writer.writeheader()
            for row in self._rows():
                writer.writerow({column: _cell(value) for column, value in row.items()})
        aside.replace(self.out)

    def _write_parquet(self) -> None:
        # By name, because type checkers run without it.
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
        aside = self.out.with_name(f"{self.out.name}.new")
        columns = self._columns()
        schema: Any = arrow.schema([(name, arrow.float64() if number else arrow.string()) for name, number in columns])
        with parquet.ParquetWriter(aside, schema) as writer:
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


def _found(whole: Any, path: str) -> Any:
    for name in path.split("."):
        whole = whole.get(name) if is_mapping(whole) else None
    return whole


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _typed(value: Any, number: bool) -> Any:
    if value is None or number:
        return value if value is None else float(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
