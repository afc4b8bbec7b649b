"""What a handler is given and what it returns, and how it loads the order that a call names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks.notifications import Courier, Deliveries
from norce_order_async.sandbox.callbacks.outgoing import CallbackClient
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import Area
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.clock import ServiceClock
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.lag import ListLag
from norce_order_async.sandbox.service.presentation import Presentation
from norce_order_async.sandbox.service.refusals import Refusal, not_found
from norce_order_async.sandbox.storage.store import Scope, Store


@dataclass(frozen=True, slots=True)
class World:
    """What every request runs against."""

    store: Store
    clock: ServiceClock
    ids: Ids
    callbacks: CallbackClient
    deliveries: Deliveries
    courier: Courier
    readings: ReadingsInUse
    lag: ListLag
    presentation: Presentation


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
    spellings: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """How the enums in the body were sent."""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
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
    enters_again: bool = False
    """Whether the order enters the status that it has, so that callbacks on it are called."""

    @property
    def body(self) -> Any:
        """The request's body, parsed and checked."""
        return self.call.body

    @property
    def ids(self) -> Ids:
        """The source of new identifiers."""
        return self.world.ids

    def took_effect(self, subject: str = "", detail: str = "") -> None:
        """Say what was changed; without a word of it nothing is saved."""
        self.effects.append((subject, detail))


@dataclass(frozen=True, slots=True)
class OnWorld:
    """An operation on the whole state: creating, listing, deleting orders."""

    act: Callable[[World, Call], ServiceAnswer]


@dataclass(frozen=True, slots=True)
class Reads:
    """An operation that reads one order."""

    act: Callable[[OrderCall], ServiceAnswer]


@dataclass(frozen=True, slots=True)
class Changes:
    """An operation that changes one order; the hooks are asked before it is saved."""

    area: Area | None
    """The part that must be open; None for the status itself, which has a table of its own."""
    act: Callable[[OrderCall], ServiceAnswer]
    shows: Callable[[OrderCall], ServiceAnswer] | None = None
    """Answers with what was committed, hooks' patches included; None when `act` has the answer."""


@dataclass(frozen=True, slots=True)
class CallsOut:
    """An operation that calls an address outside."""

    act: Callable[[World, Call], Awaitable[ServiceAnswer]]


Handler: TypeAlias = OnWorld | Reads | Changes | CallsOut

DONE = ServiceAnswer()


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> ServiceAnswer:
    """A JSON answer."""
    return ServiceAnswer(status, json_text.text(value).encode(), headers or {})


def load(world: World, call: Call) -> Json:
    """The order, in the scope of the call; `order-not-found` otherwise."""
    return json_text.parsed(load_text(world, call))


def load_text(world: World, call: Call) -> str:
    """The order as the JSON text that is kept."""
    order_id = call.ids["order_id"]
    document = world.store.document(call.scope, order_id)
    return _of_another_channel(world, call, order_id) if document is None else document


def _of_another_channel(world: World, call: Call, order_id: str) -> str:
    document = world.store.document_in_any_channel(call.scope.merchant, order_id)
    if document is not None:
        match world.readings.of("scope"):
            case "forbidden":
                raise Refusal(403, "forbidden", "The order belongs to another channel.")
            case "visible":
                return document
            case _:
                pass
    raise not_found("order", order_id)
