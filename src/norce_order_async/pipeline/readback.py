"""Finds out whether a write whose answer was lost took effect, by reading the order back.

========================  ==============================================================================================
kind                      how
========================  ==============================================================================================
state                     the order's status: the target -> done; unchanged -> may be repeated; another -> raise
create order              listing by cart reference, compared exactly, up to four times; found -> adopt; shown not to be
                          there -> may be repeated once, if settings and deadline allow it
create                    exactly one entry with the natural key that was not there before -> adopt; anything else stays
                          unknown
========================  ==============================================================================================

After an order was created again, :func:`check_unique` looks for a second one: the service may have accepted both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from norce_order_async._json import is_list, list_or_empty, mapping_or_empty
from norce_order_async.display import shown
from norce_order_async.errors import NorceError, RejectedError
from norce_order_async.pipeline.operations import (
    GET_ORDER,
    LIST_ORDERS,
    Kind,
    Operation,
    cart_reference_of,
)

READS: Final = 4
"""How many times a lost order is looked for: 0, 1, 3 and 7 settling pauses after the loss."""

TIME_TO_REPEAT: Final = 5.0
"""Seconds that must be left to create a lost order again."""

PAGES: Final = 10
"""The most pages of the list that one look-up reads."""

SHOWN_WITHIN: Final = 15.0
"""Seconds that a call without a deadline waits for the list to show an order that was created again."""

LATER_PAUSE: Final = 1.0
"""The shortest time in seconds between the later reads of that wait."""


@dataclass(slots=True)
class Baseline:
    """What was known of the order before the send. Without it fewer outcomes can be settled."""

    ids: frozenset[str] | None = None
    """The ids in the list that the new entry is added to."""
    ambiguous: bool = False
    """Set if another entry with the same key is sent meanwhile."""
    repeat_from: frozenset[str] = frozenset()
    """Statuses in which a change of status may be asked for again."""
    sent_at: float | None = None
    """When the attempt with the unknown outcome was sent, by the client's clock. The call sets it."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The result of reading back."""

    verdict: Literal["done", "repeat", "elsewhere", "unclear", "twice"]
    detail: str
    """A few words for the attempt's record and the error."""
    id: str | None = None
    """The id of what was created, if it was found."""
    status: str | None = None
    """The status of the order, if it was read."""
    retry_after: float | None = None
    """Seconds that the service asked to wait when the read-back was rejected."""
    ids: tuple[str, ...] = ()
    """The ids of all orders with the cart reference, oldest first, if there are several."""
    unique: bool = True
    """False if another order may have the same cart reference."""


Read = Callable[[Operation, Mapping[str, str], Mapping[str, Any] | None], Awaitable[Any]]
"""Makes a safe call within the same deadline, and returns the answer's JSON data."""

