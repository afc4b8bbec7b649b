"""docs/uncertain.md names every rule with readings once, and names only readings, calls and errors that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import norce_order_async
from norce_order_async import money
from norce_order_async.orders.collection import OrderCollection
from norce_order_async.orders.order import Order
from norce_order_async.orders.pages import OrderPage
from norce_order_async.orders.parts.attributes import AttributesPart
from norce_order_async.orders.parts.callbacks import HooksPart, NotificationsPart, ValidationsPart
from norce_order_async.orders.parts.cart import CartPart
from norce_order_async.orders.parts.payments import PaymentsPart
from norce_order_async.sandbox.rules import READINGS

PAGE = (Path(__file__).parents[2] / "docs" / "uncertain.md").read_text("utf-8")
TABLE, _, NO_DIFFERENCE = PAGE.partition("## What makes no difference")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line.startswith("| `")]
ROOTS: dict[str, object] = {
    "order.attributes": AttributesPart,
    "order.cart": CartPart,
    "order.hooks": HooksPart,
    "order.notifications": NotificationsPart,
    "order.payments": PaymentsPart,
    "order.validations": ValidationsPart,
    "order": Order,
    "orders": OrderCollection,
    "page": OrderPage,
    "money": money,
    "error": norce_order_async.NorceError,
    "CallOptions": norce_order_async.CallOptions,
}
NAMES = sorted({name for row in ROWS for cell in row[2:] for name in re.findall(r"`([^`]+)`", cell)})


def test_each_rule_is_there_once() -> None:
    """A rule is in the table or in the list, in the order of the readings."""
    rules = [row[0].strip("`") for row in ROWS]
    others = re.findall(r"`([\w-]+)`", NO_DIFFERENCE)
    assert sorted([*rules, *others]) == sorted(READINGS)
    assert rules == [rule for rule in READINGS if rule in rules]


def test_every_harsh_reading_is_in_the_table() -> None:
    """Harsh readings are in bold and no other is, and each reading is one of its rule's."""
    for rule, cell, *_ in ROWS:
        readings = READINGS[rule.strip("`")]
        named = re.findall(r"`([\w-]+)`", cell)
        assert set(named) <= readings.keys()
        harsh = {reading.id for reading in readings.values() if reading.harsh}
        assert set(re.findall(r"\*\*`([\w-]+)`\*\*", cell)) == harsh
    assert not any(one.harsh for rule in re.findall(r"`([\w-]+)`", NO_DIFFERENCE) for one in READINGS[rule].values())


@pytest.mark.parametrize("name", NAMES)
def test_the_names_on_the_page_exist(name: str) -> None:
    """A name is a call or an attribute of a class, an error, a keyword that a call accepts, or a word of the API."""
    if name.endswith("Error"):
        assert hasattr(norce_order_async, name)
    elif "=" in name:
        keyword, _, value = name.partition("=")
        assert value in ("True", "False")
        assert re.search(rf"\b{keyword}: bool", SOURCES)
    elif "." in name:
        root = max((root for root in ROOTS if name.startswith(f"{root}.")), key=len)
        member = name.removeprefix(f"{root}.")
        kind = ROOTS[root]
        if name == "order.data.channel":
            assert hasattr(Order, "data")
        elif name == "error.code":
            assert "code" in norce_order_async.RefusedError.__init__.__code__.co_varnames
        else:
            assert hasattr(kind, member) or member in getattr(kind, "__dataclass_fields__", {}), name
    else:
        assert name in ("limit", "order-validation", "removed")


SOURCES = "\n".join(
    path.read_text("utf-8") for path in (Path(norce_order_async.__file__).parent / "orders").rglob("*.py")
)
