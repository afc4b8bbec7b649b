"""The service checks bodies against the description, and keeps them in its spelling."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.support import SHIPPING, Api, rule

pytestmark = pytest.mark.anyio


FAULTS: list[tuple[str, str, Any, str]] = [
    ("POST", "/orders", [], "$"),
    ("POST", "/orders", None, "$"),
    ("POST", "/orders", {"culture": "swedish"}, "$.culture"),
    ("POST", "/orders", {"culture": 7}, "$.culture"),
    ("POST", "/orders", {"currency": "SEKK"}, "$.currency"),
    ("POST", "/orders", {"currency": "SEK\n"}, "$.currency"),
    ("POST", "/orders", {"country": "SWE"}, "$.country"),
    ("POST", "/orders", {"country": None}, "$.country"),
    ("POST", "/orders", {"cart": {"items": {}}}, "$.cart.items"),
    ("POST", "/orders", {"cart": {"items": [{}, {"quantity": 1.0}]}}, "$.cart.items[1].quantity"),
    ("POST", "/orders", {"cart": {"items": [{"quantity": True}]}}, "$.cart.items[0].quantity"),
    ("POST", "/orders", {"cart": {"items": [{"items": [{"sku": 1}]}]}}, "$.cart.items[0].items[0].sku"),
    ("POST", "/orders", {"cart": {"items": [{"productType": "boat"}]}}, "$.cart.items[0].productType"),
    ("POST", "/orders", {"cart": {"total": {"includingVat": "1"}}}, "$.cart.total.includingVat"),
    ("POST", "/orders", {"customer": {"type": "robot"}}, "$.customer.type"),
    ("POST", "/orders", {"customer": {"billing": {"country": "Sweden"}}}, "$.customer.billing.country"),
    ("POST", "/orders", {"consents": [{"checked": "yes"}]}, "$.consents[0].checked"),
    ("POST", "/orders", {"attributes": []}, "$.attributes"),
    ("PUT", "{order}/state", {"currentStatus": "done"}, "$.currentStatus"),
    ("PUT", "{order}/state", {}, "$.currentStatus"),
    ("PUT", "{order}/state", ..., "$"),
    ("PUT", "{order}/reference", 5, "$"),
    ("PATCH", "{order}/consents", {}, "$"),
    ("PATCH", "{order}/consents", [{}], "$[0].id"),
    ("POST", "{order}/shippings", ..., "$.total"),
    ("POST", "{order}/shippings", {"total": {}}, "$.vatRate"),
    ("POST", "{order}/payments", {"state": "paid"}, "$.state"),
    ("POST", "{order}/payments", {"recurring": {}}, "$.recurring.token"),
    ("POST", "{order}/payments", {"recurring": {"token": ""}}, "$.recurring.token"),
    ("POST", "{order}/payments", {"actions": [{"adapterId": "a", "type": "t"}]}, "$.actions[0].url"),
    ("POST", "{order}/hooks", {"version": "v9"}, "$.version"),
]


@rule("body-check")
@pytest.mark.parametrize(("method", "path", "body", "place"), FAULTS)
async def test_a_fault_is_refused_with_its_path(api: Api, method: str, path: str, body: Any, place: str) -> None:
    response = await api.send(method, path.format(order=await api.order()), body)
    assert (response.status_code, response.json()["code"]) == (400, "order-bad-request")
    assert response.json()["message"].startswith(f"{place}: ")


@rule("body-check")
@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff", b"{}x", b"NaN", b'{"attributes":{"a":1e999}}', b'{"reference":"\\ud800"}', b"[" * 100_000],
)
async def test_malformed_json_is_refused(api: Api, content: bytes) -> None:
    sent = {"content": content, "headers": {"content-type": "application/json"}}
    assert await api.refused("POST", "/orders", **sent) == (400, "order-bad-request")


@rule("body-check")
async def test_a_refusal_does_not_repeat_what_was_sent(api: Api) -> None:
    response = await api.send("POST", "/orders", {"customer": {"type": "890201-3286"}})
    assert "890201" not in response.text


@rule("date-time")
@pytest.mark.parametrize("year", ["0001", "0346", "1970", "8999"])
async def test_a_year_has_four_digits(api: Api, year: str) -> None:
    """Otherwise the text would not be a date-time, and years before 1000 would sort after later ones."""
    path = f"{await api.payable()}/payments"
    given = f"{year}-10-06T03:26:43Z"
    made = (await api.send("POST", path, {"upsell": {"expiration": given}})).json()
    shown = (await api.send("GET", f"{path}/{made['id']}")).json()
    assert shown["upsell"]["expiration"] == f"{year}-10-06T03:26:43.000000Z"


@rule("date-time")
async def test_a_date_time_needs_its_offset(api: Api) -> None:
    path = await api.payable()

    async def expiring(text: str) -> int:
        return (await api.send("POST", f"{path}/payments", {"upsell": {"expiration": text}})).status_code

    assert await expiring("2026-01-31T12:00:00Z") == await expiring("2026-01-31T12:00:00.25+01:00") == 201
    for text in ("2026-01-31T12:00:00", "2026-01-31", "2026-02-31T12:00:00Z", "soon", "0001-01-01T00:00:00+23:00"):
        assert await expiring(text) == 400, text


@rule("number-range")
@pytest.mark.parametrize(
    "item", [{"quantity": 2**31}, {"quantity": 10**5000}, {"vatRate": 1e12}, {"total": {"includingVat": -(10**12)}}]
)
async def test_numbers_have_a_range(api: Api, item: dict[str, Any]) -> None:
    # The JSON is written by hand, because Python limits the digits of whole numbers and other clients do not.
    text = "1" + "0" * 5000 if item.get("quantity", 0) > 2**31 else None
    content = f'{{"cart":{{"items":[{{"quantity":{text}}}]}}}}' if text else json.dumps({"cart": {"items": [item]}})
    sent = {"content": content, "headers": {"content-type": "application/json"}}
    assert await api.refused("POST", "/orders", **sent) == (400, "order-bad-request")


@rule("enum-case", "enum-written")
async def test_enums_are_read_in_any_case_and_written_as_described(api: Api) -> None:
    path = await api.order(
        customer={"type": "Person", "billing": {"type": "ORGANIZATION"}},
        cart={"items": [{"productType": "GIFTCARD"}, {"productType": "giftcard"}]},
    )
    order = await api.ok("GET", path)
    assert (order["customer"]["type"], order["customer"]["billing"]["type"]) == ("person", "organization")
    assert [item["productType"] for item in order["cart"]["items"]] == ["giftCard", "giftCard"]

    payment = await api.ok("POST", f"{path}/payments", {"state": "Intent", "type": "Voucher"})
    transactions = f"{path}/payments/{payment['id']}/transactions"
    assert (await api.ok("POST", transactions, {"event": "PaymentAction"}))["event"] == "paymentAction"
    assert (await api.ok("GET", f"{path}/payments"))[0]["state"] == "intent"


@rule("unknown-members")
async def test_unknown_members_are_ignored(api: Api) -> None:
    path = await api.order(surprise={"a": 1}, cart={"surprise": 1, "items": [{"surprise": 1}]}, attributes={"own": 1})
    order = await api.ok("GET", path)
    assert "surprise" not in json.dumps(order)
    assert order["attributes"] == {"own": 1}


@rule("read-only-members")
async def test_read_only_members_are_ignored(api: Api) -> None:
    path = await api.order(
        id="mine",
        merchant="other",
        channel="other",
        created=5,
        state={"currentStatus": "completed", "transitions": [{"status": "completed"}]},
        payments=[{"amount": 1}],
        shippings=[SHIPPING],
        total={"includingVat": 99},
    )
    order = await api.ok("GET", path)
    assert path == f"/orders/{order['id']}"
    assert (order["merchant"], order["channel"]) == ("acme", "se")
    assert order["state"] == {"currentStatus": "checkout", "transitions": []}
    assert (order["payments"], order["shippings"], order["total"]["includingVat"]) == ([], [], 0)

    given = {"id": "mine", "merchant": "other", "channel": "other", "orderId": "other"}
    for part in ("payments", "shippings"):
        made = await api.ok("POST", f"{path}/{part}", {**SHIPPING, **given})
        kept = await api.ok("PUT", f"{path}/{part}/{made['id']}", {**SHIPPING, **given})
        assert (kept["id"], kept["orderId"]) == (made["id"], order["id"])
        assert (kept["merchant"], kept["channel"]) == ("acme", "se")


EXAMPLES = [
    json.loads(line) for line in (Path(__file__).parents[2] / "data" / "examples.jsonl").read_text("utf-8").splitlines()
]
# Its payment action is collapsed to {}, while the description demands three members of one.
REQUESTS = [
    example for example in EXAMPLES if example["kind"] == "request" and "paymentAction collapsed" not in example["note"]
]
PLACES = {
    "CreateCheckoutOrder": ("POST", "/orders"),
    "CreateOrderShipping": ("POST", "{order}/shippings"),
    "CreateOrderPayment": ("POST", "{order}/payments"),
    "UpdateCheckoutOrderCustomerShipping": ("PUT", "{order}/customer/shipping"),
    "UpdateCheckoutOrderCustomerBilling": ("PUT", "{order}/customer/billing"),
    "CreateCheckoutOrderConsent": ("POST", "{order}/consents"),
    "PatchCheckoutOrderConsents": ("PATCH", "{order}/consents"),
    "PatchCheckoutOrderConsent": ("PATCH", "{order}/consents/ci_newsleter"),
    "PatchCheckoutOrderAttributes": ("PATCH", "{order}/attributes"),
    "CreateCheckoutOrderValidation": ("POST", "{order}/validations"),
    "CreateCheckoutOrderHook": ("POST", "{order}/hooks"),
    "CreateCheckoutOrderNotification": ("POST", "{order}/notifications"),
    "UpdateCheckoutOrderState": ("PUT", "{order}/state"),
    "UpdateCheckoutOrderCart": ("PUT", "{order}/cart"),
}


@rule("enum-case")
@pytest.mark.parametrize("example", REQUESTS, ids=lambda example: str(example["operation"]))
async def test_the_bodies_of_the_published_reference_are_accepted(api: Api, example: dict[str, Any]) -> None:
    method, path = PLACES[example["operation"]]
    consents = [{"id": "ci_newsleter"}] if method == "PATCH" else []
    await api.ok(method, path.format(order=await api.order(consents=consents)), example["body"])


async def test_null_attribute_values_are_kept(api: Api) -> None:
    path = await api.order(attributes={"a": None, "b": 1}, customer={"attributes": {"c": None}})
    order = await api.ok("GET", path)
    assert order["attributes"] == {"a": None, "b": 1}
    assert order["customer"]["attributes"] == {"c": None}
