"""The pages of all orders, and of one order with its whole history and the senders of its changes."""

from __future__ import annotations

import re

import httpx
import pytest

from norce_order_async.sandbox import Sandbox
from norce_order_async.testing import CallbackReceiver, Reply
from tests.support.orders import CART
from tests.support.plain import NO_TLS

from .support import Caller, text_of


def shown(page: httpx.Response) -> list[str]:
    """The ids of the orders on a page, in their order."""
    assert page.status_code == 200
    return re.findall(r'id="o(\w+)"', page.text)


def test_orders_of_all_merchants_are_shown(inspected: Sandbox, caller: Caller, visitor: httpx.Client) -> None:
    assert "There are no orders yet" in visitor.get("/orders").text
    first = caller.order(cart={**CART, "reference": "basket-17"}, currency="SEK")
    caller.send("PUT", f"/orders/{first}/customer/billing", {"givenName": "Åsa", "email": "asa@example.se"})
    with Caller(inspected, **{"x-merchant": "other", "x-channel": "no"}) as other:
        second = other.order(reference="100%_sure")
    page = visitor.get("/orders")
    assert shown(page) == [second, first]
    text = text_of(page.text)
    assert f"{first} Åsa checkout 125.00 SEK basket-17 acme / se 2026-01-01 00:00:00" in text
    assert "other / no" in text
    picked = {
        f"?find={first}": [first],
        "?find=ÅSA": [first],
        "?find=Basket": [first],
        "?find=asa@EXAMPLE": [first],
        "?find=%25_": [second],
        "?find=_": [second],
        "?status=checkout": [second, first],
        "?status=completed": [],
        "?status='": [],
        "?before=x": [second, first],
    }
    assert {query: shown(visitor.get(f"/orders{query}")) for query in picked} == picked


def test_older_orders_are_a_page_further(inspected: Sandbox, visitor: httpx.Client) -> None:
    inspected.seed_orders(120)
    pages: list[list[str]] = []
    path: str | None = "/orders"
    while path is not None:
        page = visitor.get(path)
        pages.append(shown(page))
        found = re.search(r'href="/__inspect([^"]*)" rel="next"', page.text)
        path = found and found[1].replace("&amp;", "&")
    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({order for page in pages for order in page}) == 120


def test_the_history_of_an_order(inspected: Sandbox, visitor: httpx.Client) -> None:
    receiver = CallbackReceiver()
    told = receiver.answer("/told", Reply(500), Reply(200))
    with Caller(inspected, **{"x-adapterid": "webshop"}) as caller:
        order = caller.order(cart=CART, currency="SEK")
        caller.send("POST", f"/orders/{order}/notifications", {"adapterId": "erp", "scope": "/state", "invoke": told})
        payment = caller.send("POST", f"/orders/{order}/payments", {"amount": 125.0}).json()["id"]
        caller.send(
            "POST", f"/orders/{order}/payments/{payment}/transactions", {"pspEvent": "AUTH", "isSuccess": False}
        )
        caller.send("PUT", f"/orders/{order}/state", {"currentStatus": "completed"})
    with Caller(inspected, **{"user-agent": "till/2.0 python"}) as till:
        till.send("PUT", f"/orders/{order}/reference", "r-1")
        # This change is refused, so the history does not have it.
        till.send("PUT", f"/orders/{order}/cart", CART)
    text = text_of(visitor.get(f"/orders/{order}").text)
    happened = text.partition("What happened")[2].partition("Payments")[0]
    steps = [
        r"checkout created by adapter webshop, request 1 201",
        r"CreateCheckoutOrderNotification \S+ by adapter webshop, request 2 ",
        rf"CreateOrderPayment {payment} by adapter webshop, request 3 ",
        rf"AddTransactionForOrderPayment {payment} by adapter webshop, request 4 ",
        r"completed checkout -> completed by adapter webshop, request 5 200",
        r"UpdateCheckoutOrderReference .*by till/2.0, request 6 ",
    ]
    assert re.search(".* ".join(steps), happened)
    assert "UpdateCheckoutOrderCart" not in happened
    assert re.search(rf"Payments 125.00 SEK intent default {payment} .* AUTH failed Cart 2 . Thing", text)
    assert f"notification of erp /state {told}" in text
    receiver.close()


def test_a_change_after_its_answer_has_its_request() -> None:
    with Sandbox(inspect=True, faults={"rules": [{"operations": "writes", "fault": "lost-then-late"}]}) as sandbox:
        sandbox.faults.stop()
        with Caller(sandbox) as caller:
            order = caller.order()
            sandbox.faults.play({"rules": [{"operations": "writes", "fault": {"lost-then-late": {"apply_after": 30}}}]})
            with pytest.raises(httpx.HTTPError):
                caller.send("PUT", f"/orders/{order}/reference", "late")
            assert len(sandbox.effects.of(order)) == 1
            sandbox.advance(30)
            caller.send("GET", f"/orders/{order}")
        with httpx.Client(verify=NO_TLS) as browser:
            browser.get(sandbox.inspector_link())
            text = text_of(browser.get(sandbox.base_url.replace("/checkout/order", f"/__inspect/orders/{order}")).text)
    sandbox.close()
    assert re.search(r"UpdateCheckoutOrderReference .*request 2 no answer", text)


def test_a_seeded_order_has_its_history(inspected: Sandbox, visitor: httpx.Client) -> None:
    inspected.seed_orders(40)
    (order, *_) = shown(visitor.get("/orders?status=completed"))
    happened = text_of(visitor.get(f"/orders/{order}").text).partition("What happened")[2].partition("Payments")[0]
    assert re.search(r"checkout created .* completed", happened)
    assert "request" not in happened


def test_a_deleted_order_can_be_shown(caller: Caller, visitor: httpx.Client) -> None:
    order = caller.order()
    caller.send("DELETE", f"/orders/{order}")
    text = text_of(visitor.get(f"/orders/{order}").text)
    assert "deleted" in text
    assert "DeleteCheckoutOrder" in text
    assert visitor.get("/orders/none").status_code == 404
    assert visitor.get("/orders/%2e%2e%2f").status_code == 404


def test_a_long_history_shows_its_beginning_and_its_end(caller: Caller, visitor: httpx.Client) -> None:
    order = caller.order()
    for number in range(120):
        caller.send("PATCH", f"/orders/{order}/attributes", {"number": number})
    text = text_of(visitor.get(f"/orders/{order}").text)
    assert re.search(r"checkout created .* 21 more in between are not shown .* request 23 .* request 121 ", text)
    assert "request 22 " not in text
