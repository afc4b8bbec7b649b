"""The life of an order: its statuses and edges as data, and what asking for a status means.

The service decides which change it allows; nothing here refuses one. The table is for explaining a refusal and for
knowing, after a lost answer, from where a change may be asked for again. The allowed edges are not published as such.
Those marked ``published`` stand in the vendor's tutorial and adapter pages; ``inferred`` ones follow from what adapters
are said to do in the one status and then in the other; the rest is ``assumed``.
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
"""From, to, and what the edge rests on."""

FIRST_STATUS: Final[OrderStatus] = "checkout"
"""Where every order begins."""

STATUSES: Final[tuple[OrderStatus, ...]] = tuple(EDGES)
"""In the order in which an order passes them."""


def check_status(value: str) -> OrderStatus:
    """The status spelled as the API spells it, whatever its case.

    Raises:
        InvalidRequestError: it is none; the text lists those there are.
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
    """The order is there already."""

    status: OrderStatus


@dataclass(frozen=True, slots=True)
class Follow:
    """The change follows a known edge."""

    origin: OrderStatus
    target: OrderStatus
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Doubt:
    """No known edge leads there, or where the order is is not known; the service decides."""

    origin: str | None
    target: OrderStatus


Plan = Stay | Follow | Doubt


def plan(current: str | None, target: OrderStatus) -> Plan:
    """What asking for ``target`` means for an order in ``current``; None when that is not known."""
    if current == target:
        return Stay(target)
    for origin, edges in EDGES.items():
        if origin == current and target in edges:
            return Follow(origin, target, edges[target])
    return Doubt(current, target)


def explain(current: str | None, target: OrderStatus) -> str:
    """What was asked for, and what is known of it, in words."""
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
