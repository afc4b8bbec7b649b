"""Checks the contents of a journal as they are read, so that damage is always noticed.

SQLite checks its pages, not the values in them. An item in an unknown state would be neither done nor left, and a job
that lost its list would begin anew.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal, get_args

from norce_order_async._json import UNREADABLE, is_list, is_mapping, read_json, write_json
from norce_order_async.bulk.journal.errors import JournalError
from norce_order_async.bulk.source import hash_of

State = Literal["planned", "sent", "confirmed", "refused", "unknown"]
"""``planned``: not begun, or put back. ``sent``: in flight, or was when the run ended. ``confirmed``: took effect.
``refused``: did not. ``unknown``: may or may not have taken effect."""

SETTLES: Final = "settles"
"""The fact: whether the job's action can read if it took effect."""
SOURCE: Final = "source"
"""The fact: where the items came from, as a filter's members or a word."""
LISTED: Final = "listed"
DATES: Final = "dates"
SPOOLED: Final = "spooled"
MADE: Final = "made"
"""The fact: the versions of the file that the job may have made of its lines, each as size and time of change."""
MADE_OF: Final = "made_of"
"""The fact: the length of the lines of which the job has made its file."""
KEPT: Final = "kept"
"""The fact: the length and the checksum of the lines that it kept then."""
DUPLICATES: Final = "duplicates"
MAX_RATE: Final = "max_rate"
"""The fact: the rate that the workers of a job share."""

STATES: Final[tuple[State, ...]] = get_args(State)
_KNOWN: Final = ", ".join(f"'{state}'" for state in STATES)
_LATEST: Final = 253_402_300_799.0
"""The last second of the year 9999, beyond which Python has no dates."""

ROW: Final = "number, key, asked, hash, state, attempts, reason, code, said, correlation_id, sent, changed"
"""The columns of a :class:`Row`."""

# Damage that SQL can't find, such as bad UTF-8, is found when the row is read.
_UNSOUND: Final = (
    f"SELECT {ROW} FROM item WHERE typeof(state) <> 'text' OR state NOT IN ({_KNOWN}) "  # noqa: S608 - words of ours
    "OR typeof(key) <> 'text' OR key = '' OR typeof(asked) <> 'text' OR NOT json_valid(asked) "
    "OR typeof(hash) <> 'blob' OR typeof(attempts) <> 'integer' OR attempts < 0 OR typeof(reason) <> 'text' "
    "OR typeof(correlation_id) <> 'text' "
    "OR typeof(code) NOT IN ('text', 'null') OR typeof(said) NOT IN ('text', 'null') "
    "OR typeof(sent) NOT IN ('real', 'null') OR typeof(changed) NOT IN ('real', 'null') "
    f"OR sent NOT BETWEEN 0 AND {_LATEST} OR changed NOT BETWEEN 0 AND {_LATEST} ORDER BY number"
)


@dataclass(frozen=True, slots=True)
class Row:
    """An item, as its row in the journal has it."""

    number: int
    key: str
    asked: Mapping[str, Any]
    state: State
    attempts: int
    reason: str
    code: str | None
    said: str | None
    correlation_id: str
    sent: float | None
    changed: float | None


def reads_as_text(connection: sqlite3.Connection) -> None:
    """Make a connection return texts that are not UTF-8 as bytes, so that the error can name their row."""
    connection.text_factory = _text


def check_items(path: Path, connection: sqlite3.Connection, *, one_by_one: bool) -> None:
    """Check every item.

    Args:
        path: the journal.
        connection: a connection to its file, prepared by :func:`reads_as_text`.
        one_by_one: whether to read each item, about ten seconds a million; otherwise only the checks of SQLite are
            made, in a third of that.

    Raises:
        JournalError: an item is damaged. The text names the row of the first.
    """
    # SQLite also selects rows with objects that are nested too deeply for it. These are not damaged.
    for values in connection.execute(_UNSOUND):
        row(path, values)
    if one_by_one:
        for values in connection.execute(f"SELECT {ROW} FROM item ORDER BY number"):  # noqa: S608
            if bytes in map(type, _texts(values)) or hash_of(values[1], values[2]) != values[3]:
                row(path, values)


