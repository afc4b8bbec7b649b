"""Lists orders: turns filters into SQL conditions, counts the matches, and returns one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from norce_order_async.sandbox.policy import (
    DEFAULT_LIMIT,
    FILTERS,
    SORTED_ON,
    Match,
    date_comparisons,
    limit_of,
    offset_of,
    page_sizes,
)
from norce_order_async.sandbox.service.calls import Call, Handler, OnWorld, ServiceAnswer, World
from norce_order_async.sandbox.service.refusals import bad_request
from norce_order_async.sandbox.storage.columns import Value, microseconds
from norce_order_async.sandbox.storage.store import Selection


def page(world: World, call: Call) -> ServiceAnswer:
    query = call.query
    offset = offset_of(world.readings, query.get("offset", 0))
    limit = limit_of(world.readings, query.get("limit", DEFAULT_LIMIT))
    if offset < 0 or limit < 1:
        raise bad_request("offset must not be negative and limit must be at least 1.")
    with world.lag.as_listed():
        return _page(world, call, offset, limit)


def _page(world: World, call: Call, offset: int, limit: int) -> ServiceAnswer:
    query = call.query
    chosen = _selection(world, call)
    matches, value = world.store.figures(chosen)
    documents = world.store.page(
        chosen,
        matches,
        order_by=SORTED_ON[query.get("order_by", "created")],
        descending=query.get("order_by_direction", "desc") == "desc",
        limit=limit,
        offset=offset,
    )
    size, total_size = page_sizes(
        world.readings,
        returned=len(documents),
        requested=limit,
        matches=matches,
        of_channel=lambda: world.store.figures(Selection(call.scope))[0],
    )
    # The stored texts are joined as they are, so that a page of large orders is not parsed.
    return ServiceAnswer(
        body=(
            f'{{"data":[{",".join(documents)}],"pagination":{{"offset":{offset},"limit":{limit},'
            f'"size":{size},"valueSum":{value / 100},"totalSize":{total_size}}}}}'
        ).encode()
    )


def _selection(world: World, call: Call) -> Selection:
    chosen = Selection(call.scope)
    for name, (column, match) in FILTERS.items():
        if name in call.query:
            given = call.query[name]
            _add(chosen, column, match, [given] if isinstance(given, str) else given)
    if "date_from" in call.query or "date_to" in call.query:
        for name, comparison in date_comparisons(world.readings).items():
            if name in call.query:
                moment: datetime = call.query[name]
                chosen.conditions.append(f"{comparison} ?")
                chosen.values.append(microseconds(moment))
    if "payment_id" in call.query:
        chosen.conditions.append("key IN (SELECT key FROM payments WHERE id = ?)")
        chosen.values.append(call.query["payment_id"])
    return chosen


def _add(chosen: Selection, column: str, match: Match, given: Sequence[str]) -> None:
    compared: list[Value] = [text if match is Match.EXACT else text.casefold() for text in given]
    if match is Match.PART:
        condition = " OR ".join([f"instr({column}, ?) > 0"] * len(compared))
    else:
        condition = f"{column} IN ({', '.join('?' * len(compared))})"
    chosen.conditions.append(f"({condition})")
    chosen.values.extend(compared)


HANDLERS: Mapping[str, Handler] = {
    "GetCheckoutOrders": OnWorld(page),
}
"""By operationId."""
