"""The file that a job reads its orders from: a CSV file with a column of ids, or a plain list of ids.

The file is read twice, row by row: once to check and count the rows before anything is sent, and once by the job. So
it is never in memory as a whole, and an error in line 80,000 is found before the job starts. Standard input is copied
to a temporary file first.
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from norce_order_async.bulk.actions.cells import as_it_was
from norce_order_async.display import printable
from norce_order_async.errors import InvalidRequestError
from norce_order_async.pipeline.request import check_id

KEY = "order_id"
_KEYS = (KEY, "id", "orderid")
"""Names that the column of ids may have if ``--column`` is not given."""

Row = Mapping[str, str]


class BadInput(click.ClickException):
    """A file, a journal or an option can't be used; nothing was sent."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class OrderFile:
    """A file of orders."""

    path: Path
    column: str | None
    """Name of the column of ids; None for the usual names."""
    needs: tuple[str, ...]
    """Names of other columns that must be there and filled."""
    name: str
    """The file's name in messages."""

    def rows(self) -> Iterator[Row]:
        """The rows, with the id as ``order_id``.

        Raises:
            BadInput: A row can't be used. The text names its line.
        """
        try:
            # utf-8-sig: spreadsheets write a byte order mark.
            with self.path.open(encoding="utf-8-sig", newline="") as lines:
                yield from self._rows(lines)
        except OSError as error:
            raise BadInput(f"{self.name} can't be read: {error.strerror}") from error
        except UnicodeDecodeError:  # "from None", because the error holds the rows
            raise BadInput(f"{self.name} is not UTF-8 text: save it as CSV UTF-8") from None
        except csv.Error as error:
            raise BadInput(f"{self.name} is not a CSV file: {error}") from error

    def check(self) -> int:
        """Check every row, and return their number.

        Raises:
            BadInput: A row can't be used, or there are no rows.
        """
        count = sum(1 for _ in self.rows())
        if not count:
            raise BadInput(f"{self.name} names no orders")
        return count

    def _rows(self, lines: TextIO) -> Iterator[Row]:
        first = lines.readline()
        lines.seek(0)
        reader = csv.reader(lines, delimiter=_delimiter(first), strict=True)
        heads: list[str] | None = None
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if heads is None:
                heads = self._heads(cells)
                if heads is not None:
                    continue
                # No known column name: a plain list, whose first line is an id.
                heads = [KEY]
            yield self._row(heads, cells, reader.line_num)

    def _heads(self, cells: Sequence[str]) -> list[str] | None:
        """The names of the columns, with that of the ids as ``order_id``; None for a plain list of ids."""
        heads = [_plain(cell) for cell in cells]
        wanted = (_plain(self.column),) if self.column else _KEYS
        key = next((name for name in wanted if name in heads), None)
        if key is None:
            if len(cells) == 1 and self.column is None and not self.needs:
                return None
            raise BadInput(f"{self.name} has no column {self.column or KEY}; its first line must name the columns")
        heads[heads.index(key)] = KEY
        missing = [name for name in self.needs if name not in heads]
        if missing:
            raise BadInput(f"{self.name} has no column {', '.join(missing)}")
        return heads

    def _row(self, heads: Sequence[str], cells: Sequence[str], line: int) -> Row:
        if len(cells) != len(heads):
            raise self._wrong(line, f"{len(cells)} columns instead of {len(heads)}")
        row = dict(zip(heads, (as_it_was(cell.strip()) for cell in cells), strict=True))
        try:
            check_id(KEY, row[KEY])
        except InvalidRequestError as error:
            raise self._wrong(line, str(error)) from error
        for name in self.needs:
            if not row[name]:
                raise self._wrong(line, f"{name} is empty")
        return row

    def _wrong(self, line: int, what: str) -> BadInput:
        return BadInput(printable(f"{self.name}, line {line}: {what}; nothing was sent"))


@contextmanager
def order_file(path: str, column: str | None, needs: tuple[str, ...] = ()) -> Generator[OrderFile]:
    """The file, or standard input for ``-``, as long as the job runs."""
    if path != "-":
        yield OrderFile(Path(path), column, needs, printable(path))
        return
    with tempfile.TemporaryDirectory(prefix="norce-order-") as folder:
        kept = Path(folder) / "orders"
        with kept.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield OrderFile(kept, column, needs, "standard input")


def _delimiter(first_line: str) -> str:
    """The character between columns: comma, semicolon or tab, whichever the first line has most of."""
    return max(",;\t", key=first_line.count)


def _plain(head: str) -> str:
    return "_".join(head.strip().lower().split())