def row(path: str | Path, values: tuple[Any, ...]) -> Row:
    """Make an item of its columns.

    Raises:
        JournalError: it is damaged. The text names the row and the column, not their contents.
    """
    number, key, asked, digest, state, attempts, reason, code, said, correlation_id, sent, changed = values
    for name, value, is_right in (
        ("state", state, _is_text),
        ("key", key, _is_filled),
        ("asked", asked, _is_text),
        ("attempts", attempts, _is_count),
        ("reason", reason, _is_text),
        ("code", code, _is_text_or_none),
        ("said", said, _is_text_or_none),
        ("correlation_id", correlation_id, _is_text),
        ("sent", sent, _is_moment_or_none),
        ("changed", changed, _is_moment_or_none),
    ):
        if not is_right(value):
            raise _damaged(path, f"row {number}", f"its {name} is not valid")
    if state not in STATES:
        raise _damaged(path, f"row {number}", f"its state is {state!r}, and there are {', '.join(STATES)}")
    wanted = read_json(asked.encode())
    if not is_mapping(wanted):
        raise _damaged(path, f"row {number}", "its columns of the source are not a JSON object")
    if hash_of(key, asked) != digest:
        raise _damaged(path, f"row {number}", "its key or its columns of the source differ from those that were listed")
    return Row(number, key, wanted, state, attempts, reason, code, said, correlation_id, sent, changed)


def facts(path: str | Path, found: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Read the facts about the job as a whole; none before it has begun.

    Raises:
        JournalError: a fact is damaged or missing. The text names it.
    """
    read: dict[str, Any] = {}
    for name, text in found:
        value = _json(text)
        if value is UNREADABLE or not isinstance(name, str) or not _FACTS.get(name, _is_anything)(value):
            raise _damaged(path, f"fact {name!r}", "it is not valid")
        read[name] = value
    if read and (missing := [name for name in _NEEDED if name not in read]):
        raise _damaged(path, f"fact {missing[0]!r}", "it is missing")
    return read


_texts: Final = itemgetter(1, 2, 4, 6, 7, 8, 9)


def _damaged(path: str | Path, where: str, what: str) -> JournalError:
    return JournalError(f"journal {path}, {where}: {what}; it is damaged and was left as it is")


def _json(text: object) -> Any:
    """Read JSON; :data:`UNREADABLE` if it is not JSON, or can't be written again."""
    value = read_json(text.encode()) if isinstance(text, str) else UNREADABLE
    try:
        write_json({} if value is UNREADABLE else value)
    except ValueError:
        return UNREADABLE
    return value


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _is_anything(_: object) -> bool:
    return True


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_rate_or_none(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf)


def _is_moment_or_none(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isfinite(value) and 0 <= value <= _LATEST)


def _is_part(value: object) -> bool:
    return is_list(value) and len(value) == 2 and all(map(_is_count, value)) and 1 <= value[0] <= value[1]


def _are_versions(value: object) -> bool:
    return is_list(value) and all(is_list(one) and len(one) == 2 and all(map(_is_count, one)) for one in value)


def _are_kept_lines(value: object) -> bool:
    return is_list(value) and len(value) == 2 and all(map(_is_count, value))


def _are_texts(value: object) -> bool:
    return is_list(value) and all(isinstance(one, str) for one in value)


def _are_texts_by_name(value: object) -> bool:
    return is_mapping(value) and all(isinstance(one, str) for one in value.values())


def _is_source(value: object) -> bool:
    return _is_filled(value) or _are_texts_by_name(value)


_FACTS: Final[Mapping[str, Callable[[object], bool]]] = {
    "action": _is_filled,
    "parameters": is_mapping,
    "columns": _are_texts,
    "merchant": _is_filled,
    "channel": _is_filled,
    "service": _is_filled,
    "partition": _is_part,
    SOURCE: _is_source,
    SETTLES: _is_flag,
    DATES: _are_texts_by_name,
    LISTED: _is_flag,
    SPOOLED: _is_count,
    MADE: _are_versions,
    MADE_OF: _is_count,
    KEPT: _are_kept_lines,
    DUPLICATES: _is_count,
    MAX_RATE: _is_rate_or_none,
}
_NOT_NEEDED: Final = (LISTED, SPOOLED, MADE, MADE_OF, KEPT, DUPLICATES, MAX_RATE)
_NEEDED: Final = tuple(name for name in _FACTS if name not in _NOT_NEEDED)
