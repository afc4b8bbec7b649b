"""The admin endpoints and the sandbox's methods read and change its whole state."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from norce_order_async.sandbox import DatabaseFileError, ManualClock, Sandbox, SystemClock

from .support import CART, Api

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {sandbox.token}"}
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/__sandbox", headers=headers) as client:
        yield client


async def test_reset_forgets_everything(admin: httpx.AsyncClient, api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.play({"rules": [{"fault": {"answer": 500}, "after": 1, "first": 1}]})
    first = await api.payable()
    response = await admin.post("/reset")
    assert (response.status_code, response.content) == (200, b"")
    assert len(sandbox.requests) == len(sandbox.effects) == len(sandbox.faults) == 0
    assert (await api.send("GET", first)).status_code == 404
    assert await api.payable() == first, "the same seed, the same identifiers"


async def test_seed(admin: httpx.AsyncClient, sandbox: Sandbox) -> None:
    assert (await admin.post("/seed", json={"orders": 40, "merchant": "acme", "seed": 3})).status_code == 200
    api = Api(sandbox)
    assert 0 < (await api.ok("GET", "/orders"))["pagination"]["totalSize"] < 40
    await api.close()
    again = await admin.post("/seed", json={"orders": 40, "merchant": "acme", "seed": 3})
    assert again.status_code == 400
    assert "take another seed" in again.json()["message"]


async def test_snapshot_and_restore(admin: httpx.AsyncClient, api: Api, sandbox: Sandbox) -> None:
    path = await api.order(cart=CART)
    taken = await admin.get("/snapshot")
    assert taken.headers["content-type"] == "application/octet-stream"
    before = await api.ok("GET", path)
    await api.ok("DELETE", path)
    assert len(sandbox.effects) == 2
    assert (await admin.post("/restore", content=taken.content)).status_code == 200
    assert await api.ok("GET", path) == before
    assert len(sandbox.effects) == 1
    # It is a copy: later changes do not affect it.
    await api.ok("DELETE", path)
    sandbox.restore(taken.content)
    assert await api.ok("GET", path) == before


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"SQLite format 3\0" + b"\1" * 5000])
async def test_bytes_that_are_not_a_snapshot_change_nothing(
    admin: httpx.AsyncClient, api: Api, sandbox: Sandbox, content: bytes
) -> None:
    path = await api.order()
    response = await admin.post("/restore", content=content)
    assert response.status_code == 400
    assert "snapshot" in response.json()["message"]
    with pytest.raises(DatabaseFileError):
        sandbox.restore(content)
    assert (await api.send("GET", path)).status_code == 200


async def test_a_snapshot_goes_into_another_sandbox(api: Api, sandbox: Sandbox) -> None:
    path = await api.order()
    other = Sandbox()
    other.restore(sandbox.snapshot())
    there = Api(other)
    assert await there.ok("GET", path) == await api.ok("GET", path)
    await there.close()
    other.close()


async def test_the_clock_is_moved(admin: httpx.AsyncClient, api: Api, clock: ManualClock) -> None:
    assert (await admin.get("/clock")).json() == {"now": "2026-01-01T00:00:00.000000Z"}
    assert (await admin.post("/clock", json={"seconds": 3600.5})).json() == {"now": "2026-01-01T01:00:00.500000Z"}
    path = await api.order()
    assert (await api.ok("GET", path))["created"] == "2026-01-01T01:00:00.500000Z"


async def test_the_clock_is_not_moved_beyond_what_can_be_written(admin: httpx.AsyncClient, clock: ManualClock) -> None:
    """The clock was moved several times before. The answer reports the limit, and the clock stays."""
    for year in (4000, 6500, 8990):
        clock.advance((datetime(year, 1, 1, tzinfo=UTC) - clock.now()).total_seconds())
    refused = await admin.post("/clock", json={"seconds": 20 * 366 * 86_400})
    assert (refused.status_code, clock.now().year) == (400, 8990)
    assert "beyond the year 8999" in refused.text


async def test_the_machines_clock_is_moved_too() -> None:
    sandbox = Sandbox()
    before = sandbox.clock.now()
    sandbox.advance(3600)
    assert 3600 <= (sandbox.clock.now() - before).total_seconds() < 3700
    assert SystemClock().now() < sandbox.clock.now()
    sandbox.close()


class Fixed:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_clock_that_can_not_be_moved() -> None:
    sandbox = Sandbox(clock=Fixed())
    with pytest.raises(TypeError, match="a Fixed, has no method advance"):
        sandbox.advance(1)
    headers = {"authorization": f"Bearer {sandbox.token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), headers=headers) as client:
        assert (await client.post("http://x/__sandbox/clock", json={"seconds": 1})).status_code == 409
    sandbox.close()


async def test_requests_as_they_were_received(admin: httpx.AsyncClient, api: Api) -> None:
    await api.order(cart=CART)
    await api.ok("GET", "/orders", params={"search": "x"})
    every = (await admin.get("/requests")).json()
    assert [(one["method"], one["operation"], one["status"]) for one in every] == [
        ("POST", "CreateCheckoutOrder", 201),
        ("GET", "GetCheckoutOrders", 200),
    ]
    assert '"our-first-cart"' in every[0]["body"]
    assert every[0]["headers"]["authorization"] == "Bearer ***"
    (listed,) = (await admin.get("/requests", params={"operation": "GetCheckoutOrders"})).json()
    assert listed["query"] == "search=x"


@pytest.mark.parametrize("log", ["requests", "effects"])
async def test_an_unknown_operation_is_refused(admin: httpx.AsyncClient, log: str) -> None:
    refused = await admin.get(f"/{log}", params={"operation": "GetCheckoutOrdrs"})
    assert (refused.status_code, "did you mean GetCheckoutOrders" in refused.text) == (400, True)


async def test_a_body_that_is_not_text(admin: httpx.AsyncClient, api: Api) -> None:
    await api.send("POST", "/orders", content=b"\xff\xfe", headers={"content-type": "application/json"})
    assert (await admin.get("/requests")).json()[0]["body"] == "(2 bytes)"


async def test_effects(admin: httpx.AsyncClient, api: Api) -> None:
    path = await api.payable()
    await api.order()
    order_id = path.removeprefix("/orders/")
    of_order = (await admin.get("/effects", params={"order": order_id})).json()
    assert [effect["operation"] for effect in of_order] == ["CreateCheckoutOrder", "CreateOrderPayment"]
    created = (await admin.get("/effects", params={"operation": "CreateCheckoutOrder"})).json()
    assert len(created) == 2


async def test_faults_are_changed_while_it_runs(admin: httpx.AsyncClient, api: Api, sandbox: Sandbox) -> None:
    plan = {"rules": [{"operations": "GetCheckoutOrders", "fault": {"answer": 401}}]}
    assert (await admin.post("/faults", json=plan)).status_code == 200
    assert (await api.send("GET", "/orders")).status_code == 401
    assert (await admin.get("/faults")).json() == [
        {"operation": "GetCheckoutOrders", "request": 1, "fault": "answer 401"}
    ]
    assert (await admin.post("/faults", json={"plan": None})).status_code == 200
    assert (await api.send("GET", "/orders")).status_code == 200
    assert (await admin.post("/faults", json={"plan": "chaos"})).status_code == 200
    assert len(sandbox.faults.plan.rules) > 5


BAD: list[tuple[str, Any, str]] = [
    ("faults", {"rules": [{"fault": "nope"}]}, "rules[0].fault: must be one of delay"),
    ("faults", {"plan": "/etc/hostname"}, "there is no plan called /etc/hostname; ready-made: flaky-network"),
    ("faults", [], "The body must be an object."),
    ("seed", {"orders": "3"}, "orders: must be a whole number."),
    ("seed", {"orders": True}, "orders: must be a whole number."),
    ("seed", {"orders": 3, "merchant": 4}, "merchant: must be a text."),
    ("seed", {"orders": -3}, "orders must be between 0 and"),
    ("clock", {}, "seconds: must be a number."),
    ("clock", {"seconds": -1}, "the clock only moves ahead"),
    ("deliveries", {"id": "a\nb"}, "delivery_id must hold no control characters"),
    ("faults", {"rules": [], "seed": 2**70}, "seed: must be between"),
]


@pytest.mark.parametrize(("endpoint", "body", "text"), BAD)
async def test_an_impossible_request_is_reported(admin: httpx.AsyncClient, endpoint: str, body: Any, text: str) -> None:
    response = await admin.post(f"/{endpoint}", json=body)
    assert response.status_code == 400
    assert text in response.json()["message"]


async def test_deliveries_are_listed_and_sent_again(admin: httpx.AsyncClient, api: Api, sandbox: Sandbox) -> None:
    """They can be listed by order. An unknown id is reported."""
    path = await api.order()
    other = await api.order()
    for order in (path, other):
        await api.ok("POST", f"{order}/notifications", {"scope": "/reference", "invoke": "http://127.0.0.1:1/"})
        await api.ok("PUT", f"{order}/reference", "r1")
    await sandbox.deliver_due()
    assert len((await admin.get("/deliveries")).json()) == 2
    (kept,) = (await admin.get("/deliveries", params={"order": path.rpartition("/")[2]})).json()
    assert (kept["state"], len(kept["attempts"])) == ("waiting", 1)
    assert "could not be reached" in kept["attempts"][0]["problem"]
    assert (await admin.post("/deliveries", json={"id": kept["id"]})).status_code == 200
    await sandbox.deliver_due()
    assert len(sandbox.deliveries.of(kept["orderId"])[0].attempts) == 2
    assert (await admin.post("/deliveries", json={"id": "d0"})).status_code == 404
    assert (await admin.post("/deliveries", json={})).status_code == 400


async def test_unknown_paths_methods_and_bodies(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/nothing")).status_code == 404
    assert (await admin.get("/reset")).status_code == 405
    assert (await admin.post("/seed", content=b"{")).status_code == 400


async def test_the_token_is_needed_and_nothing_is_logged(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://x") as client:
        assert (await client.get("/__sandbox/requests")).status_code == 401
        assert (await client.post("/__sandbox/reset", headers={"authorization": "Bearer no"})).status_code == 401
    assert len(sandbox.requests) == 0


async def test_can_be_switched_off() -> None:
    sandbox = Sandbox(admin=False)
    headers = {"authorization": f"Bearer {sandbox.token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), headers=headers) as client:
        assert (await client.post("http://x/__sandbox/reset")).json()["code"] == "not-found"
    assert len(sandbox.requests) == 1, "like any unknown path"
    sandbox.close()
