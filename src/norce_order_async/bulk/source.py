"""The source of a job: ids, handles, rows or a filter, read one after the other.

Every item has a key, the order's id, and the columns of its row that the action needs. A partition keeps a share of the
keys by their hash, so several machines can split one list without talking to each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from norce_order_async._json import is_mapping
from norce_order_async.checking import check_kind
from norce_order_async.errors import ConfigurationError, InvalidRequestError
from norce_order_async.orders.filter import OrderFilter
from norce_order_async.orders.order import Order
from norce_order_async.pipeline.request import check_id

Entry = str | Order | Mapping[str, Any]
Source = Iterable[Entry] | AsyncIterable[Entry] | OrderFilter
Key = str | Callable[[Any], str]


@dataclass(slots=True)
class Item:
    """One order of a job."""

    number: int
    """Its place in the source, from 1."""
    key: str
    row: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    tries: int = 0
    """How often the action was run on it in this run."""
    faults: int = 0
    """How often the service answered a read of this order with a fault."""
    was_sent: bool = False
    """Whether it was sent before, in this run or an earlier one, and may have taken effect then."""
    in_flight: bool = False
    """Whether it was sent with unknown result, so that the order is read before it is sent again."""

    @property
    def asked(self) -> str:
        """The item's row as JSON."""
        # Most jobs need no columns. Encoding an empty row would double the time to list an item.
        return as_json(self.row) if self.row else "{}"

    @property
    def hash(self) -> bytes:
        """A digest of the key and the row: equal if the same was asked for."""
        return hash_of(self.key, self.asked)


def hash_of(key: str, asked: str) -> bytes:
    """Return a digest of an item's key and its row as JSON, :data:`HASH_BYTES` long."""
    return hashlib.sha256(f"{key}\n{asked}".encode()).digest()[:HASH_BYTES]


HASH_BYTES: Final = 16
"""The length of a digest."""

# json.dumps makes an encoder for each call, which takes longer than encoding a row.
_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False)


def as_json(data: Any) -> str:
    """Return data as JSON; equal data gives equal text.

    Raises:
        ConfigurationError: it is not JSON data, or holds half a surrogate pair.
    """
    try:
        text = _JSON.encode(data)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        # The error below is raised outside, because this one would hold the whole text as its context.
        pass
    except (TypeError, ValueError) as error:
        raise ConfigurationError("parameters and rows of a job must be JSON data") from error
    else:
        return text
    raise ConfigurationError(
        "texts in parameters and rows of a job must be Unicode, and one holds half a surrogate pair"
    )


@dataclass(frozen=True, slots=True)
class Partition:
    """The share of the keys that this job works on."""

    index: int
    of: int

    @classmethod
    def create(cls, given: tuple[int, int] | None) -> Partition:
        """Make a partition of ``(index, of)``, where ``(1, 4)`` is the first quarter; None is the whole.

        Raises:
            ConfigurationError: there is no such part.
        """
        index, of = (1, 1) if given is None else _pair(given)
        if not 1 <= index <= of:
            raise ConfigurationError(f"partition must be (index, of) with index from 1 to of; got {(index, of)}")
        return cls(index, of)

    def holds(self, key: str) -> bool:
        """Whether a key is in this partition, by a hash that is the same on every machine."""
        if self.of == 1:
            return True
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % self.of == self.index - 1


def _pair(given: object) -> tuple[int, int]:
    if not isinstance(given, tuple | list) or len(cast("list[Any]", given)) != 2:
        raise ConfigurationError("partition must be (index, of)")
    index, of = cast("list[Any]", given)
    for name, number in (("index", index), ("of", of)):
        check_kind(f"partition's {name}", number, int, "a whole number", ConfigurationError)
        if abs(number) >= 2**63:
            raise ConfigurationError(f"partition's {name} is too large")
    return index, of


class Items(AsyncIterator[Item]):
    """The items of a partition, numbered, read one at a time.

    It is not an async generator, so nothing has to be closed when it is left early.

    Raises:
        InvalidRequestError: an entry has no id or an invalid one, or a row lacks a column.
    """

    def __init__(
        self, source: Iterable[Entry] | AsyncIterable[Entry], key: Key, columns: tuple[str, ...], partition: Partition
    ) -> None:
        self._entries = aiter(source) if isinstance(source, AsyncIterable) else iter(source)
        self._key = key
        self._columns = columns
        self._partition = partition
        self._position = 0
        self._number = 0

    async def __anext__(self) -> Item:
        some = await self.some(1)
        if not some:
            raise StopAsyncIteration
        return some[0]

    async def some(self, count: int) -> list[Item]:
        """Return up to ``count`` of the next items; an empty list at the end."""
        some: list[Item] = []
        if isinstance(self._entries, AsyncIterator):
            while len(some) < count:
                try:
                    entry = await anext(self._entries)
                except StopAsyncIteration:
                    break
                self._add(entry, some)
            return some
        # Without awaiting: a coroutine for each entry would take longer than the entry itself.
        for entry in self._entries:
            self._add(entry, some)
            if len(some) == count:
                break
        return some

    def _add(self, entry: Entry, some: list[Item]) -> None:
        """Append the item of an entry, if it is in this partition."""
        self._position += 1
        key = _key_of(entry, self._key, self._position)
        if self._partition.holds(key):
            self._number += 1
            some.append(Item(self._number, key, _row_of(entry, self._columns, self._position)))


def rows_differ(key: str) -> InvalidRequestError:
    """The error for an order that a source names twice, with rows that differ."""
    return InvalidRequestError(f"order {key} is in the source twice, with different rows")


def check_source(source: object) -> None:
    """Reject a source whose iteration would yield letters or column names.

    Raises:
        ConfigurationError: it is a single id or row, or not a source at all.
    """
    if isinstance(source, str | bytes | Mapping) or not isinstance(source, Iterable | AsyncIterable | OrderFilter):
        raise ConfigurationError(
            "source must be an iterable of ids, handles or rows, or an OrderFilter; put a single one in a list"
        )


def _key_of(entry: Entry, key: Key, position: int) -> str:
    found: object
    if isinstance(entry, Order):
        return entry.id
    if callable(key):
        found = key(entry)
    elif isinstance(entry, str):
        found = entry
    else:
        found = entry.get(key) if is_mapping(entry) else entry
    try:
        return check_id(key if isinstance(key, str) else "key", found)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"entry {position} of the source: {error}") from error


def _row_of(entry: Entry, columns: tuple[str, ...], position: int) -> Mapping[str, Any]:
    if not columns:
        return {}
    row: Mapping[str, Any] = entry if is_mapping(entry) else {}
    missing = [name for name in columns if name not in row]
    if missing:
        raise InvalidRequestError(
            f"entry {position} of the source has no column {missing[0]!r}, which the action needs"
        )
    return {name: row[name] for name in columns}
