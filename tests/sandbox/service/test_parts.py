"""The parts of an order: cart, customer, consents, attributes, payments, shippings, callbacks."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from norce_order_async.sandbox import Sandbox
from tests.sandbox.support import CART, SHIPPING, Api, rule

pytestmark = pytest.mark.anyio


@rule("cart-put")
async def test_put_cart_replaces_and_keeps_known_items(api: Api) -> None:
    path = await api.order(cart={**CART, "items": [{"sku": "A"}, {"sku": "B", "items": [{"sku": "C"}]}]})
    first, second = (await api.ok("GET", path))["cart"]["items"]
    inner = second["items"][0]
    await api.ok(
        "PUT",
        f"{path}/cart",
        {
            "items": [
                {"id": inner["id"], "sku": "C2"},
                {"sku": "D"},
                {"id": "ci_unheard_of", "sku": "E"},
                {"id": first["id"], "sku": "A2"},
                {"id": first["id"], "sku": "A3"},
            ]
        },
    )
    cart = (await api.ok("GET", path))["cart"]
    assert "reference" not in cart
    ids = {item["sku"]: item["id"] for item in cart["items"]}
    assert (ids["C2"], ids["A2"]) == (inner["id"], first["id"])
    assert len(set(ids.values())) == 5
    assert "ci_unheard_of" not in ids.values()


async def test_addresses_are_replaced_each_by_itself(api: Api) -> None:
    path = await api.order(customer={"type": "person", "billing": {"givenName": "A", "city": "B"}})
    await api.ok("PUT", f"{path}/customer/billing", {"givenName": "C"})
    await api.ok("PUT", f"{path}/customer/shipping", {"givenName": "D"})
    assert (await api.ok("GET", path))["customer"] == {
        "type": "person",
        "billing": {"givenName": "C"},
        "shipping": {"givenName": "D"},
    }


@rule("consents")
async def test_patching_consents_changes_only_checked(api: Api) -> None:
    terms = {"id": "terms", "text": "Yes", "required": True, "checked": False}
    path = await api.order(consents=[terms, {"id": "news"}])
    await api.ok("PATCH", f"{path}/consents", [{"id": "terms", "text": "No", "required": False, "checked": True}])
    await api.ok("PATCH", f"{path}/consents/news", {"id": "other", "checked": True})
    await api.ok("PATCH", f"{path}/consents/news", {"text": "No"})
    expected = [{**terms, "checked": True}, {"id": "news", "checked": True}]
    assert (await api.ok("GET", path))["consents"] == expected
    await api.ok("DELETE", f"{path}/consents/terms")
    assert (await api.ok("GET", path))["consents"] == expected[1:]


@rule("consent-not-found")
async def test_with_an_unknown_consent_none_is_changed(api: Api) -> None:
    path = await api.order(consents=[{"id": "terms"}])
    changes = [{"id": "terms", "checked": True}, {"id": "nothing", "checked": True}]
    assert await api.refused("PATCH", f"{path}/consents", changes) == (404, "consent-not-found")
    assert (await api.ok("GET", path))["consents"] == [{"id": "terms", "checked": False}]


@rule("consent-id")
async def test_a_consents_id_is_chosen_by_the_caller_or_the_service(api: Api) -> None:
    path = await api.order()
    await api.ok("POST", f"{path}/consents", {"id": "ci_news"})
    await api.ok("POST", f"{path}/consents", {"text": "?"})
    assert await api.refused("POST", f"{path}/consents", {"id": "ci_news"}) == (400, "order-bad-request")
    twice = [{"id": "a"}, {"id": "a"}]
    assert await api.refused("POST", "/orders", {"consents": twice}) == (400, "order-bad-request")
    first, second = (await api.ok("GET", path))["consents"]
    assert first["id"] == "ci_news"
    assert second["id"]


@rule("attribute-null")
async def test_attributes_are_merged_and_null_deletes(api: Api) -> None:
    path = await api.order(attributes={"a": 1, "b": {"c": 1}})
    await api.ok("PATCH", f"{path}/attributes", {"a": None, "b": {"d": 2}, "e": "new", "f": None})
    assert (await api.ok("GET", path))["attributes"] == {"b": {"d": 2}, "e": "new"}


async def test_the_reference_is_a_bare_string(api: Api) -> None:
    path = await api.order()
    await api.ok("PUT", f"{path}/reference", "R-1")
    assert (await api.ok("GET", path))["reference"] == "R-1"


@rule("payment-defaults", "answers")
async def test_payments_are_made_listed_fetched_and_replaced(api: Api) -> None:
    path = await api.order()
    response = await api.send("POST", f"{path}/payments", {"amount": 5, "reference": "r"})
    assert response.status_code == 201
    assert response.json().keys() == {"id"}
    one = f"{path}/payments/{response.json()['id']}"
    payment = await api.ok("GET", one)
    assert (payment["state"], payment["type"], payment["amount"]) == ("intent", "default", 5)
    assert await api.ok("GET", f"{path}/payments") == [payment]
    replaced = await api.ok("PUT", one, {"amount": 6, "state": "reserved"})
    assert replaced == {**{k: v for k, v in payment.items() if k != "reference"}, "amount": 6, "state": "reserved"}
    assert await api.ok("GET", one) == replaced


@rule("payment-defaults", "soft-delete", "answers")
async def test_shippings_are_made_listed_fetched_and_replaced(api: Api) -> None:
    path = await api.order()
    response = await api.send("POST", f"{path}/shippings", {**SHIPPING, "name": "Home"})
    assert response.status_code == 201
    assert response.json().keys() == {"id"}
    one = f"{path}/shippings/{response.json()['id']}"
    shipping = await api.ok("GET", one)
    assert (shipping["state"], shipping["name"]) == ("intent", "Home")
    assert await api.ok("GET", f"{path}/shippings") == [shipping]
    replaced = await api.ok("PUT", one, {**SHIPPING, "state": "removed"})
    assert replaced == {**{k: v for k, v in shipping.items() if k != "name"}, "state": "removed"}


@rule("transactions")
async def test_transactions_are_a_log(api: Api) -> None:
    path = await api.order()
    payment = await api.ok("POST", f"{path}/payments", {})
    log = f"{path}/payments/{payment['id']}/transactions"
    assert await api.ok("GET", log) == []
    first = await api.ok("POST", log, {"event": "open", "amount": 1, "created": "ignored"})
    assert first == {"event": "open", "amount": 1, "created": "2026-01-01T00:00:00.000000Z"}
    second = await api.ok("POST", log)
    assert await api.ok("GET", log) == [first, second]


@rule("payment-actions-kept")
async def test_actions_keep_their_ids(api: Api) -> None:
    capture = {"adapterId": "a", "type": "capture", "url": "http://127.0.0.1/c"}
    refund = {**capture, "type": "refund"}
    path = await api.order()
    payment = await api.ok("POST", f"{path}/payments", {"actions": [capture]})
    one = f"{path}/payments/{payment['id']}"
    await api.ok("POST", f"{one}/actions", [refund, refund])
    actions = (await api.ok("GET", one))["actions"]
    assert [action["type"] for action in actions] == ["capture", "refund", "refund"]
    assert len({action["id"] for action in actions}) == 3
    assert (await api.ok("PUT", one, {}))["actions"] == actions
    assert (await api.ok("PUT", one, {"actions": [refund, capture]}))["actions"] == [actions[1], actions[0]]


@rule("callback-ids")
async def test_callbacks_are_registered_and_removed(api: Api) -> None:
    path = await api.order(hooks=[{"adapterId": "given with the order"}])
    await api.ok("POST", f"{path}/hooks", {"adapterId": "a", "subscribeTo": "/state", "version": "V0"})
    schema = {"const": "completed"}
    await api.ok("POST", f"{path}/notifications", {"scope": "/state/currentStatus", "schema": schema, "delay": 5})
    await api.ok("POST", f"{path}/validations", {"adapterId": "a", "url": "http://localhost/v"})
    order = await api.ok("GET", path)
    assert [hook["adapterId"] for hook in order["hooks"]] == ["given with the order", "a"]
    assert (order["hooks"][1]["version"], order["notifications"][0]["schema"]) == ("v0", schema)

    validation = order["validations"][0]["id"]
    await api.ok("PUT", f"{path}/validations/{validation}", {"adapterId": "b"})
    assert (await api.ok("GET", path))["validations"] == [{"adapterId": "b", "id": validation}]
    for kind in ("hooks", "notifications", "validations"):
        for entry in order[kind]:
            await api.ok("DELETE", f"{path}/{kind}/{entry['id']}")
    order = await api.ok("GET", path)
    assert order["hooks"] == order["notifications"] == order["validations"] == []


class Receiver:
    """A server on loopback that records its calls and answers with one status. Its redirects lead to a 200."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(200 if self.path == "/elsewhere" else outer.status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


