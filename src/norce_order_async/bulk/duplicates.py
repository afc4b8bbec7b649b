"""Orders that a source names twice, in a job without a journal.

A journal finds its duplicates itself. Without one, the job keeps a 16-byte digest of every id, and one of its row if
the action needs columns. This is exact, unlike a Bloom filter: an order is skipped only if its id came before.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import anyio.lowlevel

from norce_order_async.bulk.outcome import Summary
from norce_order_async.bulk.source import Item, rows_differ
from norce_order_async.errors import ConfigurationError, InvalidRequestError

MAX_REMEMBERED = 1_000_000

_DIGEST = 16
_PARTS = 4096
"""At a million digests, each part has 4 kB and is searched in about a microsecond."""
_IN_A_ROW = 100
"""Duplicates that are skipped before other tasks get a turn."""
_NO_JSON = bytes(_DIGEST)
"""Stands for the digest of a row that is not JSON data and can't be compared."""


class Remembered:
    """Digests of keys, each with the digest of its first row. A digest takes 16 bytes, and some room to grow."""

    __slots__ = ("_count", "_parts", "_width")

    def __init__(self, *, with_rows: bool) -> None:
        self._parts: list[bytearray | None] = [None] * _PARTS
        self._width = 2 * _DIGEST if with_rows else _DIGEST
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def first_row(self, key: bytes, row: bytes = b"") -> bytes | None:
        """Return the first row of a key that came before. A new key is remembered with its row, and gives None."""
        number = key[0] << 4 | key[1] >> 4
        part = self._parts[number]
        if part is None:
            part = self._parts[number] = bytearray()
        at = part.find(key)
        # A match across two entries is not an entry.
        while at > 0 and at % self._width:
            at = part.find(key, at + 1)
        if at >= 0:
            return bytes(part[at + _DIGEST : at + self._width])
        part += key
        part += row
        self._count += 1
        return None


class Once(AsyncIterator[Item]):
    """Yields each order once, and counts its duplicates in the summary.

    Raises:
        InvalidRequestError: an order came before with a different row.
        ConfigurationError: there are more orders than may be remembered.
    """

    def __init__(self, items: AsyncIterator[Item], summary: Summary, *, with_rows: bool, most: int | None) -> None:
        self._items = items
        self._summary = summary
        self._with_rows = with_rows
        self._most = most
        self._remembered = Remembered(with_rows=with_rows)

    async def __anext__(self) -> Item:
        passed_over = 0
        while self._came_before(item := await anext(self._items)):
            self._summary.duplicates += 1
            if self._summary.total is not None:
                self._summary.total -= 1
            passed_over += 1
            if passed_over % _IN_A_ROW == 0:
                # A source in memory never gives other tasks a turn.
                await anyio.lowlevel.checkpoint()
        return item

    def _came_before(self, item: Item) -> bool:
        row = self._row_of(item)
        first = self._remembered.first_row(hashlib.sha256(item.key.encode()).digest()[:_DIGEST], row)
        if first is None:
            if self._most is not None and len(self._remembered) > self._most:
                raise too_many(self._most)
            return False
        if self._with_rows and _NO_JSON in (first, row):
            raise InvalidRequestError(
                f"order {item.key} is in the source twice, with rows that are not JSON data and can't be compared"
            )
        if first != row:
            raise rows_differ(item.key)
        return True

    def _row_of(self, item: Item) -> bytes:
        if not self._with_rows:
            return b""
        try:
            return item.hash
        except ConfigurationError:
            return _NO_JSON


class TooManyToRememberError(ConfigurationError):
    """The source names more orders than a job without a journal remembers."""


def too_many(most: int) -> TooManyToRememberError:
    """The error for such a source."""
    return TooManyToRememberError(
        f"the source names more than {most:,} orders, the most that a job without a journal remembers so as to do each "
        "once: use a journal, duplicates='allow' or a larger max_remembered"
    )
