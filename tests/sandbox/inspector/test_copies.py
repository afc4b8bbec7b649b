"""The copies that a page offers repeat what was done. Each copy is run, and the requests are compared."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest

from norce_order_async import NorceError
from norce_order_async.sandbox import ReceivedRequest, Sandbox
from tests.orders.test_every_operation import CALLS, Stage
from tests.support.orders import CART, CONTEXT, client_of
from tests.testing.support import run

from .support import Caller, entered

pytest_plugins = ["pytester"]

ODD = 'it\'s "odd" \\ $HOME `id` %s \u202e\u0000\x1b[1m\U0001f600 </pre><script>alert(1)</script>'


@pytest.fixture(scope="module")
def shop() -> Iterator[Sandbox]:
    with Sandbox(inspect=True, seed=7, token="the-token") as sandbox:
        yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def browser(shop: Sandbox) -> Iterator[httpx.Client]:
    with entered(shop) as client:
        yield client


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORCE_TOKEN", "the-token")


def copied(browser: httpx.Client, number: int, kind: str) -> str | None:
    """The text that the button of a copy copies, or None without a button."""
    found = re.search(rf'<pre id="as-{kind}"[^>]*>(.*?)</pre>', browser.get(f"/requests/{number}").text, re.DOTALL)
    return None if found is None else html.unescape(found[1])


def latest(shop: Sandbox, browser: httpx.Client) -> int:
    return int(re.findall(r'id="r(\d+)"', browser.get("/").text)[0])


def wire(request: ReceivedRequest) -> tuple[Any, ...]:
    """What arrives of a request, except for what each send makes anew."""
    ours = {name: value for name, value in request.headers.items() if name.startswith("x-m") or name == "x-channel"}
    return request.method, request.path, request.query, request.body, ours


def executed(code: str) -> None:
    """Run a copied program. The service may refuse it a second time."""
    assert "the-token" not in code
    with suppress(NorceError):
        exec(compile(code, "copied.py", "exec"), {"__name__": "copied"})


async def staged(shop: Sandbox, provider: str) -> Stage:
    norce = client_of(shop)
    body: Any = {
        **CONTEXT,
        "cart": CART,
        "consents": [{"id": "terms", "checked": True, "required": True}],
        "hooks": [{"adapterId": "erp", "subscribeTo": "/reference", "invoke": provider}],
        "notifications": [{"scope": "/state", "invoke": provider}],
        "validations": [{"adapterId": "stock", "url": provider}],
    }
    order = await norce.orders.create(body, callbacks_in_body=True)
    await order.shippings.create({"total": {"includingVat": 49.0, "excludingVat": 39.2}, "vatRate": 0.25})
    action: Any = {"adapterId": "psp", "type": "capture", "url": provider}
    await order.payments.create({"amount": 174.0, "reference": "psp-1", "actions": [action]})
    return Stage(norce, await order.refresh(), provider)


async def made(shop: Sandbox, operation: str) -> None:
    stage = await staged(shop, "http://127.0.0.1:9/nobody")
    with suppress(NorceError):
        await CALLS[operation].make(stage)
    await stage.norce.aclose()


@pytest.mark.parametrize("operation", sorted(CALLS))
def test_the_program_calls_the_client(shop: Sandbox, browser: httpx.Client, operation: str) -> None:
    anyio.run(made, shop, operation)
    code = copied(browser, latest(shop, browser), "python")
    assert code is not None
    assert "from norce_order_async import NorceOrderClient" in code
    executed(code)
    first, again = [wire(one) for one in shop.requests.of(operation)][-2:]
    assert first == again


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "/none", b""),
        ("PUT", "/orders/{order}/cart", b"{ no json"),
        ("PUT", "/orders/{order}/state", b'{"currentStatus": 3}'),
        ("POST", "/orders", b'{"payments": []}'),
        ("POST", "/orders", b"\xff\xfe\x00"),
        ("PATCH", "/orders/{order}/attributes", b"[]"),
        ("GET", "/orders?limit=many", b""),
        ("GET", "/orders/%2e%2e%2F%27%22$HOME", b""),
    ],
)
def test_a_request_that_the_client_refuses_is_sent_by_httpx(
    shop: Sandbox, browser: httpx.Client, method: str, path: str, content: bytes
) -> None:
    with Caller(shop) as caller:
        caller.raw(method, path.format(order=caller.order()), content)
    first = wire(shop.requests[-1])
    number = latest(shop, browser)
    code = copied(browser, number, "python")
    assert code is not None
    executed(code)
    assert wire(shop.requests[-1]) == first
    again = copied(browser, number, "curl")
    assert again is not None
    if shutil.which("curl") is not None:
        subprocess.run(["bash", "-c", again], check=True, capture_output=True)
        assert wire(shop.requests[-1]) == first


def test_unusual_texts_arrive_as_they_were(shop: Sandbox, browser: httpx.Client) -> None:
    """That holds for a copied shell command and a copied Python program. The page escapes the texts."""
    with Caller(shop) as caller:
        caller.send(
            "PATCH", f"/orders/{caller.order()}/attributes", {"odd": ODD.replace("\0", ""), "list": [[ODD] * 20]}
        )
    first = shop.requests[-1].body
    number = latest(shop, browser)
    assert "<script>alert" not in browser.get(f"/requests/{number}").text
    code = copied(browser, number, "python")
    assert code is not None
    assert code.isascii()
    assert max(map(len, code.split("\n"))) < 130
    executed(code)
    assert json.loads(shop.requests[-1].body) == json.loads(first)
    command = copied(browser, number, "curl")
    if command is not None and shutil.which("curl") is not None:
        subprocess.run(["bash", "-c", command], check=True, capture_output=True)
        assert shop.requests[-1].body == first


def test_the_tests_pass(pytester: pytest.Pytester) -> None:
    """Pytest runs several copies together. Each repeats the earlier changes and asserts the same answer."""
    with (
        Sandbox(inspect=True, readings={"cart-total": "zero-when-missing"}, seed=8) as sandbox,
        entered(sandbox) as browser,
    ):
        sandbox.seed_orders(3)
        (pytester.path / "sandbox.sqlite").write_bytes(sandbox.snapshot())
        with Caller(sandbox) as caller, Caller(sandbox, **{"x-merchant": "demo"}) as other:
            order = caller.order(cart=CART, reference="ours")
            payment = caller.send("POST", f"/orders/{order}/payments", {"amount": 125.0}).json()["id"]
            caller.send("GET", f"/orders/{order}")
            caller.send("PUT", f"/orders/{order}/payments/{payment}", {"amount": 125.0, "reference": "psp"})
            caller.send("PUT", f"/orders/{order}/state", {"currentStatus": "completed"})
            caller.send("PUT", f"/orders/{order}/cart", CART)
            caller.send("GET", "/orders?status=completed&limit=5")
            caller.send("GET", "/orders/none")
            seeded = other.send("GET", "/orders?limit=1").json()["data"][0]["id"]
            other.send("PATCH", f"/orders/{seeded}/attributes", {"seen": True})
            caller.send("GET", "/nowhere")
        statuses = [request.status for request in sandbox.requests]
        tests = [copied(browser, number, "test") for number in range(1, len(statuses) + 1)]
    sandbox.close()
    assert statuses == [201, 201, 200, 200, 200, 400, 200, 404, 200, 200, 404]
    assert tests.pop() is None
    for number, test in enumerate(tests):
        assert test is not None
        assert '{"readings": {"cart-total": "zero-when-missing"}}' in test
        (pytester.path / f"test_{number}.py").write_text(test, encoding="utf-8")
    result = run(
        pytester, plugins=("asyncio",), ini="asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
    )
    result.assert_outcomes(passed=10)