async def executable(api: Api, url: str) -> tuple[str, str]:
    """The paths of an order and of the execution of its one action."""
    order = await api.payable()
    payment = (await api.ok("GET", f"{order}/payments"))[0]["id"]
    await api.ok("POST", f"{order}/payments/{payment}/actions", [{"adapterId": "a", "type": "capture", "url": url}])
    action = (await api.ok("GET", f"{order}/payments/{payment}"))["actions"][0]["id"]
    return order, f"{order}/payments/{payment}/actions/{action}/execute"


@rule("execute")
async def test_an_action_posts_the_order(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    order, execute = await executable(api, receiver.url + "/capture")
    before = await api.send("GET", order)
    response = await api.send("POST", execute)
    assert (response.status_code, response.content) == (200, b"")
    ((path, headers, body),) = receiver.got
    assert (path, headers["content-type"]) == ("/capture", "application/json")
    assert (headers["x-merchant"], headers["x-channel"]) == ("acme", "se")
    assert "authorization" not in headers
    assert body == before.content
    assert (await api.send("GET", order)).content == before.content
    assert [effect.detail for effect in sandbox.effects.of(operation="ExecutePaymentAction")] == ["capture"]


@rule("execute", "callers-only-loopback")
@pytest.mark.parametrize("status", [302, 307, 400, 404, 500])
async def test_an_action_that_fails_is_a_payment_error(
    api: Api, sandbox: Sandbox, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    _, execute = await executable(api, receiver.url)
    assert await api.refused("POST", execute) == (400, "payment-error")
    assert len(receiver.got) == 1  # the redirect was not followed
    assert sandbox.effects.of(operation="ExecutePaymentAction") == []


@rule("execute")
async def test_an_address_that_does_not_answer(api: Api, receiver: Receiver) -> None:
    receiver.server.server_close()
    _, execute = await executable(api, receiver.url)
    assert await api.refused("POST", execute) == (400, "payment-error")


@rule("callers-only-loopback")
@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "http://localhost@example.com/",
        "file:///etc/hostname",
        "ftp://127.0.0.1/",
        "//127.0.0.1/",
        "http://[",
        "nonsense",
    ],
)
async def test_other_hosts_are_not_called(api: Api, url: str) -> None:
    _, execute = await executable(api, url)
    response = await api.send("POST", execute)
    assert (response.status_code, response.json()["code"]) == (400, "payment-error")
    assert "may not be called" in response.json()["message"]
