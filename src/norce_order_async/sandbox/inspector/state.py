"""The page of clock and state: moving the clock, reset, seeded orders, and snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from norce_order_async.sandbox.inspector.context import Inspected, Snapshot
from norce_order_async.sandbox.inspector.forms import FormError, back_to, done_on, fields, whole
from norce_order_async.sandbox.seeding import SeedingError
from norce_order_async.sandbox.service.clock import MovableClock
from norce_order_async.sandbox.storage import browse
from norce_order_async.sandbox.storage.sqlite import DatabaseFileError

_LONGEST = 100 * 366 * 86_400
_MOST_SEEDED = 1_000_000
_MOST_SNAPSHOTS = 10


async def state(inspected: Inspected, request: Request) -> Response:
    """Show clock, orders and snapshots."""
    return _page(inspected, request)


async def change(inspected: Inspected, request: Request) -> Response:
    """Carry out the action that the last segment of the path names."""
    try:
        given = await fields(request)
        match request.path_params["what"]:
            case "clock":
                done = _advance(inspected, given)
            case "reset":
                done = _reset(inspected)
            case "seed":
                done = await _seed(inspected, given)
            case "take":
                done = await _take(inspected)
            case "restore":
                done = await _restore(inspected, given)
            case "forget":
                done = _forget(inspected, given)
            case _:
                return inspected.page("missing.html", {"what": "page"}, status=404)
    except (FormError, SeedingError) as error:
        return _page(inspected, request, str(error))
    return back_to(inspected, "/state", done)


async def download(inspected: Inspected, _request: Request) -> Response:
    """Send the current orders and effects as a file."""
    taken = await anyio.to_thread.run_sync(inspected.control.snapshot)
    return Response(
        taken,
        media_type="application/octet-stream",
        headers={"content-disposition": 'attachment; filename="sandbox.sqlite"'},
    )


def _advance(inspected: Inspected, given: Mapping[str, str]) -> str:
    seconds = whole(given.get("seconds", ""), "The number of seconds", 0, _LONGEST)
    try:
        inspected.control.advance(seconds)
    except (TypeError, ValueError) as error:
        raise FormError(f"The clock was not moved: {error}.") from None
    return "clock"


def _reset(inspected: Inspected) -> str:
    inspected.control.reset()
    return "reset"


async def _seed(inspected: Inspected, given: Mapping[str, str]) -> str:
    count = whole(given.get("orders", ""), "The number of orders", 1, _MOST_SEEDED)
    seed = whole(given["seed"], "The seed", 0, 10**15) if given.get("seed") else None
    merchant = given.get("merchant", "").strip()
    if not merchant or not merchant.isprintable():
        raise FormError("The merchant must have a name that can be printed.")
    act = partial(inspected.control.seed_orders, count, merchant=merchant, seed=seed)
    await anyio.to_thread.run_sync(act)
    return "seeded"


async def _take(inspected: Inspected) -> str:
    taken = await anyio.to_thread.run_sync(inspected.control.snapshot)
    now, store = inspected.control.world.clock.now(), inspected.control.world.store
    inspected.snapshots.append(Snapshot(inspected.next_snapshot(), now, browse.count(store), taken))
    del inspected.snapshots[:-_MOST_SNAPSHOTS]
    return "taken"


async def _restore(inspected: Inspected, given: Mapping[str, str]) -> str:
    taken = _snapshot(inspected, given)
    try:
        await anyio.to_thread.run_sync(inspected.control.restore, taken.content)
    except DatabaseFileError as error:
        raise FormError(str(error)) from None
    return "restored"


def _forget(inspected: Inspected, given: Mapping[str, str]) -> str:
    inspected.snapshots.remove(_snapshot(inspected, given))
    return "forgotten"


def _snapshot(inspected: Inspected, given: Mapping[str, str]) -> Snapshot:
    found = next((one for one in inspected.snapshots if str(one.number) == given.get("snapshot")), None)
    if found is None:
        raise FormError("There is no such snapshot any more.")
    return found


def _page(inspected: Inspected, request: Request, refusal: str | None = None) -> Response:
    world = inspected.control.world
    return inspected.page(
        "state.html",
        {
            "at": "state",
            "now": world.clock.now(),
            "movable": isinstance(world.clock, MovableClock),
            "steps": [(1, "1 s"), (60, "1 min"), (3600, "1 h"), (86_400, "1 day")],
            "orders": browse.count(world.store),
            "requests": len(inspected.traffic),
            "deliveries": len(world.deliveries),
            "snapshots": list(reversed(inspected.snapshots)),
            "most": _MOST_SNAPSHOTS,
            "done": done_on(request),
            "refusal": refusal,
        },
        status=200 if refusal is None else 400,
    )
