"""The arguments and results of handlers, and the loading of the order that a call names."""

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
    """The objects that all requests share."""

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
    """The identifiers in the path, by their names in the description."""
    query: Mapping[str, Any]
    body: Any
    """The body after the check; None if the operation takes none."""
    spellings: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """The spellings of enums in the body, as they were sent."""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """The answer of the service."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class OrderCall:
    """A call on one order, as a handler gets it."""

    world: World
    call: Call
    order: Json
    now: str
    effects: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    enters_again: bool = False
    """Whether the order enters its current status again, so that callbacks on the status are called."""

    @property
    def body(self) -> Any:
        """The request's body, parsed and checked."""
        return self.call.body

    @property
    def ids(self) -> Ids:
        """The source of new identifiers."""
        return self.world.ids

    def took_effect(self, subject: str = "", detail: str = "") -> None:
        """Record what was changed. An order without a recorded effect is not saved."""
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
    """An operation that changes one order; the hooks are called before it is saved."""

    area: Area | None
    """The parts that must not be locked; None for the status itself, which has its own table."""
    act: Callable[[OrderCall], ServiceAnswer]
    shows: Callable[[OrderCall], ServiceAnswer] | None = None
    """Makes the answer from the committed order, with the patches of hooks; None if `act` makes the answer."""


@dataclass(frozen=True, slots=True)
class CallsOut:
    """An operation that calls other programs."""

    act: Callable[[World, Call], Awaitable[ServiceAnswer]]


Handler: TypeAlias = OnWorld | Reads | Changes | CallsOut

DONE = ServiceAnswer()


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> ServiceAnswer:
    """A JSON answer."""
    return ServiceAnswer(status, json_text.text(value).encode(), headers or {})


def load(world: World, call: Call) -> Json:
    """The order that a call names, in the call's scope.

    Raises:
        Refusal: 404 if there is no such order, or as the reading for orders of other channels says.
    """
    return json_text.parsed(load_text(world, call))


def load_text(world: World, call: Call) -> str:
    """The order that a call names as its stored JSON text; raises as :func:`load`."""
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
