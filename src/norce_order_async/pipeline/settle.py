"""What became of a write whose answer was lost: read the order back and look.

========================  ==============================================================================================
kind                      found out by
========================  ==============================================================================================
state                     the order's status: there -> done; where it was -> may be repeated; elsewhere -> tell
create order              listing by cart reference, compared exactly; found -> adopt; not found, also not after a
                          settling pause -> may be repeated, if the settings allow it
create                    exactly one entry with the natural key that was not there before -> adopt; anything else stays
                          unknown
========================  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from norce_order_async.errors import NorceError, RejectedError
from norce_order_async.pipeline.operations import (
    GET_ORDER,
    LIST_ORDERS,
    Kind,
    Operation,
    cart_reference_of,
)
from norce_order_async.plain import is_list, list_or_empty, mapping_or_empty, read_json


@dataclass(slots=True)
class Before:
    """What was known of the order before the send; without it less can be settled."""

    ids: frozenset[str] | None = None
    """Ids in the list that the new entry goes to."""
    crowded: bool = False
    """Set when another entry with the same key is sent meanwhile."""
    repeat_from: frozenset[str] = frozenset()
    """Statuses in which a change of status may be asked for again."""
    sent_at: float | None = None
    """When the attempt was sent whose outcome is unknown, by the client's clock; the call writes it here."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What reading back showed."""

    verdict: Literal["done", "repeat", "elsewhere", "unclear"]
    detail: str
    """In a few words, for the attempt's record and the error."""
    id: str | None = None
    """Of what was created, when it was found."""
    status: str | None = None
    """Of the order, when it was read."""
    retry_after: float | None = None
    """Seconds the service asked to wait instead of letting it be read."""


Read = Callable[[Operation, Mapping[str, str], Mapping[str, Any] | None], Awaitable[bytes]]
"""Makes a safe call within the same deadline and gives the answer's body."""


async def settle(
    operation: Operation,
    kind: Kind,
    *,
    read: Read,
    path: Mapping[str, str],
    body: Any,
    before: Before | None,
    pause: Callable[[], Awaitable[bool]],
    may_repeat: bool,
) -> Settled:
    """Find out what became of a write. Never raises for a read-back that failed: that leaves it unclear."""
    try:
        match kind:
            case Kind.STATE:
                return await _state(read, path, body, before or Before())
            case Kind.CREATE_ORDER:
                return await _order(read, body, pause, may_repeat)
            case _:
                return await _entry(operation, read, path, body, before or Before())
    except NorceError as error:
        asked = error.retry_after if isinstance(error, RejectedError) else None
        return Settled("unclear", f"reading back failed: {type(error).__name__}", retry_after=asked)


async def _state(read: Read, path: Mapping[str, str], body: Any, before: Before) -> Settled:
    order = mapping_or_empty(read_json(await read(GET_ORDER, path, None)))
    status = mapping_or_empty(order.get("state")).get("currentStatus")
    # It goes into errors and log lines, so it must be a word.
    if not isinstance(status, str) or not (status.isascii() and status.isalpha() and len(status) <= 40):
        return Settled("unclear", "the order read back shows no status")
    status = status.lower()
    if status == str(mapping_or_empty(body).get("currentStatus")).lower():
        return Settled("done", f"the order is {status}", status=status)
    if status in before.repeat_from:
        return Settled("repeat", f"the order is still {status}", status=status)
    return Settled("elsewhere", f"the order is {status}", status=status)


async def _order(read: Read, body: Any, pause: Callable[[], Awaitable[bool]], may_repeat: bool) -> Settled:
    reference = cart_reference_of(body)
    found = await _by_cart_reference(read, reference)
    if not found:
        # A slow commit may still land; give it the settling pause before concluding anything.
        if not await pause():
            return Settled("unclear", "no order with the cart reference is there, and no time was left to wait for one")
        found = await _by_cart_reference(read, reference)
    if len(found) == 1:
        return Settled("done", "an order with the cart reference is there", id=found[0])
    if found:
        return Settled("unclear", f"{len(found)} orders have the cart reference")
    if not may_repeat:
        return Settled("unclear", "no order with the cart reference is there (yet)")
    return Settled("repeat", "no order with the cart reference is there")


async def _by_cart_reference(read: Read, reference: str | None) -> list[str]:
    query = {"cart_reference": reference, "limit": 100}
    page = mapping_or_empty(read_json(await read(LIST_ORDERS, {}, query)))
    if not is_list(page.get("data")):
        # Not to be taken for "there is none": that would have the order created again.
        raise NorceError("the list of orders has no data")
    return [
        order_id
        for order in map(mapping_or_empty, list_or_empty(page.get("data")))
        if cart_reference_of(order) == reference
        and str(mapping_or_empty(order.get("state")).get("currentStatus")).lower() != "removed"
        and isinstance(order_id := order.get("id"), str)
    ]


async def _entry(operation: Operation, read: Read, path: Mapping[str, str], body: Any, before: Before) -> Settled:
    key = operation.natural_key
    wanted = key.of(body) if key else None
    if key is None or wanted is None:
        return Settled("unclear", "nothing in it tells it from others")
    if before.ids is None:
        return Settled("unclear", "what was there before the send is not known")
    order = mapping_or_empty(read_json(await read(GET_ORDER, {"order_id": path["order_id"]}, None)))
    if before.crowded:
        return Settled("unclear", "another one like it was sent meanwhile")
    fresh = [
        entry_id
        for entry in map(mapping_or_empty, list_or_empty(order.get(key.member)))
        if key.of(entry) == wanted and isinstance(entry_id := entry.get("id"), str) and entry_id not in before.ids
    ]
    if len(fresh) == 1:
        return Settled("done", f"it is there among the {key.member}", id=fresh[0])
    return Settled("unclear", f"{len(fresh)} new {key.member} match")
