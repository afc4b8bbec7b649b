"""The life of an order: its statuses and edges as data, and what asking for a status means.

The service decides which change it allows; nothing here refuses one. The table is for explaining a refusal and for
knowing, after a lost answer, from where a change may be asked for again. Sources: the vendor's tutorial and adapter
pages for the published edges; the rest is assumed, because the allowed edges are not published as such.
"""

from __future__ import annotations

from typing import Final, Literal

from norce_order_api.models.order_status import OrderStatus
from norce_order_async.errors import InvalidRequestError

Certainty = Literal["published", "assumed"]

EDGES: Final[dict[OrderStatus, dict[OrderStatus, Certainty]]] = {
    "checkout": {
        "processing": "published",
        "accepted": "assumed",
        "completed": "published",
        "removed": "assumed",
    },
    "processing": {
        "checkout": "published",
        "accepted": "published",
        "completed": "assumed",
        "declined": "assumed",
        "removed": "assumed",
    },
    "accepted": {"completed": "published", "declined": "assumed", "removed": "assumed"},
    "completed": {},
    "declined": {},
    "removed": {},
}
"""From, to, and what the edge rests on."""

STATUSES: Final[tuple[OrderStatus, ...]] = tuple(EDGES)
"""In the order in which an order passes them."""


def check_status(value: str) -> OrderStatus:
    """The status spelled as the API spells it, whatever its case.

    Raises:
        InvalidRequestError: it is none; the text lists those there are.
    """
    for status in STATUSES:
        if isinstance(value, str) and value.lower() == status:  # pyright: ignore[reportUnnecessaryIsInstance]
            return status
    raise InvalidRequestError(f"unknown status {value!r}; known are {', '.join(STATUSES)}")


def is_terminal(status: str) -> bool:
    """Whether no edge leads out of a known status."""
    return status in EDGES and not EDGES[status]


def predecessors(target: OrderStatus) -> frozenset[str]:
    """The statuses from which ``target`` can be asked for."""
    return frozenset(status for status, edges in EDGES.items() if target in edges)


def explain(current: str | None, target: OrderStatus) -> str:
    """Why a change may have been refused, in words."""
    if current is None:
        return f"to {target}"
    if current not in EDGES:
        return f"from {current}, a status this version does not know, to {target}"
    edges = EDGES[current]
    if target in edges:
        return f"from {current} to {target}, an edge that is {edges[target]}"
    if not edges:
        return f"from {current} to {target}: {current} is final"
    return f"from {current} to {target}: known ways out of {current} lead to {', '.join(edges)}"
