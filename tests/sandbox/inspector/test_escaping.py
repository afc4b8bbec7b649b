"""Every field that a page shows escapes markup, control characters and marks that turn the direction of text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from norce_order_async.sandbox import Sandbox
from norce_order_async.testing import CallbackReceiver, Reply
from tests.support.plain import NO_TLS
from tests.support.waiting import wait_until

from .support import Caller, entered, origin

MARKUP = "\"'><script>window.hacked=1</script><img src=x onerror=window.hacked=1>{{7*7}}&amp;</pre></textarea>"
TURNED = "\u202egnp.exe\u2066\u200f\x1b[31m\x07\x7f\x85\u2028"
HOSTILE = f"{MARKUP}{TURNED}"
# A header holds Latin-1 and no control characters but the tab.
IN_HEADER = f"{MARKUP}\t\x85\xad"

_TAGS = frozenset(
    {
        *("a", "b", "body", "br", "button", "caption", "code", "dd", "details", "div", "dl", "dt", "form", "h1", "h2"),
        *("h3", "head", "header", "html", "img", "input", "label", "li", "link", "main", "meta", "nav", "ol", "option"),
        *("p", "pre", "script", "section", "select", "span", "summary", "table", "tbody", "td", "textarea", "th"),
        *("thead", "title", "tr", "ul", "wbr"),
    }
)


class Checked(HTMLParser):
    """A parser that accepts only the tags and attributes that our pages have."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS, tag
        for name, value in attrs:
            assert not name.startswith(("on", "style")), (tag, name)
            assert re.fullmatch(r"[a-z-]+", name), name
            self.values.append(value or "")
            if name in ("href", "src", "action", "hx-get", "sse-connect"):
                assert value is not None
                assert value.startswith(("/__inspect/", "#", "?")), value

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def checked(page: httpx.Response) -> str:
    """Check a page, and return its text."""
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    parser = Checked()
    parser.feed(page.text)
    parser.close()
    hidden = {char for char in page.text if not char.isprintable()} - {"\n"}
    assert hidden == set()
    assert page.text.count("<script") == 3, "those of the page's own head"
    return "".join(parser.text)


@pytest.fixture
def hostile(inspected: Sandbox) -> str:
    """The id of an order with hostile text in every member. The rest of the sandbox has such texts too."""
    receiver = CallbackReceiver()
    told = receiver.answer("/told", Reply(500))
    names = {"x-correlation-id": IN_HEADER, "x-adapterid": IN_HEADER, "user-agent": IN_HEADER, "x-other": IN_HEADER}
    with Caller(inspected, **{**names, "x-merchant": IN_HEADER.strip(), "x-channel": "<i>se</i>"}) as caller:
        price = {"includingVat": 12.5, "excludingVat": 10.0}
        item = {"sku": HOSTILE, "name": HOSTILE, "quantity": 1, "total": price, "reference": HOSTILE}
        order = caller.order(
            reference=HOSTILE,
            cart={"reference": HOSTILE, "items": [item]},
            customer={"billing": {"givenName": HOSTILE, "familyName": HOSTILE, "email": HOSTILE}},
            attributes={HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]},
            consents=[{"id": "terms", "text": HOSTILE}],
        )
        at = f"/orders/{order}"
        bodies: list[tuple[str, str, Any]] = [
            ("POST", "/notifications", {"adapterId": HOSTILE, "scope": "/reference", "invoke": told}),
            ("POST", "/notifications", {"adapterId": HOSTILE, "scope": f"/{HOSTILE}", "invoke": HOSTILE}),
            ("POST", "/hooks", {"adapterId": HOSTILE, "subscribeTo": f"/{HOSTILE}", "invoke": HOSTILE}),
            ("POST", "/validations", {"adapterId": HOSTILE, "url": HOSTILE}),
            ("POST", "/payments", {"amount": 12.5, "reference": HOSTILE, "type": HOSTILE, "currency": HOSTILE}),
            ("PUT", "/reference", HOSTILE * 2),
            ("PUT", "/cart", {"items": HOSTILE}),
        ]
        answers = [caller.send(method, at + path, body) for method, path, body in bodies]
        assert [answer.is_success for answer in answers].count(False) <= 2, [answer.text for answer in answers]
        payments = caller.send("GET", f"{at}/payments").json()
        log = {"pspEvent": HOSTILE, "errorDetail": HOSTILE, "isSuccess": False}
        for payment in payments:
            caller.send("POST", f"{at}/payments/{payment['id']}/transactions", log)
        caller.raw("POST", at, HOSTILE.encode() + b"\xff\x00")
        caller.raw("GET", f"/orders/{''.join(f'%{byte:02x}' for byte in HOSTILE.encode())}?a=<b>%00{MARKUP}", b"")
        caller.raw("GET", f"/orders?search={MARKUP.replace('&', '')}", b"")
    wait_until(lambda: inspected.deliveries[0].attempts)
    receiver.close()
    return order


def test_no_text_becomes_part_of_a_page(inspected: Sandbox, visitor: httpx.Client, hostile: str) -> None:
    for number in range(1, len(inspected.requests) + 1):
        text = checked(visitor.get(f"/requests/{number}"))
        assert "window.hacked" in text
    order = checked(visitor.get(f"/orders/{hostile}"))
    assert order.count("<script>window.hacked=1</script>") > 15
    assert "\\u202egnp.exe\\u2066\\u200f\\x1b[31m\\x07\\x7f\\x85\\u2028" in order
    assert "<script>" in checked(visitor.get("/callbacks"))
    assert "<script>" in checked(visitor.get("/orders"))
    assert "<script>" in checked(visitor.get("/"))
    for path in ("/rules", "/faults", "/state"):
        checked(visitor.get(path))


def test_no_text_of_a_visitor_becomes_part_of_a_page(inspected: Sandbox, visitor: httpx.Client) -> None:
    names = ("find", "operation", "outcome", "status", "state", "only", "before", "done", "still")
    for path in (
        "/",
        "/orders",
        "/callbacks",
        "/rules",
        "/faults",
        "/state",
        "/requests/1",
        "/orders/none",
        "/nothing",
    ):
        checked(visitor.get(path, params=dict.fromkeys(names, HOSTILE)))
    for path in ("/faults", "/callbacks", "/state/clock", "/state/seed", "/state/restore", f"/state/{quote(HOSTILE)}"):
        fields = ("plan", "data", "id", "seconds", "orders", "merchant", "snapshot")
        checked(visitor.post(path, data=dict.fromkeys(fields, HOSTILE)))
    plan = {"rules": [{"operations": HOSTILE, "fault": {HOSTILE: HOSTILE}}]}
    checked(visitor.post("/faults", data={"plan": "own", "data": json.dumps(plan, ensure_ascii=False)}))
    checked(httpx.get(f"{origin(inspected)}/__inspect/enter", params={"key": HOSTILE}, verify=NO_TLS))


def test_a_seeded_merchant_is_escaped_too(inspected: Sandbox, visitor: httpx.Client) -> None:
    assert visitor.post("/state/seed", data={"orders": "2", "merchant": MARKUP}).status_code == 303
    assert "window.hacked" in checked(visitor.get("/orders"))


def test_a_page_that_a_fault_answers_is_shown_as_text() -> None:
    plan = {"rules": [{"fault": {"answer": {"status": 502}}}]}
    with Sandbox(inspect=True, faults=plan) as sandbox, Caller(sandbox) as caller, entered(sandbox) as visitor:
        caller.send("GET", "/orders")
        assert "<html><head>" in checked(visitor.get("/requests/1"))
    sandbox.close()
