"""Changes of status under each reading."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.callbacks.receiver import Receiver

from .support import Wire, under

pytestmark = pytest.mark.anyio

ITEM = {"sku": "T001", "quantity": 1, "total": {"includingVat": 12.5, "excludingVat": 10}}


async def payable(wire: Wire) -> str:
    path = await wire.order(cart={"items": [ITEM]})
    await wire.ok("POST", f"{path}/payments", {"amount": 12.5})
    return path


@under(
    "entry-demands",
    {
        "each-step": {"processing": 400, "accepted": 400, "completed": 400},
        "processing-only": {"processing": 400, "accepted": 200, "completed": 200},
        "not-demanded": {"processing": 200, "accepted": 200, "completed": 200},
    },
)
async def test_the_statuses_of_an_order_without_items(wire: Wire, expected: dict[str, int]) -> None:
    """The order has nothing but a total. Validate reports it as invalid under every reading."""
    for status, answer in expected.items():
        path = await wire.order(cart={"total": {"includingVat": 12.5, "excludingVat": 10}})
        assert await wire.status("POST", f"{path}/validate") == 400
        assert await wire.go(path, status) == answer


@under("entry-demands", {"each-step": (400, 400), "processing-only": (400, 200), "not-demanded": (400, 200)})
async def test_processing_demands_consents(wire: Wire, expected: tuple[int, int]) -> None:
    for status, answer in zip(("processing", "completed"), expected, strict=True):
        path = await payable(wire)
        await wire.ok("POST", f"{path}/consents", {"id": "terms", "required": True})
        assert await wire.go(path, status) == answer


@under(
    "transitions",
    {
        "table": (200, 200, 200, 400),
        "unchecked": (200, 200, 200, 200),
        "published": (200, 400, 200, 400),
    },
)
async def test_which_transitions_are_possible(wire: Wire, expected: tuple[int, int, int, int]) -> None:
    """The order goes from checkout to processing and to accepted, then to completed from where it is, and back to
    processing."""
    path = await payable(wire)
    assert await wire.go(path, "processing") == expected[0]
    assert await wire.go(path, "accepted") == expected[1]
    if expected[1] == 400:
        assert await wire.go(path, "checkout") == 200
    assert await wire.go(path, "completed") == expected[2]
    assert await wire.go(path, "processing") == expected[3]
    assert await wire.is_in(path) == ("processing" if expected[3] == 200 else "completed")


@under(
    "same-status",
    {"nothing": (200, 1, 1, 1), "refused": (400, 1, 1, 1), "again": (200, 2, 2, 2)},
)
async def test_the_same_status_again(wire: Wire, receiver: Receiver, expected: Any) -> None:
    path = await payable(wire)
    hook = {"subscribeTo": "/state/currentStatus", "invoke": receiver.url + "/hook"}
    await wire.ok("POST", f"{path}/hooks", hook)
    scope = {"scope": "/state/currentStatus", "invoke": receiver.url + "/notified"}
    await wire.ok("POST", f"{path}/notifications", scope)
    assert await wire.go(path, "processing") == 200
    assert await wire.go(path, "processing") == expected[0]
    await wire.sandbox.deliver_due()
    assert len((await wire.read(path))["state"]["transitions"]) == expected[1]
    assert (receiver.paths.count("/hook"), receiver.paths.count("/notified")) == expected[2:]


@under(
    "state-answer",
    {
        "200-when-done": (200, "processing", "processing"),
        "202-done-later": (202, "checkout", "processing"),
        "202-or-superseded": (202, "checkout", "processing"),
    },
)
async def test_when_a_change_of_status_is_done(wire: Wire, expected: tuple[int, str, str]) -> None:
    """A late change is done 2 s later by the sandbox's clock. A wrong one is refused at once, and one that changes
    nothing answers 200."""
    path = await payable(wire)
    assert await wire.go(path, "declined") == 400
    assert await wire.go(path, "checkout") == 200
    assert await wire.go(path, "processing") == expected[0]
    wire.clock.advance(1.9)
    assert await wire.is_in(path) == expected[1]
    wire.clock.advance(0.1)
    assert await wire.is_in(path) == expected[2]
    assert await wire.status("PUT", "/orders/oNOTHERE/state", {"currentStatus": "processing"}) == 404


@under(
    "state-answer",
    {
        "200-when-done": ["processing", "accepted"],
        "202-done-later": ["processing", "accepted"],
        "202-or-superseded": ["accepted"],
    },
)
async def test_two_changes_of_status_within_the_delay(wire: Wire, expected: list[str]) -> None:
    path, other = await payable(wire), await payable(wire)
    for status in ("processing", "accepted"):
        assert await wire.go(path, status) in (200, 202)
    assert await wire.go(other, "processing") in (200, 202)
    wire.clock.advance(2)
    assert [entry["status"] for entry in (await wire.read(path))["state"]["transitions"]] == expected
    assert await wire.is_in(other) == "processing"


@under("validate-failed", {"list": (400, list), "errors-object": (400, dict), "200-with-entries": (200, list)})
async def test_the_findings_of_validate(wire: Wire, expected: Any) -> None:
    response = await wire.send("POST", f"{await wire.order()}/validate")
    assert response.status_code == expected[0]
    body: Any = response.json()
    assert isinstance(body, expected[1])
    entries: Any = body["errors"] if wire.reading == "errors-object" else response.json()
    assert [entry["code"] for entry in entries] == ["cart-empty"]
    good = await wire.send("POST", f"{await payable(wire)}/validate")
    assert (good.status_code, good.json()) == (200, [])
