"""Random carts: lines with prices, quantities, rates and discounts, shippings, and payments of parts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from norce_order_async import money
from norce_order_async.models import Cart, Item, PaymentDict, Shipping

RATES = (0.0, 0.06, 0.12, 0.25, 0.2, 0.19, 0.055, 0.255)
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Bought:
    """The contents of an order, and its total by a separate computation."""

    cart: Cart
    shippings: list[Shipping]
    payments: list[PaymentDict]
    """Part payments, some removed; below the total together."""
    total: Decimal

    def standing(self) -> Decimal:
        """Return the exact sum of the payments that are not removed."""
        amounts = [Decimal(str(each.get("amount"))) for each in self.payments if each.get("state") != "removed"]
        return sum(amounts, Decimal(0))


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def bought(random: Random) -> Bought:
    """Build a purchase. Prices have up to three decimals, so that some lie exactly between two cents."""
    items: list[Item] = []
    total = Decimal(0)
    for number in range(random.randint(1, 6)):
        unit = round(random.choice([0.005, 1.005, random.uniform(0, 5), random.uniform(0, 20_000)]), 3)
        quantity, rate = random.randint(1, 40), random.choice(RATES)
        discount = round(unit * quantity * random.choice([0, 0, 0.1, 0.333]), 3)
        price = money.line(unit, quantity, rate, discount=discount)
        items.append(Item(sku=f"T{number}", quantity=quantity, total=price.price(), vat_rate=rate))
        total += cents(Decimal(str(unit)) * quantity - Decimal(str(discount)))
    shippings = [Shipping(total=money.from_excluding(39.2, 0.25).price(), vat_rate=0.25)] * random.randint(0, 2)
    total += 49 * len(shippings)
    # Half of the carts have a total; for the others the service adds the lines up.
    cart = Cart(items=items, total=money.total_of(items).price() if random.random() < 0.5 else None)
    payments: list[PaymentDict] = []
    left = total
    for _ in range(random.randint(0, 3)):
        amount = round(float(left) * random.random() / 2, random.choice([0, 2, 2, 3]))
        state = random.choice(["intent", "reserved", "removed"])
        payments.append({"amount": amount, "state": state})
        if state != "removed":
            left -= Decimal(str(amount))
    return Bought(cart, shippings, payments, total)
