"""Amounts as callers give them: decimals taken exactly, with two decimals at most.

Norce states of its prices "two decimal points or multiples of 0.01"; whether the service insists is not known, so this
is checked before anything is sent. Checked are the totals of lines, carts and shippings, payments, transactions and
add-ons. Unit prices, rates, weights and attributes may have any number of decimals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeGuard

from norce_order_async._json import list_or_empty, mapping_or_empty
from norce_order_async.errors import InvalidRequestError
from norce_order_async.money import exact, rounded

Received = Callable[[], Mapping[str, Any]]

Found = Iterator[tuple[str, float]]
"""Where an amount stands, in the API's spelling, and the amount."""


def is_amount(value: object) -> TypeGuard[float]:
    """Whether it is a JSON number, which truth values are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_amounts(
    kind: str, body: Mapping[str, Any], argument: str, *, came: Received | None = None, allow_fractions: bool = False
) -> None:
    """Refuse amounts with more than two decimals, but for those that came from the service.

    Args:
        kind: the schema: ``Order``, ``Cart``, ``Shipping``, ``Payment`` or ``PaymentTransaction``.
        body: what goes out.
        argument: what the caller calls it.
        came: gives what the service sent, if the body may be a changed copy of it: its amounts go back as they came.
            Asked only when there is an amount to excuse.
        allow_fractions: let all of them through.

    Raises:
        InvalidRequestError: the text names the member and the rounded amount.
    """
    if allow_fractions:
        return
    for where, amount in _AMOUNTS[kind](body):
        value = exact(amount)
        if rounded(value) == value or (came and amount in _values(kind, came())):
            continue
        raise InvalidRequestError(
            f"{argument}.{where} is {value}, and an amount has two decimals at most: give {rounded(value)}, or pass "
            "allow_fractions=True to send it as it is"
        )


def number(value: Decimal, where: str) -> int | float:
    """A decimal as the JSON number that means exactly the same.

    Raises:
        InvalidRequestError: there is none: it is not finite, or has more digits than a JSON number keeps on its way.
    """
    as_float = float(value)
    if not math.isfinite(as_float):
        raise InvalidRequestError(f"{where} must be a finite number that JSON can hold")
    if Decimal(repr(as_float)) != value:
        raise InvalidRequestError(f"{where} has more digits than a JSON number keeps: give {as_float!r} instead")
    return as_float


def _values(kind: str, body: Mapping[str, Any]) -> set[float]:
    return {amount for _, amount in _AMOUNTS[kind](body)}


def _price(body: Mapping[str, Any], member: str, where: str = "") -> Found:
    price = mapping_or_empty(body.get(member))
    for side in ("includingVat", "excludingVat"):
        if is_amount(amount := price.get(side)):
            yield f"{where}{member}.{side}", amount


def _number(body: Mapping[str, Any], member: str, where: str = "") -> Found:
    if is_amount(amount := body.get(member)):
        yield f"{where}{member}", amount


def _lines(body: Mapping[str, Any], where: str) -> Found:
    for index, line in enumerate(map(mapping_or_empty, list_or_empty(body.get("items")))):
        here = f"{where}items[{index}]."
        yield from _price(line, "total", here)
        yield from _price(line, "originalTotal", here)
        yield from _lines(line, here)


def _cart(cart: Mapping[str, Any], where: str = "") -> Found:
    yield from _lines(cart, where)
    yield from _price(cart, "total", where)


def _order(order: Mapping[str, Any]) -> Found:
    yield from _cart(mapping_or_empty(order.get("cart")), "cart.")


def _shipping(shipping: Mapping[str, Any]) -> Found:
    yield from _price(shipping, "total")
    for index, addon in enumerate(map(mapping_or_empty, list_or_empty(shipping.get("addons")))):
        yield from _number(addon, "price", f"addons[{index}].")


def _payment(payment: Mapping[str, Any]) -> Found:
    yield from _number(payment, "amount")
    yield from _number(payment, "upperLimitAmount")


def _transaction(transaction: Mapping[str, Any]) -> Found:
    yield from _number(transaction, "amount")


_AMOUNTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Found]]] = {
    "Order": _order,
    "Cart": _cart,
    "Shipping": _shipping,
    "Payment": _payment,
    "PaymentTransaction": _transaction,
}