Until = Callable[[float], Awaitable[bool]]
"""Sleeps until this many seconds after the loss. Returns False at once if the deadline comes first."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """How to look for the orders with a cart reference."""

    read: Read
    until: Until
    pause: float
    """The settling pause."""
    repeated: bool
    """Whether the creation was repeated already."""
    refused: bool = False
    """Whether the repeat was refused, so that only the first order can be there."""


async def settle(
    operation: Operation,
    kind: Kind,
    *,
    look_up: LookUp,
    path: Mapping[str, str],
    body: Any,
    before: Baseline | None,
    objection: Callable[[], str],
) -> ReadBack:
    """Find out whether a write took effect. If the read-back fails, the verdict is ``unclear``; nothing is raised.

    Args:
        operation: the operation of the write.
        kind: the kind of the call.
        look_up: how to read and to wait.
        path: the ids in the address of the write.
        body: the body that was sent, as JSON data.
        before: what was known of the order before the send.
        objection: why an order that is not there may not be created again; empty if it may.
    """
    try:
        match kind:
            case Kind.STATE:
                return await _state(look_up.read, path, body, before or Baseline())
            case Kind.CREATE_ORDER:
                return await _order(look_up, body, objection)
            case _:
                return await _entry(operation, look_up.read, path, body, before or Baseline())
    except NorceError as error:
        asked = error.retry_after if isinstance(error, RejectedError) else None
        return ReadBack("unclear", f"reading back failed: {type(error).__name__}", retry_after=asked)


async def check_unique(look_up: LookUp, body: Any, order_id: str) -> ReadBack:
    """Check whether an order that was created again is the only one with its cart reference.

    Args:
        look_up: how to read and to wait, counted from the answer to the repeat.
        body: the body that was sent, as JSON data.
        order_id: the id in the answer to the repeat.
    """
    uncertain = ReadBack("done", "it is not certain that it is the only one", id=order_id, unique=False)
    for moment in moments(look_up.pause):
        if not await look_up.until(moment):
            break
        try:
            found = await _with_cart_reference(look_up.read, cart_reference_of(body), whole=True)
        except NorceError:
            break
        ids = found.matches if order_id in found.matches else (*found.matches, order_id)
        if len(ids) > 1:
            return _twice(ids)
        if order_id in found.listed:
            return ReadBack("done", "it is the only one", id=order_id) if found.to_the_end else uncertain
    return uncertain


async def _state(read: Read, path: Mapping[str, str], body: Any, before: Baseline) -> ReadBack:
    order = mapping_or_empty(await read(GET_ORDER, path, None))
    status = mapping_or_empty(order.get("state")).get("currentStatus")
    # The status is shown in errors and log lines, so it must be a plain word.
    if not isinstance(status, str) or not (status.isascii() and status.isalpha() and len(status) <= 40):
        return ReadBack("unclear", "the order read back shows no status")
    status = status.lower()
    if status == str(mapping_or_empty(body).get("currentStatus")).lower():
        return ReadBack("done", f"the order is {shown(status)}", status=status)
    if status in before.repeat_from:
        return ReadBack("repeat", f"the order is still {shown(status)}", status=status)
    return ReadBack("elsewhere", f"the order is {shown(status)}", status=status)


async def _order(look_up: LookUp, body: Any, objection: Callable[[], str]) -> ReadBack:
    nothing = "no order with the cart reference is there"
    # A slow commit may still take effect: an order counts as missing only if several reads do not show it.
    for moment in itertools.islice(moments(look_up.pause), READS):
        if not await look_up.until(moment):
            return ReadBack("unclear", f"{nothing}, and no time was left to wait for one")
        found = await _with_cart_reference(look_up.read, cart_reference_of(body), whole=look_up.repeated)
        if len(found.matches) == 1:
            # If both answers were lost, the order that is not there may still come.
            unique = not look_up.repeated or (look_up.refused and found.to_the_end)
            return ReadBack("done", "an order with the cart reference is there", id=found.matches[0], unique=unique)
        if found.matches and look_up.repeated:
            return _twice(found.matches)
        if found.matches:
            return ReadBack("unclear", f"{len(found.matches)} orders have the cart reference")
        if not found.to_the_end:
            return ReadBack("unclear", "the list does not show whether an order with the cart reference is there")
    why_not = objection()
    return ReadBack("unclear", f"{nothing} (yet){why_not}") if why_not else ReadBack("repeat", nothing)


def _twice(ids: tuple[str, ...]) -> ReadBack:
    return ReadBack("twice", f"{len(ids)} orders have the cart reference", ids=ids)


def moments(pause: float) -> Iterator[float]:
    """The times at which to look, in seconds: with a pause between them that doubles twice and then stays."""
    moment = 0.0
    for number in itertools.count():
        yield moment
        moment += pause * 2.0**number if number < READS - 1 else max(pause * 4.0, LATER_PAUSE)


@dataclass(frozen=True, slots=True)
class _Found:
    """The result of a look-up by cart reference."""

    matches: tuple[str, ...]
    """The ids of orders with exactly this reference that are not removed, oldest first."""
    listed: frozenset[str]
    """The ids of all listed orders."""
    to_the_end: bool
    """Whether the list was read to its end. Only then an order that it does not show is not there."""


async def _with_cart_reference(read: Read, reference: str | None, *, whole: bool) -> _Found:
    """Look for the orders with a cart reference.

    The service's filter may match more than the reference, or may be ignored. So a page without the reference proves
    nothing unless it is empty, and the next page is read. No page size is sent, because the service might refuse it.

    Args:
        read: makes a call.
        reference: the cart reference.
        whole: whether to read on after a match, to find others.

    Raises:
        NorceError: the list could not be read.
    """
    matches: dict[str, float] = {}
    listed: set[str] = set()
    last: list[Any] = []
    offset = 0
    for _ in range(PAGES):
        query = {"cart_reference": reference} | ({"offset": offset} if offset else {})
        page = mapping_or_empty(await read(LIST_ORDERS, {}, query)).get("data")
        if not is_list(page):
            # This must not count as an empty list: the order would be created again.
            raise NorceError("the list of orders has no data")
        if not page:
            return _found(matches, listed, to_the_end=True)
        for order in map(mapping_or_empty, page):
            if not isinstance(order_id := order.get("id"), str):
                continue
            listed.add(order_id)
            status = str(mapping_or_empty(order.get("state")).get("currentStatus")).lower()
            if cart_reference_of(order) == reference and status != "removed":
                matches[order_id] = _created(order)
        if page == last or (matches and not whole):
            break
        last = page
        offset += len(page)
    return _found(matches, listed, to_the_end=False)


def _found(matches: Mapping[str, float], listed: set[str], *, to_the_end: bool) -> _Found:
    return _Found(tuple(sorted(matches, key=matches.__getitem__)), frozenset(listed), to_the_end)


def _created(order: Mapping[str, Any]) -> float:
    """When an order was created, for sorting; orders without a time come last."""
    try:
        moment = datetime.fromisoformat(order["created"])
    except (KeyError, TypeError, ValueError):
        return math.inf
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def _entry(operation: Operation, read: Read, path: Mapping[str, str], body: Any, before: Baseline) -> ReadBack:
    key = operation.natural_key
    wanted = key.of(body) if key else None
    if key is None or wanted is None:
        return ReadBack("unclear", "it has no members that identify it")
    if before.ids is None:
        return ReadBack("unclear", "what was there before the send is not known")
    order = mapping_or_empty(await read(GET_ORDER, {"order_id": path["order_id"]}, None))
    if before.ambiguous:
        return ReadBack("unclear", "another one like it was sent meanwhile")
    fresh = [
        entry_id
        for entry in map(mapping_or_empty, list_or_empty(order.get(key.member)))
        if key.of(entry) == wanted and isinstance(entry_id := entry.get("id"), str) and entry_id not in before.ids
    ]
    if len(fresh) == 1:
        return ReadBack("done", f"it is there among the {key.member}", id=fresh[0])
    return ReadBack("unclear", f"{len(fresh)} new {key.member} match")
