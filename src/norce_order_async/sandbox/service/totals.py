"""Money: exact decimals from JSON numbers, and the totals that the service computes.

A JSON number is read as a float, whose shortest text is the number that the sender wrote. Decimals made from this text
add up exactly, where floats would not (0.1 + 0.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.readings import ReadingsInUse

_CENT = Decimal("0.01")
# Enough digits to add any two floats without rounding.
_ROOMY = Context(prec=400, rounding=ROUND_HALF_UP)


def exact(number: float) -> Decimal:
    """The decimal number as it was written in the body."""
    return Decimal(str(number))


def rounded(amount: Decimal) -> Decimal:
    """The amount, rounded half up to two decimals."""
    return amount.quantize(_CENT, context=_ROOMY)


def added(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    total = Decimal(0)
    for amount in amounts:
        total = _ROOMY.add(total, amount)
    return total


def including_vat(price: Json | None) -> Decimal:
    """The price with VAT; 0 if there is none."""
    return _side(price, "includingVat")


def excluding_vat(price: Json | None) -> Decimal:
    """The price without VAT; 0 if there is none."""
    return _side(price, "excludingVat")


def standing(parts: Iterable[Json]) -> list[Json]:
    """The payments or shippings that are not removed."""
    return [part for part in parts if part["state"] != "removed"]


def settle(order: Json, readings: ReadingsInUse) -> None:
    """Compute the totals of the cart and of the order."""
    cart: Json | None = order.get("cart")
    if cart is not None:
        _settle_cart(cart, readings)
    shippings = [shipping.get("total") for shipping in standing(order["shippings"])]
    order["total"] = _sum([cart["total"] if cart else None, *shippings])


def _settle_cart(cart: Json, readings: ReadingsInUse) -> None:
    match readings.of("cart-total"):
        case "recomputed":
            items: list[Json] = cart.get("items", [])
        case _ if cart.get("total"):
            return
        case "zero-when-missing":
            items = []
        case _:
            items = cart.get("items", [])
    cart["total"] = _sum(item.get("total") for item in items)


def _sum(prices: Iterable[Json | None]) -> dict[str, Any]:
    priced = list(prices)
    return {
        "includingVat": float(added(map(including_vat, priced))),
        "excludingVat": float(added(map(excluding_vat, priced))),
    }


def _side(price: Json | None, side: str) -> Decimal:
    return rounded(exact(price.get(side, 0))) if price else Decimal(0)
