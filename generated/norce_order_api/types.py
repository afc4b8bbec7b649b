"""What models and endpoints share.

Parts: the sentinels UNSET and NULL; `Word`, an enum word that remembers how it was spelled; the outlet for drift (what
the service sent against its description); the slow paths of reading, which never raise; the checks of writing, which
do; `Response`. Models read the common case in straight code of their own and come here only when something is odd.
"""

# Functions here are the other half of the classes.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set as AbstractSet
from contextvars import ContextVar
from datetime import datetime, timezone
from decimal import Decimal
from itertools import repeat, starmap
from typing import Any, ClassVar, Final, Generic, Literal, Self, TypeVar, cast
from urllib.parse import quote

from attrs import define, field

INFINITY: Final = float("inf")


class Unset:
    """Type of UNSET: an argument that was not given. There is one, whatever is done to it."""

    _only: ClassVar[Unset | None] = None

    def __new__(cls) -> Unset:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"

    def __copy__(self) -> Unset:
        return self

    def __deepcopy__(self, memo: object) -> Unset:
        return self

    def __reduce__(self) -> str:
        return "UNSET"


class Null:
    """Type of NULL: send null, where the description allows it. None in a model means "not there"."""

    _only: ClassVar[Null | None] = None

    def __new__(cls) -> Null:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "NULL"

    def __copy__(self) -> Null:
        return self

    def __deepcopy__(self, memo: object) -> Null:
        return self

    def __reduce__(self) -> str:
        return "NULL"


UNSET: Final = Unset()
NULL: Final = Null()


class Word(str):
    """An enum word in the description's spelling that is written back as it came: "person", spelled "Person"."""

    __slots__ = ("spelled",)
    spelled: str

    def __new__(cls, word: str, spelled: str) -> Word:
        self = super().__new__(cls, word)
        self.spelled = spelled
        return self

    def __reduce__(self) -> tuple[type[Word], tuple[str, str]]:
        return Word, (str(self), self.spelled)


# --- drift ------------------------------------------------------------------------------------------------------------

DriftOutlet = Callable[[str, str], None]
"""Takes where ("State.currentStatus") and a kind: unknown-word, null, missing, wrong-type, extra, no-offset, too-deep,
unknown-status. Never a value: what was sent may be personal."""

DRIFT: Final[ContextVar[DriftOutlet | None]] = ContextVar("norce_order_api.drift", default=None)


def drift(where: str, kind: str) -> None:
    outlet = DRIFT.get()
    if outlet is not None:
        outlet(where, kind)


# --- reading: nothing here raises -------------------------------------------------------------------------------------


