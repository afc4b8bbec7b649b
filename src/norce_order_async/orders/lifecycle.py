"""The statuses of an order and the edges between them as data, and what a change of status means.

The service decides which change it allows; nothing here refuses one. The table explains refusals, and shows after a
lost answer from which statuses a change may be asked for again. The allowed edges are not published as such. Edges
marked ``published`` are in the vendor's tutorial and adapter pages; ``inferred`` ones follow from what these pages say
about adapters in the two statuses; the rest is ``assumed``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, assert_never

from norce_order_async.checking import as_given
from norce_order_async.display import shown
from norce_order_async.errors import InvalidRequestError
from norce_order_async.models import OrderStatus

Certainty = Literal["published", "inferred", "assumed"]

EDGES: Final[dict[OrderStatus, dict[OrderStatus, Certainty]]] = {
    "checkout": {
        "processing": "published",
        "accepted": "assumed",
        "completed": "published",
        "removed": "assumed",
    },
    "processing": {
        "checkout": "published",
        "accepted": "inferred",
        "completed": "assumed",
        "declined": "assumed",
        "removed": "assumed",
    },
    "accepted": {"completed": "inferred", "declined": "assumed", "removed": "assumed"},
    "completed": {},
    "declined": {},
    "removed": {},
}
"""The edges: from, to, and how certain each is."""

FIRST_STATUS: Final[OrderStatus] = "checkout"
"""The status of every new order."""

STATUSES: Final[tuple[OrderStatus, ...]] = tuple(EDGES)
"""All statuses, in the sequence in which an order passes them."""


def check_status(value: str) -> OrderStatus:
    """The status spelled as the API spells it, whatever its case.

    Raises:
        InvalidRequestError: there is no such status. The text lists all statuses.
    """
    for status in STATUSES:
        # isascii: the Kelvin sign is a k in lower case.
        if isinstance(value, str) and value.isascii() and value.lower() == status:  # pyright: ignore[reportUnnecessaryIsInstance]
            return status
    raise InvalidRequestError(f"unknown status {as_given(value)}; known are {', '.join(STATUSES)}")


def is_terminal(status: str) -> bool:
    """Whether no edge leads out of a known status."""
    return status in EDGES and not EDGES[status]


def predecessors(target: OrderStatus) -> frozenset[str]:
    """The statuses from which ``target`` can be asked for."""
    return frozenset(status for status, edges in EDGES.items() if target in edges)


@dataclass(frozen=True, slots=True)
class Stay:
    """The order has the status already."""

    status: OrderStatus


@dataclass(frozen=True, slots=True)
class Follow:
    """The change follows a known edge."""

    origin: OrderStatus
    target: OrderStatus
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Doubt:
    """No known edge leads there, or the current status is not known. The service decides."""

    origin: str | None
    target: OrderStatus


Plan = Stay | Follow | Doubt


def plan(current: str | None, target: OrderStatus) -> Plan:
    """What a change to ``target`` means for an order in the status ``current``, which is None if it is not known."""
    if current == target:
        return Stay(target)
    for origin, edges in EDGES.items():
        if origin == current and target in edges:
            return Follow(origin, target, edges[target])
    return Doubt(current, target)


def explain(current: str | None, target: OrderStatus) -> str:
    """A change of status and its certainty in words, for an error's text."""
    planned = plan(current, target)
    match planned:
        case Stay(status):
            return f"to {status}, where it is already"
        case Follow(origin, _, certainty):
            return f"from {origin} to {target}, an edge that is {certainty}"
        case Doubt(None, _):
            return f"to {target}"
        case Doubt(origin, _):
            return f"from {shown(origin)} to {target}: {_ways_out(origin)}"
        case _:
            assert_never(planned)


def _ways_out(status: str | None) -> str:
    for known, edges in EDGES.items():
        if known == status:
            return f"known ways out of {status} lead to {', '.join(edges)}" if edges else f"{status} is final"
    return f"{shown(status)} is a status that this version does not know"
