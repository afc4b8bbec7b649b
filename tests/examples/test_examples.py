"""The example programs as a user would run them: with a local order service, more than once, and killed in between."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from norce_order_async import NorceOrderClient, Order
from norce_order_async.models import CartDict, PriceDict
from norce_order_async.sandbox import ReceivedRequest, Sandbox
from tests.support.warm import OURS, Program, script
from tests.testing.support import PYTEST

EXAMPLES = Path(__file__).parents[2] / "examples"

PRICE: PriceDict = {"includingVat": 125.0, "excludingVat": 100.0}


class Service:
    """A sandbox that kills the program after it has answered one operation."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(on_request=self._answered)
        self._fatal = ""
        self._child: Program | None = None

    def run(self, program: str, *arguments: str, killed_at: str = "") -> str:
        """Return the output of a run; empty for one that was killed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NORCE_")}
        environment |= {
            "NORCE_BASE_URL": self.sandbox.base_url,
            "NORCE_TOKEN": self.sandbox.token,
            "NORCE_MERCHANT": "acme",
            "NORCE_CHANNEL": "se",
        }
        self._fatal = killed_at
        self._child = OURS.start(script(EXAMPLES / program, "error"), *arguments, env=environment)
        printed, complaints = self._child.communicate(timeout=60)
        if killed_at:
            assert self._child.wait() < 0
            return ""
        assert (self._child.returncode, complaints) == (0, "")
        return printed

    def client(self) -> NorceOrderClient:
        return NorceOrderClient(base_url=self.sandbox.base_url, token=self.sandbox.token, merchant="acme", channel="se")

    def _answered(self, request: ReceivedRequest) -> None:
        if self._child is not None and request.operation == self._fatal:
            self._child.kill()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with service.sandbox:
        yield service


@pytest.mark.parametrize("program", ["resume.py", "after_purchase.py"])
def test_it_is_short(program: str) -> None:
    """The program has under forty lines."""
    assert len(EXAMPLES.joinpath(program).read_text("utf-8").splitlines()) < 40


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("killed_at", ["CreateCheckoutOrder", "CreateOrderShipping", "CreateOrderPayment", ""])
async def test_the_tutorial_is_resumed(service: Service, killed_at: str) -> None:
    """The program is run again after a complete run or a kill, and there is one of everything."""
    if killed_at:
        service.run("resume.py", "cart-1", killed_at=killed_at)
    else:
        assert "is new" in service.run("resume.py", "cart-1")
    printed = service.run("resume.py", "cart-1")
    assert "was there" in printed
    assert "completed" in printed.splitlines()[-1]
    async with service.client() as norce:
        assert await norce.orders.count() == 1
        order = await norce.orders.find_by_cart_reference("cart-1")
    assert order is not None
    assert [shipping.reference for shipping in order.shippings] == ["cart-1-home"]
    assert [payment.amount for payment in order.payments] == [174.0]
    assert [period.status for period in order.transitions] == ["completed"]
    assert order.customer.shipping == order.customer.billing


class _Provider(BaseHTTPRequestHandler):
    calls = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        type(self).calls += 1
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def provider_url() -> Iterator[str]:
    _Provider.calls = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), _Provider) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/capture"
        server.shutdown()
        thread.join()


async def bought(norce: NorceOrderClient, provider_url: str) -> Order:
    """Make a completed order with a payment that can be captured."""
    cart: CartDict = {"items": [{"sku": "T1", "quantity": 1, "total": PRICE}]}
    order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=cart)
    payment_id = await order.payments.create({"amount": 125.0, "state": "reserved"})
    await order.payments.add_actions(payment_id, [{"adapterId": "psp", "type": "capture", "url": provider_url}])
    await order.transition_to("completed")
    return order


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_after_the_purchase(service: Service, provider_url: str) -> None:
    """The payment is captured once, logged once, and the reference is set. A second run adds nothing."""
    async with service.client() as norce:
        order = await bought(norce, provider_url)
        for _ in range(2):
            assert "completed" in service.run("after_purchase.py", order.id, "erp-1")
        await order.refresh()
        (payment,) = order.payments
        assert (payment.state, payment.amount, order.reference) == ("captured", 125.0, "erp-1")
        assert payment.id is not None
        (entry,) = await order.payments.transactions(payment.id)
    assert (entry.event, entry.amount, entry.is_success) == ("capture", 125.0, True)
    assert entry.payment_action is not None
    assert _Provider.calls == 1


def test_the_adapter_is_small() -> None:
    """The adapter has under 120 lines."""
    assert len(EXAMPLES.joinpath("adapter_erp/erp/adapter.py").read_text("utf-8").splitlines()) < 120


@pytest.mark.slow(group="frameworks")
@pytest.mark.parametrize(("project", "tests"), [("adapter_erp", 4), ("service", 11), ("shop", 6)])
def test_the_tests_of_a_project_pass(project: str, tests: int, tmp_path: Path) -> None:
    """The tests pass with the project's own settings in this environment. ``tests/packaging`` runs them in a fresh one
    by the README."""
    copy = tmp_path / project
    shutil.copytree(EXAMPLES / project, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    status, out, _ = OURS.run(
        PYTEST,
        *("-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:faker", "-p", "no:hypothesispytest"),
        *("-W", "ignore:Module already imported so cannot be rewritten"),
        cwd=copy,
        env={name: value for name, value in os.environ.items() if not name.startswith(("NORCE_", "PYTEST_"))},
    )
    assert status == 0, out
    assert f"{tests} passed" in out