@define
class Model:
    """The base of all models: their members, and room for unknown members, which most models do not have."""

    MEMBERS: ClassVar[frozenset[str]]

    # An argument, because attrs.evolve passes only arguments on. Copied below and not by a converter, because a
    # converter would turn every assignment to every member into a call.
    _rest: dict[str, Any] | None = field(
        default=None, alias="additional_properties", kw_only=True, repr=False, eq=lambda rest: rest or None
    )

    # The original of members that read as something else, by JSON name: None for a null, text and value of a time in
    # another notation, a list of times, UNSET for a list that is whole in the rest because elements of it did not fit.
    # Two models that differ in notation alone are equal.
    _came: dict[str, Any] | None = field(default=None, alias="_came", kw_only=True, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if self._rest is not None:
            self._rest = dict(self._rest)
        if self._came is not None:
            self._came = dict(self._came)

    @property
    def additional_properties(self) -> dict[str, Any]:
        """What came beside the description or did not fit it, under its JSON name."""
        if self._rest is None:
            self._rest = {}
        return self._rest

    @additional_properties.setter
    def additional_properties(self, rest: dict[str, Any]) -> None:
        self._rest = rest

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        raise NotImplementedError


M = TypeVar("M", bound=Model)
T = TypeVar("T")


def supply(kind: type[T]) -> Callable[[], T]:
    """What gives an empty object of a class at each call; object.__new__(kind) would pack its argument every time."""
    return cast("Callable[[], T]", starmap(object.__new__, repeat((kind,))).__next__)


def as_object(data: Any, where: str) -> dict[str, Any]:
    """A dict to read members from, whatever was handed in."""
    if isinstance(data, Mapping):
        return dict(cast("Mapping[str, Any]", data))
    drift(where, "null" if data is None else "wrong-type")
    return {}


def keep_raw(model: Model, value: Any, name: str, where: str) -> None:
    """Keeps a value that does not fit its member, so that writing back loses nothing."""
    model.additional_properties[name] = value
    drift(where, "wrong-type")


def keep_notation(model: Model, value: Any, name: str) -> None:
    """Remembers how a member came, so that it goes back like that while it is untouched."""
    if model._came is None:
        model._came = {}
    model._came[name] = value


def keep_list(model: Model, value: list[Any], name: str, where: str) -> None:
    """Keeps a list of which only some elements fit; they are the member, and untouched it goes back whole."""
    keep_raw(model, value, name, where)
    keep_notation(model, UNSET, name)


def or_keep(model: Model, value: Any, name: str, where: str, read: T | None = None) -> T | None:
    """What a value reads as; when that is nothing, the value is kept."""
    if read is None:
        keep_raw(model, value, name, where)
    return read


def note_odd(
    model: Model,
    data: dict[str, Any],
    where: str,
    *,
    silent: AbstractSet[str] = frozenset(),
    nullable: AbstractSet[str] = frozenset(),
) -> None:
    """Keeps the members that the description does not know and nulls in those that it does, and reports both.

    Args:
        silent: The members in which a null is nothing to tell of.
        nullable: Those that hold their null themselves.
    """
    for name, value in data.items():
        if name not in model.MEMBERS:
            model.additional_properties[name] = value
            # A name is the service's own word as a rule, but a map keyed by customer would put people into the log.
            shown = name if name.isidentifier() and len(name) <= 40 else "?"
            drift(f"{where}.{shown}", "extra")
        elif value is None and name not in nullable:
            keep_notation(model, None, name)
            if name not in silent:
                drift(f"{where}.{name}", "null")


def read_word(value: Any, words: Mapping[str, str], where: str) -> str | None:
    """The description's word for a text in any case; an unknown word as it is; None for what is no text."""
    if not isinstance(value, str):
        return None
    if isinstance(value, Word):
        return value
    word = words.get(value.lower())
    if word is None:
        drift(where, "unknown-word")
        return value
    return value if word == value else Word(word, value)


def read_integer(value: Any) -> int | None:
    """2 and 2.0 are the same number in JSON; 2.5 and true are none that fit."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    return None


def is_number(value: Any) -> bool:
    """Whether a value is a JSON number: no truth value, no NaN, no infinity."""
    return type(value) is int or (type(value) is float and -INFINITY < value < INFINITY)


def read_datetime(value: Any, where: str) -> datetime | None:
    """An aware time; a text without offset is taken as UTC, which is what the description says of its times."""
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            return None
    elif isinstance(value, datetime):
        time = value
    else:
        return None
    if time.tzinfo is None:
        drift(where, "no-offset")
        return time.replace(tzinfo=timezone.utc)
    return time


def time_or_keep(model: Model, value: Any, name: str, where: str) -> datetime | None:
    """A member that is a time. One in another notation than `write_datetime` has is kept as it came, too: the seven digits
    of a second that .NET writes are more than a datetime holds."""
    if value.__class__ is not str:
        return or_keep(model, value, name, where, read_datetime(value, where))
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        keep_raw(model, value, name, where)
        return None
    # 2026-01-02T03:04:05Z and 2026-01-02T03:04:05.678901Z; newer Pythons read 24:00 as the next day.
    shape = value[4:20:3]
    if (
        not ((shape == "--T::." and value[26:] == "Z" and time.microsecond) or (shape == "--T::Z" and len(value) == 20))
        or value[11:13] == "24"
    ):
        if time.tzinfo is None:
            time = read_datetime(time, where) or time
        keep_notation(model, (value, time), name)
    return time


def read_model(kind: type[M], data: Any, where: str) -> M | None:
    """A whole answer as a model; None when it is no object."""
    if not isinstance(data, Mapping):
        drift(where, "missing" if data is None else "wrong-type")
        return None
    try:
        return kind.from_dict(cast("Mapping[str, Any]", data))
    except RecursionError:
        drift(where, "too-deep")
        return None


def read_models(kind: type[M], data: Any, where: str) -> list[M] | None:
    """A whole answer as a list of models; elements that are no objects are left out."""
    if data.__class__ is not list:
        drift(where, "missing" if data is None else "wrong-type")
        return None
    models = [read_model(kind, one, where) for one in data]
    return [one for one in models if one is not None]


def read_plain(kind: type[T], data: Any, where: str) -> T | None:
    """A whole answer that is a bare text, number or the like."""
    if not isinstance(data, kind):
        drift(where, "missing" if data is None else "wrong-type")
        return None
    return data


def best_fit(data: Any, *kinds: frozenset[str]) -> int:
    """Which of several objects an answer is: the one that shares most member names with it, the first of equals."""
    names: set[Any] = set(cast("Mapping[str, Any]", data)) if isinstance(data, Mapping) else set()
    shared = [len(names & kind) for kind in kinds]
    return shared.index(max(shared))


def read_json(content: bytes) -> Any:
    """The value of a JSON body; None for an empty one, an HTML page, or anything else."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


# --- writing: what can't be sent raises ValueError and names the member, never the value ------------------------------


def plain(value: Any) -> Any:
    """JSON-ready data from plain data in which models, words and times may lie."""
    if isinstance(value, Word):
        return value.spelled
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in cast("Mapping[str, Any]", value).items() if one is not UNSET}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in cast("list[Any]", value)]
    if isinstance(value, datetime):
        return write_datetime(value, "plain data")
    if value is NULL:
        return None
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return value


