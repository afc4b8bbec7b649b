"""What a handler is given and what it gives back.

An operation is one of four kinds, by what it needs: the whole world (create, list, get, delete), an order to read, an
order to change, or the network. For a change the handler alters the order it is given and names what it did; loading,
locks, totals, the timestamp and saving are done around it, in one place (`perform.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from . import json_text
from .callbacks.courier import Courier
from .callbacks.deliveries import Deliveries
from .callbacks.invoke import Outside
from .clock import Clock
from .ids import Ids
from .json_text import Json
from .rules import Area
from .store import Scope, Store


@dataclass(frozen=True, slots=True)
class World:
    """What every request runs against. `size_is_all_matches` picks the other reading of a page's figures,
    and `dates_are_of` is the column that date_from and date_to look at."""

    store: Store
    clock: Clock
    ids: Ids
    outside: Outside
    deliveries: Deliveries
    courier: Courier
    size_is_all_matches: bool
    dates_are_of: Literal["created", "last_modified"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request for a known operation, admitted and checked."""

    operation: str
    scope: Scope
    adapter_id: str | None
    ids: Mapping[str, str]
    """The identifiers in the path, by the names the description gives them."""
    query: Mapping[str, Any]
    body: Any
    """As checked; None when the operation takes none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class OrderCall:
    """A call on one order, as a handler sees it."""

    world: World
    call: Call
    order: Json
    now: str
    effects: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def body(self) -> Any:
        return self.call.body

    @property
    def ids(self) -> Ids:
        return self.world.ids

    def took_effect(self, subject: str = "", detail: str = "") -> None:
        """Say what was changed; without a word of it nothing is saved."""
        self.effects.append((subject, detail))


@dataclass(frozen=True, slots=True)
class OnWorld:
    act: Callable[[World, Call], Answer]


@dataclass(frozen=True, slots=True)
class Reads:
    act: Callable[[OrderCall], Answer]


@dataclass(frozen=True, slots=True)
class Changes:
    area: Area | None
    """The part that must be open; None for the status itself, which has a table of its own."""
    act: Callable[[OrderCall], Answer]
    shows: Callable[[OrderCall], Answer] | None = None
    """Answers with what was committed, hooks' patches included; None when `act` has the answer."""


@dataclass(frozen=True, slots=True)
class CallsOut:
    act: Callable[[World, Call], Awaitable[Answer]]


Handler: TypeAlias = OnWorld | Reads | Changes | CallsOut

DONE = Answer()


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON answer."""
    return Answer(status, json_text.text(value).encode(), headers or {})
