"""The state machine: its transitions, their demands, and their locks."""

from typing import Any

import pytest

from norce_order_async.sandbox import Sandbox
from tests.sandbox.support import CART, SHIPPING, Api, rule

pytestmark = pytest.mark.anyio

STATUSES = ("checkout", "processing", "accepted", "completed", "declined", "removed")
# These are written out by hand and not taken from the sandbox.
ALLOWED = {
    ("checkout", "processing"),
    ("checkout", "accepted"),
    ("checkout", "completed"),
    ("checkout", "removed"),
    ("processing", "checkout"),
    ("processing", "accepted"),
    ("processing", "completed"),
    ("processing", "declined"),
    ("processing", "removed"),
    ("accepted", "completed"),
    ("accepted", "declined"),
    ("accepted", "removed"),
}


@rule("transitions", "same-status", "state-answer")
@pytest.mark.parametrize("current", STATUSES)
@pytest.mark.parametrize("target", STATUSES)
# The service decides without awaiting anything.
@pytest.mark.in_turn("anyio_backend")
async def test_every_pair_of_statuses(api: Api, sandbox: Sandbox, current: str, target: str) -> None:
    path = await api.order_in(current)
    before = await api.ok("GET", path)
    known = len(sandbox.effects)
    response = await api.status(path, target)
    after = await api.ok("GET", path)
    if (current, target) in ALLOWED:
        assert (response.status_code, response.content) == (200, b"")
        assert after["state"]["currentStatus"] == target
        assert [entry["status"] for entry in after["state"]["transitions"]] == [
            *(entry["status"] for entry in before["state"]["transitions"]),
            target,
        ]
        return
    assert after == before
    assert len(sandbox.effects) == known
    if current == target:
        assert response.status_code == 200
    else:
        assert (response.status_code, response.json()["code"]) == (400, "order-bad-request")
        assert current in response.json()["message"]
        assert target in response.json()["message"]


@rule("required-consents", "entry-demands")
@pytest.mark.parametrize("target", ["processing", "accepted", "completed"])
async def test_required_consents_must_be_checked(api: Api, target: str) -> None:
    path = await api.payable(consents=[{"id": "terms", "required": True}, {"id": "news"}])
    response = await api.status(path, target)
    assert (response.status_code, response.json()["code"]) == (400, "order-validation")
    assert "terms" in response.json()["message"]
    await api.ok("PATCH", f"{path}/consents/terms", {"checked": True})
    assert (await api.status(path, target)).status_code == 200


UNPAID: list[tuple[dict[str, Any], list[float]]] = [
    ({"items": []}, []),
    ({"items": CART["items"]}, []),
    ({"items": CART["items"]}, [12]),
    ({"items": CART["items"]}, [12.5, 0.01]),
    ({"items": [{}]}, [1]),
]


@rule("entry-demands")
@pytest.mark.parametrize("target", ["processing", "accepted", "completed"])
@pytest.mark.parametrize(("cart", "amounts"), UNPAID)
async def test_an_order_that_is_not_paid_exactly_stays(
    api: Api, target: str, cart: dict[str, Any], amounts: list[float]
) -> None:
    path = await api.order(cart=cart)
    for amount in amounts:
        await api.ok("POST", f"{path}/payments", {"amount": amount})
    response = await api.status(path, target)
    assert (response.status_code, response.json()["code"]) == (400, "order-validation")
    assert (await api.ok("GET", path))["state"] == {"currentStatus": "checkout", "transitions": []}


@rule("entry-demands")
async def test_an_order_that_costs_nothing_needs_no_payment(api: Api) -> None:
    path = await api.order(cart={"items": [{}]})
    assert (await api.status(path, "completed")).status_code == 200


@rule("entry-demands")
async def test_leaving_demands_nothing(api: Api) -> None:
    assert (await api.status(await api.order(), "removed")).status_code == 200


CHECKOUT_ONLY = {"checkout"}
UNTIL_FINISHED = {"checkout", "processing", "accepted"}
UNTIL_REMOVED = {"checkout", "processing", "accepted", "completed", "declined"}


@rule("locks")
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    ("method", "path", "body", "open_in"),
    [
        ("PUT", "/cart", CART, CHECKOUT_ONLY),
        ("PUT", "/customer/billing", {}, CHECKOUT_ONLY),
        ("PUT", "/customer/shipping", {}, CHECKOUT_ONLY),
        ("POST", "/consents", {"id": "c"}, CHECKOUT_ONLY),
        ("PATCH", "/consents", [], CHECKOUT_ONLY),
        ("PATCH", "/consents/c", {}, CHECKOUT_ONLY),
        ("DELETE", "/consents/c", ..., CHECKOUT_ONLY),
        ("POST", "/shippings", SHIPPING, UNTIL_FINISHED),
        ("PUT", "/shippings/s", SHIPPING, UNTIL_FINISHED),
        ("POST", "/hooks", {}, UNTIL_FINISHED),
        ("DELETE", "/hooks/h", ..., UNTIL_FINISHED),
        ("POST", "/notifications", {}, UNTIL_FINISHED),
        ("DELETE", "/notifications/n", ..., UNTIL_FINISHED),
        ("POST", "/validations", {}, UNTIL_FINISHED),
        ("PUT", "/validations/v", {}, UNTIL_FINISHED),
        ("DELETE", "/validations/v", ..., UNTIL_FINISHED),
        ("POST", "/payments", {}, UNTIL_REMOVED),
        ("PUT", "/payments/{payment}", {}, UNTIL_REMOVED),
        ("POST", "/payments/{payment}/transactions", {}, UNTIL_REMOVED),
        ("POST", "/payments/{payment}/actions", [], UNTIL_REMOVED),
        ("PUT", "/reference", "r", UNTIL_REMOVED),
        ("PATCH", "/attributes", {}, UNTIL_REMOVED),
    ],
)
# The service decides without awaiting anything.
@pytest.mark.in_turn("anyio_backend")
async def test_the_parts_that_may_be_changed_in_each_status(
    api: Api, status: str, method: str, path: str, body: Any, open_in: set[str]
) -> None:
    order = await api.order_in(status)
    payment = (await api.ok("GET", f"{order}/payments"))[0]["id"]
    response = await api.send(method, order + path.format(payment=payment), body)
    if status in open_in:
        # An open part without an entry of that id gives 404, which a locked part never does.
        assert response.is_success or response.status_code == 404, response.text
    else:
        assert (response.status_code, response.json()["code"]) == (400, "order-bad-request")
        assert status in response.json()["message"]


@rule("locks")
async def test_a_removed_orders_actions_are_not_executed(api: Api) -> None:
    order = await api.order_in("checkout")
    action = {"adapterId": "a", "type": "capture", "url": "http://127.0.0.1:9/"}
    payment = await api.ok("POST", f"{order}/payments", {"actions": [action]})
    kept = (await api.ok("GET", f"{order}/payments/{payment['id']}"))["actions"][0]
    await api.status(order, "removed")
    path = f"{order}/payments/{payment['id']}/actions/{kept['id']}/execute"
    assert await api.refused("POST", path) == (400, "order-bad-request")


@rule("locks")
async def test_an_order_back_in_checkout_is_open_again(api: Api) -> None:
    path = await api.order_in("processing")
    assert await api.refused("PUT", f"{path}/cart", CART) == (400, "order-bad-request")
    await api.status(path, "checkout")
    await api.ok("PUT", f"{path}/cart", CART)
