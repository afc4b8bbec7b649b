"""In strict mode both type checkers report errors in wrong programs at exactly the marked lines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(group="checkers")

ROOT = Path(__file__).parents[2]

WRONG = """\
from typing import cast

from norce_order_async import NorceOrderClient, Order, OrderFilter
from norce_order_async.models import Cart, CartDict, Payment, PaymentDict, Price, Shipping, ShippingDict


async def wrong(norce: NorceOrderClient, order: Order, untyped: dict[str, object], shipping: ShippingDict) -> None:
    await order.transition_to("complete")  # wrong
    await order.transition_to("Completed")  # wrong
    await norce.orders.get(5)  # wrong
    norce.orders.get("o1").cart  # wrong
    await norce.orders.create("sv-SE")  # wrong
    await norce.orders.create(cart=Price())  # wrong
    await order.payments.create(Cart())  # wrong
    Payment(amount="5")  # wrong
    Payment(amout=5)  # wrong
    OrderFilter(status="done")  # wrong
    OrderFilter("completed")  # wrong
    NorceOrderClient(environment="prod", slug="a", merchant="a", channel="b", token="t")  # wrong
    NorceOrderClient(base_url="https://a.example", channel="b", token="t")  # wrong
    norce.scoped("no")  # wrong
    print(order.cart.total.including_vat)  # wrong
    print(order.cart.totals)  # wrong
    order.status = "completed"  # wrong
    await order.wait_for("done", timeout=5)  # wrong
    await order.wait_for("completed")  # wrong
    await order.wait_for(lambda order: order.totals, timeout=5)  # wrong
    await order.payments.log("p1", "captured")  # wrong
    await order.payments.update("p1", lambda _: Cart())  # wrong
    await order.cart.update(lambda cart: 5)  # wrong
    await order.consents.check(["terms", "news"])  # wrong
    print(order.outstanding + 0.1)  # wrong
    await norce.orders.get_or_create(cart={})  # wrong
    norce.orders.iterate(status="completed")  # wrong
    await norce.orders.create({"cart": {}, "curency": "SEK"})  # wrong
    await norce.orders.create({"cart": {}, "id": "o1"})  # wrong
    await norce.orders.create(cart={"itmes": []})  # wrong
    await norce.orders.create(cart={"items": [{"skuu": "T1"}]})  # wrong
    await norce.orders.create(cart={"total": {"includingVat": "1.00"}})  # wrong
    await norce.orders.create(cart=untyped)  # wrong
    await norce.orders.create(curency="SEK")  # wrong
    await norce.orders.create(currency=5)  # wrong
    await norce.orders.get_or_create(cart_reference="c", cuture="sv-SE")  # wrong
    await norce.orders.create(customer={"biling": {}})  # wrong
    await norce.orders.create(consents=[{"required": "yes"}])  # wrong
    await norce.orders.get_or_create(cart={"itmes": []}, cart_reference="c")  # wrong
    await order.cart.put({"itmes": []})  # wrong
    await order.cart.put(untyped)  # wrong
    await order.customer.set_billing({"given_name": "Ada"})  # wrong
    await order.customer.set_shipping({"givenName": 5})  # wrong
    await order.payments.create({"amout": 5})  # wrong
    await order.payments.create({"amount": "5"})  # wrong
    await order.payments.create({"amount": None})  # wrong
    await order.payments.create({"id": "p1"})  # wrong
    await order.payments.create({"actions": [{"kind": "capture"}]})  # wrong
    await order.payments.create(untyped)  # wrong
    await order.payments.create(Shipping(total=Price(), vat_rate=0.25))  # wrong
    await order.payments.create(shipping)  # wrong
    await order.payments.ensure({"amout": 5}, reference="r")  # wrong
    await order.payments.put("p1", {"amout": 5})  # wrong
    await order.payments.create_for_outstanding({"nmae": "Invoice"})  # wrong
    await order.payments.add_actions("p1", [{"uri": "https://psp.example"}])  # wrong
    await order.payments.add_transaction("p1", {"success": True})  # wrong
    await order.shippings.create({"vatrate": 0.25})  # wrong
    await order.shippings.create({"deliveryDetails": {"carier": "x"}})  # wrong
    await order.shippings.put("s1", {"addons": [{"price": "1"}]})  # wrong
    await order.hooks.create({"scope": "/cart"})  # wrong
    await order.hooks.ensure({"invoke": "https://a.example", "subscribe_to": "/cart"})  # wrong
    await order.notifications.create({"subscribeTo": "/cart"})  # wrong
    await order.validations.create({"invoke": "https://a.example"})  # wrong
    await order.validations.put("v1", {"uri": "https://a.example"})  # wrong
    await order.consents.create({"name": "terms"})  # wrong
    await order.consents.patch([{"id": "terms", "check": True}])  # wrong
    norce.orders.find_by_reference("r").id  # wrong
    await norce.orders.create(cart=Cart.from_dict(untyped), attributes=untyped)
    await order.cart.put(cast("CartDict", untyped))
    await order.payments.create(Payment.from_dict(untyped))
    await order.payments.create(cast("PaymentDict", untyped))
    await order.shippings.create(shipping)
    await order.attributes.update(untyped)
    await order.refresh()
    await order.transition_to("completed")
"""
MARKED = {number for number, line in enumerate(WRONG.splitlines(), 1) if line.endswith("# wrong")}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wrong") / "wrong.py"
    path.write_text(WRONG, "utf-8")
    return path


def test_mypy_reports_the_mistakes(program: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(program)]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    lines = {int(line) for line in re.findall(r"^\S*wrong\.py:(\d+): error", told.stdout, re.MULTILINE)}
    assert lines == MARKED, told.stdout + told.stderr


def test_pyright_reports_the_mistakes(program: Path) -> None:
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT / "src"), str(ROOT / "generated")],
    }
    project = program.with_name("pyrightconfig.json")
    project.write_text(json.dumps(settings), "utf-8")
    command = [sys.executable, "-m", "pyright", "--outputjson", "-p", str(project), "--pythonpath", sys.executable]
    told = subprocess.run(command, capture_output=True, text=True, cwd=program.parent, timeout=240, check=False)
    found = json.loads(told.stdout)["generalDiagnostics"]
    lines = {each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error"}
    assert lines == MARKED, "\n".join(f"{each['range']['start']['line'] + 1}: {each['message']}" for each in found)
