"""Money in decimals, compared with a separate computation and with the service's exact sums."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_async import InvalidRequestError, NorceOrderClient, Order, money
from norce_order_async.models import Item, Payment, Price
from norce_order_async.money import Money
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.sandbox import Sandbox
from tests.support.orders import CONTEXT, client_of
from tests.support.pipeline import stand
from tests.support.turns import examples

from .carts import Bought, bought

CARTS = 10_000


def both(including: str, excluding: str) -> Money:
    return Money(Decimal(including), Decimal(excluding))


@pytest.mark.parametrize(
    ("amount", "meant", "in_cents"),
    [
        (0.1 + 0.2, "0.30000000000000004", "0.30"),
        (1.005, "1.005", "1.01"),
        (2.675, "2.675", "2.68"),
        (-1.005, "-1.005", "-1.01"),
        (0.004999, "0.004999", "0.00"),
        (1e-7, "1e-7", "0.00"),
        (12, "12", "12.00"),
        (123456789012.345, "123456789012.345", "123456789012.35"),
        (Decimal("0.125"), "0.125", "0.13"),
    ],
)
def test_an_amount_is_the_number_as_written(amount: Any, meant: str, in_cents: str) -> None:
    """A float stands for its shortest text, and that text is rounded half up and not the binary number."""
    assert money.exact(amount) == Decimal(meant)
    assert str(money.rounded(amount)) == in_cents


def test_a_decimal_has_two_places_or_more_if_they_were_sent() -> None:
    """No digit of a payment's amount is rounded away."""
    assert [str(money.decimal(each)) for each in (125, 0.1, 10.005)] == ["125.00", "0.10", "10.005"]


def test_numbers_of_other_packages_are_floats_too() -> None:
    """A subclass of float counts as its number, whatever its repr is."""

    class Number(float):
        def __repr__(self) -> str:
            return "Number(0.1)"

    assert money.exact(Number(0.1)) == Decimal("0.1")


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), Decimal("-Infinity")])
def test_invalid_amounts_are_refused(amount: Any) -> None:
    with pytest.raises(InvalidRequestError, match="finite number"):
        money.exact(amount)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (money.from_including(125, 0.25), both("125.00", "100.00")),
        (money.from_including(1.005, 0), both("1.01", "1.01")),
        (money.from_including(0.03, 0.2), both("0.03", "0.03")),
        (money.from_including(0.30, 0.2), both("0.30", "0.25")),
        (money.from_excluding(100, 0.25), both("125.00", "100.00")),
        (money.from_excluding(0.1, 0.25), both("0.13", "0.10")),
        (money.from_excluding(39.2, 0.25), both("49.00", "39.20")),
        (money.line(0.1, 3, 0.25), both("0.30", "0.24")),
        (money.line(49.9, 2, 0.12, discount=10), both("89.80", "80.18")),
        (money.line(0.335, 1, 0), both("0.34", "0.34")),
    ],
)
def test_vat(made: Money, expected: Money) -> None:
    """The price including VAT is the price excluding it times (1 + rate), and each side is rounded half up on its
    own."""
    assert made == expected


def test_a_price_there_and_back() -> None:
    """A price survives the way to the API's model and back. Half a price gives None."""
    price = both("125.10", "100.08")
    assert money.money(price.price()) == price
    assert price.vat == Decimal("25.02")
    assert money.money(Price(including_vat=1.0)) is None
    assert money.money(None) is None
    lines = [Item(total=Price(0.1, 0.08)), Item(total=Price(0.2, 0.16)), Item()]
    assert money.total_of(lines) == both("0.30", "0.24")


@pytest.mark.parametrize("rate", [25, 1, -0.01])
def test_a_rate_is_a_fraction(rate: float) -> None:
    """A rate of 25 would make the price a twenty-sixth."""
    with pytest.raises(InvalidRequestError, match=r"0\.25 stands for 25 %"):
        money.from_including(100, rate)


