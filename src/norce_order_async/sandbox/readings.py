"""The readings in force: the user chooses one for each rule, and the code that carries out the rule looks it up.

`Readings` is the choice. `ReadingsInUse` has the choice of one sandbox. Its `of` returns the reading of a rule, and
notes that the rule was looked up, so that a test can see which readings could have changed its result.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeAlias, cast

from norce_order_async.sandbox import yaml_files
from norce_order_async.sandbox.arguments import near, shown
from norce_order_async.sandbox.rules import READINGS, RULES, Certainty, Reading

NEITHER = "neither"
"""A calibration writes this for a rule if the service behaved like none of its readings."""

_CERTAINTY: Mapping[str, Certainty] = {rule.id: rule.certainty for rule in RULES}


class ReadingsError(ValueError):
    """These readings can't be chosen; the text says why, and names what may have been meant.

    Example::

        try:
            Readings({"cart-total": "no-such-reading"})
        except ReadingsError as error:
            print(error)
    """


class Readings(Mapping[str, str]):
    """One reading for each rule that has readings: a mapping from the id of the rule to the id of the reading.

    A rule that is left out keeps its first reading, which is the sandbox's default.

    Example::

        Readings({"cart-total": "zero-when-missing"})
        Readings.harsh() | {"nulls": "left-out"}

    Args:
        chosen: Reading by rule.
        observed: The rules whose reading was seen in the real service.

    Raises:
        ReadingsError: There is no such rule, or the rule has no such reading.
    """

    __slots__ = ("_chosen", "_named", "_observed")

    def __init__(self, chosen: Mapping[str, str] = MappingProxyType({}), *, observed: Iterable[str] = ()) -> None:
        # First, so that a traceback can show the repr of readings that could not be made.
        self._chosen = {rule: next(iter(readings)) for rule, readings in READINGS.items()}
        _check_mapping(chosen)
        if isinstance(observed, str | bytes) or not isinstance(cast("Any", observed), Iterable):
            raise ReadingsError(f"observed must be a collection of rules, not {type(observed).__name__}")
        for name, reading in chosen.items():
            rule = _known_rule(name)
            self._chosen[rule] = _known_reading(rule, reading)
        # Of other Readings, only those that are not the first of their rule count as chosen.
        named = [one.rule for one in chosen.changed] if isinstance(chosen, Readings) else chosen
        self._named = frozenset(named)
        self._observed = frozenset(map(_known_rule, observed))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The readings in a YAML file: ``cart-total: zero-when-missing``, one line a rule.

        In a file from a calibration, a rule has a mapping with its reading and what was seen:
        ``cart-total: {reading: zero-when-missing, observed: ..., when: ...}``. Such a rule counts as observed. The
        reading ``neither``, in a mapping or alone, gives a rule its first reading and makes it assumed, also if these
        readings are combined (``|``) with others that have the rule.

        Raises:
            ReadingsError: The file can't be read, names a rule twice, or names a rule or reading that does not exist.
        """
        if not isinstance(path, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ReadingsError(f"path must be a string or a Path, not {type(path).__name__}")
        try:
            data = yaml_files.read(Path(path))
        except yaml_files.UnreadableError as error:
            raise ReadingsError(str(error)) from None
        try:
            return cls._from_data(data)
        except ReadingsError as error:
            raise ReadingsError(f"{path}: {error}") from None

    @classmethod
    def _from_data(cls, data: object) -> Self:
        if data is None:
            return cls()
        if not isinstance(data, Mapping):
            raise ReadingsError("must map rules to readings")
        chosen: dict[str, str] = {}
        observed: list[str] = []
        for name, value in cast("Mapping[object, object]", data).items():
            rule = _known_rule(name)
            reading: object = value
            if isinstance(value, Mapping):
                entry = cast("Mapping[object, object]", value)
                if "reading" not in entry:
                    raise ReadingsError(f"{rule}: has no reading")
                reading = entry["reading"]
                if reading != NEITHER:
                    observed.append(rule)
            chosen[rule] = next(iter(READINGS[rule])) if reading == NEITHER else _known_reading(rule, reading)
        return cls(chosen, observed=observed)

    @classmethod
    def harsh(cls) -> Self:
        """All readings at once that break careless programs; if a rule has two of them, the later one."""
        return cls({one.rule: one.id for readings in READINGS.values() for one in readings.values() if one.harsh})

    @classmethod
    def each(cls) -> tuple[Self, ...]:
        """For every reading that is not the first of its rule, `Readings` with this one alone."""
        return tuple(cls({one.rule: one.id}) for readings in READINGS.values() for one in list(readings.values())[1:])

    @property
    def changed(self) -> tuple[Reading, ...]:
        """The chosen readings that are not the first of their rule, in the order of the rules."""
        return tuple(
            READINGS[rule][reading] for rule, reading in self._chosen.items() if reading != next(iter(READINGS[rule]))
        )

    def certainty(self, rule: str) -> Certainty:
        """How well a rule is known: ``"observed"`` if its reading was seen in the real service, else as `RULES` says.

        Raises:
            ReadingsError: There is no such rule.
        """
        if not isinstance(rule, str) or rule not in _CERTAINTY:  # pyright: ignore[reportUnnecessaryIsInstance]
            _known_rule(rule)
        return "observed" if rule in self._observed else _CERTAINTY[rule]

    def __or__(self, others: Mapping[str, str]) -> Self:
        """These readings, with the others in place of those of the same rules.

        If the others are `Readings`, only the rules count that were chosen there or that stand in their file, also with
        the first reading or with ``neither``. Their certainty is taken over too.

        Raises:
            ReadingsError: The others are not a mapping, there is no such rule, or the rule has no such reading.
        """
        _check_mapping(others)
        named = others._named if isinstance(others, Readings) else frozenset(others)
        observed = others._observed if isinstance(others, Readings) else frozenset[str]()
        kept = {rule: self._chosen[rule] for rule in self._named}
        chosen = kept | {rule: others[rule] for rule in named}
        return type(self)(chosen, observed=(self._observed - named) | observed)

    def __getitem__(self, rule: str) -> str:
        return self._chosen[rule]

    def __iter__(self) -> Iterator[str]:
        return iter(self._chosen)

    def __len__(self) -> int:
        return len(self._chosen)

    def __hash__(self) -> int:
        return hash(frozenset(self._chosen.items()))

    def __repr__(self) -> str:
        return f"<Readings {', '.join(f'{one.rule}={one.id}' for one in self.changed) or 'by default'}>"


ReadingsLike: TypeAlias = Readings | Mapping[str, str]


def readings_of(given: ReadingsLike | None) -> Readings:
    """`Readings` from an argument: the default for None.

    Raises:
        ReadingsError: There is no such rule, or the rule has no such reading.
    """
    if given is None:
        return Readings()
    if isinstance(given, Readings):
        return given
    return Readings(given)


def _check_mapping(given: object) -> None:
    if not isinstance(given, Mapping):
        raise ReadingsError("readings must be a mapping from rules to readings, or Readings.load(...) or .harsh()")


def _known_rule(name: object) -> str:
    if isinstance(name, str) and name in READINGS:
        return name
    if isinstance(name, str) and name in _CERTAINTY:
        raise ReadingsError(f"the rule {name} has no readings to choose from")
    raise ReadingsError(f"there is no rule {shown(name)}{near(name, READINGS)}")


def _known_reading(rule: str, name: object) -> str:
    readings = READINGS[rule]
    if isinstance(name, str) and name in readings:
        return name
    raise ReadingsError(
        f"{rule} has no reading {shown(name)}{near(name, readings)}; its readings are {', '.join(readings)}"
    )


# ------------------------------------------------------------------------------------------------------------ in use

_LOOKED_UP: ContextVar[set[str] | None] = ContextVar("rules that the current request has looked up", default=None)


class ReadingsInUse:
    """The readings of one sandbox in use. It can be used from several threads."""

    def __init__(self, chosen: Readings) -> None:
        self.chosen = chosen
        """For setting up. Code that decides about a request calls `of`."""
        self._touched: set[str] = set()

    def of(self, rule: str) -> str:
        """The reading of a rule that is in force. This notes that the rule was looked up.

        Look a rule up only where another reading would make a difference: tests try a rule in its other readings only
        if a request has looked it up.
        """
        self._touched.add(rule)
        looked_up = _LOOKED_UP.get()
        if looked_up is not None:
            looked_up.add(rule)
        return self.chosen[rule]

    @property
    def touched(self) -> frozenset[str]:
        """The rules that have been looked up so far."""
        return frozenset(self._touched)


def noted() -> set[str] | None:
    """The set that notes the rules of the current request; None outside a request."""
    return _LOOKED_UP.get()


@contextmanager
def noted_in(rules: set[str] | None) -> Generator[None]:
    """Inside this block, and in tasks started in it, this set notes the rules that are looked up."""
    token = _LOOKED_UP.set(rules)
    try:
        yield
    finally:
        _LOOKED_UP.reset(token)