def write_object(value: Any) -> Any:
    """A model, or plain data given in place of one."""
    if isinstance(value, Mapping):
        return plain(value)
    if hasattr(value, "to_dict"):
        return value.to_dict()
    msg = f"{type(value).__name__} given where a model or plain data is expected"
    raise TypeError(msg)


def write_word(value: Any) -> Any:
    return value.spelled if isinstance(value, Word) else value


def write_number(value: Any, where: str) -> float:
    """A number as JSON can say it. A decimal goes out as the number that means exactly the same."""
    number = value
    if isinstance(value, Decimal):
        number = float(value)
        if value.is_finite() and Decimal(repr(number)) != value:
            msg = f"{where} has more digits than a JSON number keeps; give {number!r} instead"
            raise ValueError(msg)
    if not isinstance(number, (int, float)) or isinstance(number, bool):
        msg = f"{where} must be a number, not {type(number).__name__}"
        raise TypeError(msg)
    if not -INFINITY < number < INFINITY:
        msg = f"{where} is NaN or infinite, which JSON can't say; give a finite number or None to leave it out"
        raise ValueError(msg)
    return number


TWO: Final = tuple(f"{number:02}" for number in range(100))


def write_datetime(value: Any, where: str) -> str:
    if value.__class__ is datetime and value.tzinfo is timezone.utc:
        # What isoformat() makes of it, in half the time: an order has four times or more, and they were a quarter of what
        # writing it took.
        year, fraction = value.year, value.microsecond
        return (
            f"{TWO[year // 100]}{TWO[year % 100]}-{TWO[value.month]}-{TWO[value.day]}"
            f"T{TWO[value.hour]}:{TWO[value.minute]}:{TWO[value.second]}"
            + (f".{TWO[fraction // 10000]}{TWO[fraction // 100 % 100]}{TWO[fraction % 100]}Z" if fraction else "Z")
        )
    if isinstance(value, str):
        return value
    if value.tzinfo is None:
        msg = f"{where} has no time zone; give an aware datetime, such as datetime.now(timezone.utc)"
        raise ValueError(msg)
    text: str = value.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


NULLS: Final[ContextVar[bool]] = ContextVar("norce_order_api.nulls", default=True)
"""Whether nulls that came are written back."""


def without_nulls(model: Model) -> dict[str, Any]:
    """A model as JSON-ready data without the nulls that came where the description has none, in it or below it: a new
    thing made like one that was read has no need of them."""
    left_out = NULLS.set(False)
    try:
        return model.to_dict()
    finally:
        NULLS.reset(left_out)


def write_time(model: Model, value: Any, name: str, where: str) -> str:
    """A member that is a time: as it came while it is the same."""
    if model._came is not None:
        text, time = model._came.get(name) or ("", None)
        if time == value:
            return text
    return write_datetime(value, where)


def with_rest(model: Model, written: dict[str, Any]) -> dict[str, Any]:
    """What a model sends when something came beside its members, did not fit them, or reads as something else than it
    was. A member that is untouched since goes back as it came: a null, a time in its notation, a list with elements
    that did not fit.
    """
    rest, came = model._rest or {}, model._came or {}
    whole = {**rest, **written}
    for name, value in came.items():
        if value is None:
            if NULLS.get():
                whole.setdefault(name, None)
        elif value.__class__ is tuple:
            pass  # its time was written as it came
        elif name in written:
            value = rest.get(name) if value is UNSET else value
            if _written_anew(model, name, value) == written[name]:
                whole[name] = value
        elif value is UNSET:
            whole.pop(name, None)
    return whole


def _written_anew(model: Model, name: str, value: Any) -> Any:
    """What becomes of a value that is read into a member and written again."""
    told_once = DRIFT.set(None)
    try:
        again = model.from_dict({name: value})
        again._rest = again._came = None
        return again.to_dict().get(name)
    finally:
        DRIFT.reset(told_once)


def path_segment(value: str, name: str) -> str:
    """An id quoted for its place in a path; refused when it would leave that place."""
    if value in ("", ".", "..") or any(c in "/\\" or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in value):
        msg = f"{name} must be the id of one thing: not empty, not a dot or two, without slashes or control characters"
        raise ValueError(msg)
    return quote(value, safe="")


def header_value(value: str, name: str) -> str:
    if any((ord(c) < 0x20 and c != "\t") or ord(c) == 0x7F for c in value):
        msg = f"{name} has a line break or another control character in it, which no header may carry"
        raise ValueError(msg)
    return value


# --- answers ----------------------------------------------------------------------------------------------------------


@define
class Response(Generic[T]):
    """An answer: any status as a plain number, the bytes as they came, and what could be read from them."""

    status_code: int
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    parsed: T | None