@settings(max_examples=examples(40, soak=100), derandomize=True, deadline=None)
@given(
    st.lists(st.decimals(min_value=0, max_value=1_000_000, places=2), max_size=200),
    st.sampled_from([0, 0.06, 0.12, 0.25]),
)
def test_any_number_of_lines_adds_up(amounts: list[Decimal], rate: float) -> None:
    """The sum is exact after the way through the API's floats."""
    lines = [Item(total=money.from_including(amount, rate).price()) for amount in amounts]
    assert money.total_of(lines).including_vat == sum(amounts, Decimal(0))


def test_random_carts() -> None:
    """The outstanding amount, paid as the float in the request, makes the payments add up exactly."""
    session = stand([]).session
    random = Random(4)
    for _ in range(examples(2000, soak=CARTS)):
        one = bought(random)
        assert money.total_of(one.cart.items or []).including_vat + 49 * len(one.shippings) == one.total
        total = {"includingVat": float(one.total), "excludingVat": 0.0}
        order = Order(session, "o1", OrderBody({"total": total, "payments": one.payments}, session.core.drift))
        assert order.amount == one.total
        assert order.outstanding is not None
        assert order.outstanding == one.total - one.standing()
        assert one.standing() + Decimal(repr(float(order.outstanding))) == one.total


async def paid_and_completed(norce: NorceOrderClient, one: Bought) -> None:
    """Pay the outstanding amount, and check that the service agrees."""
    order = await norce.orders.create(CONTEXT, cart=one.cart)
    for shipping in one.shippings:
        await order.shippings.create(shipping)
    for payment in one.payments:
        await order.payments.create(payment, allow_fractions=True)
    created = await order.payments.create_for_outstanding({"name": "the rest"})
    assert (created is None) == (one.total == one.standing())
    report = await order.validate()
    assert report.ok, (one, report)
    await order.transition_to("completed")
    await order.refresh()
    assert (order.amount, order.outstanding) == (one.total, Decimal(0))
    assert await order.payments.create_for_outstanding() is None


async def against_the_service(count: int, seed: int) -> None:
    random = Random(seed)
    with Sandbox(keep_requests=10) as sandbox:
        async with client_of(sandbox) as norce:
            for _ in range(count // 20):
                async with anyio.create_task_group() as tasks:
                    for _ in range(20):
                        tasks.start_soon(paid_and_completed, norce, bought(random))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_random_carts_against_the_service() -> None:
    """The first 100 carts are validated and completed by the service. Amounts add up alike on each loop."""
    await against_the_service(100, seed=4)


@pytest.mark.soak
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_10000_random_carts_against_the_service() -> None:
    await against_the_service(CARTS, seed=4)


@pytest.mark.anyio
async def test_an_overpaid_order(norce: NorceOrderClient) -> None:
    """If the payments exceed the total, no payment is created and the error says by how much."""
    order = await norce.orders.create(CONTEXT, cart={"items": [{"sku": "T1", "total": {"includingVat": 10.0}}]})
    await order.payments.create({"amount": 12.5})
    with pytest.raises(InvalidRequestError, match=r"cover 2\.50 more than its total"):
        await order.payments.create_for_outstanding()
    assert order.outstanding == Decimal("-2.50")
    assert len(await order.payments.list()) == 1


@pytest.mark.anyio
async def test_a_payment_argument_is_not_changed(norce: NorceOrderClient) -> None:
    """The amount is set on a copy of the payment."""
    order = await norce.orders.create(CONTEXT, cart={"items": [{"sku": "T1", "total": {"includingVat": 10.0}}]})
    payment = Payment(name="Invoice", reference="inv-1")
    created = await order.payments.create_for_outstanding(payment)
    assert payment.amount is None
    (found,) = await order.payments.list()
    assert (found.id, found.amount, found.name, found.reference) == (created, 10.0, "Invoice", "inv-1")
