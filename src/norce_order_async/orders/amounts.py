"""Checks amounts that callers give: two decimals at most, and a cart's total that is the sum of its lines.

Norce writes about its prices "two decimal points or multiples of 0.01". Whether the service enforces this is not known,
so amounts are checked before anything is sent: the totals of lines, carts and shippings, payments, transactions and
add-ons. Unit prices, rates, weights and attributes may have any number of decimals.

The service does not add up ``cart.total``: the caller does. A payment of a stale total completes an order for less than
its lines cost. The sum is over ``total`` of the lines at the top. A line's total is after discounts and includes the
parts of a bundle, so neither ``items[].items`` nor the cart's ``discounts`` are added. Including VAT it must match to
the cent. Excluding VAT each line may have been rounded by itself, so the two may differ by a cent a line.

All functions work on the body that is sent: plain JSON data in the API's spelling.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeGuard

from norce_order_async._json import list_or_empty, mapping_or_empty
from norce_order_async.errors import InvalidRequestError
from norce_order_async.money import CENT, ZERO, exact, rounded

_CURE: Final = "mend it, or pass check_total=False to send it as it is"
_DECIDES_A_TOTAL: Final = ("quantity", "price", "discounts")

Received = Callable[[], Mapping[str, Any]]

Found = Iterator[tuple[str, float]]
"""The path of an amount in the API's spelling, and the amount."""


def is_amount(value: object) -> TypeGuard[float]:
    """Whether it is a JSON number. Truth values are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_amounts(
    kind: str,
    body: Mapping[str, Any],
    argument: str,
    *,
    received: Received | None = None,
    allow_fractions: bool = False,
) -> None:
    """Refuse amounts with more than two decimals, except amounts that came from the service.

    Args:
        kind: the schema: ``Order``, ``Cart``, ``Shipping``, ``Payment`` or ``PaymentTransaction``.
        body: the body to send.
        argument: the caller's name for it.
        received: returns the data that the service sent, if the body may be a changed copy of them. Their amounts are
            allowed. It is called only if an amount has more decimals.
        allow_fractions: whether to allow all amounts.

    Raises:
        InvalidRequestError: an amount has more than two decimals. The text names the member and the rounded amount.
    """
    if allow_fractions:
        return
    for where, amount in _AMOUNTS[kind](body):
        value = exact(amount)
        if rounded(value) == value or (received and amount in _values(kind, received())):
            continue
        raise InvalidRequestError(
            f"{argument}.{where} is {value}, and an amount has two decimals at most: give {rounded(value)}, or pass "
            "allow_fractions=True to send it as it is"
        )


def number(value: Decimal, where: str) -> int | float:
    """A decimal as the JSON number with exactly the same value.

    Raises:
        InvalidRequestError: there is no such number: the decimal is not finite, or has more digits than a float.
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


@dataclass(frozen=True, slots=True)
class _Sum:
    """The sums of a cart's lines."""

    lines: int
    """The number of lines."""
    including: Decimal
    """The sum including VAT, with each line rounded to the cent."""
    rounded_once: Decimal
    """The sum including VAT, rounded only at the end: a service may compute it so."""
    excluding: Decimal | None
    """The sum excluding VAT; None if a line has no such amount."""

    def is_total(self, total: Mapping[str, Any]) -> bool:
        """Whether a cart's ``total`` is this sum."""
        including, excluding = total.get("includingVat"), total.get("excludingVat")
        if not is_amount(including) or rounded(including) not in (self.including, self.rounded_once):
            return False
        if self.excluding is None or not is_amount(excluding):
            return True
        return abs(exact(excluding) - self.excluding) <= CENT * max(self.lines, 1)

    def price(self) -> dict[str, float]:
        """The sum as the API's ``total``."""
        price = {"includingVat": float(self.including)}
        if self.excluding is not None:
            price["excludingVat"] = float(self.excluding)
        return price


def with_total(cart: dict[str, Any], argument: str) -> dict[str, Any]:
    """The cart with a total. A cart without one gets the sum of its lines.

    Raises:
        InvalidRequestError: the total is not the sum of the lines, or a line has no total to add. The text names both
            figures or the line.
    """
    total = cart.get("total")
    if total is None:
        return cart if cart.get("items") is None else {**cart, "total": _sum(cart, argument).price()}
    added = _sum(cart, argument)
    if not added.is_total(mapping_or_empty(total)):
        raise InvalidRequestError(
            f"{argument}.total {_figure(total)} is not the sum of its lines, {_figure(added.price())}: {_CURE}"
        )
    return cart


def after_edit(before: Mapping[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The cart after an edit, with new totals.

    If the edit changed no price, nothing is checked. A cart total that was the sum of the lines becomes their sum
    again. A line that cost quantity times price without a discount gets a new total.

    Raises:
        InvalidRequestError: the new total of a line or of the cart does not follow from the old one. The text names the
            line, or both figures.
    """
    if _costs(before) == _costs(after):
        return after
    after = {**after, "items": _lines_after(before, after)} if after.get("items") is not None else after
    if after.get("total") is None or before.get("total") != after.get("total"):
        return with_total(after, "cart")
    added = _sum(after, "cart")
    total = mapping_or_empty(before.get("total"))
    if not _was_sum(before, total):
        if added.is_total(total):
            return after
        raise InvalidRequestError(
            f"cart.total {_figure(total)} was not the sum of the lines before this edit and the edit did not set it; "
            f"the lines add up to {_figure(added.price())} now: set cart.total, or pass check_total=False"
        )
    return {**after, "total": {**total, **added.price()}}


def _costs(cart: Mapping[str, Any]) -> object:
    """The members that decide the price of a cart."""
    lines = map(mapping_or_empty, list_or_empty(cart.get("items")))
    return cart.get("total"), [[line.get(name) for name in ("id", "total", *_DECIDES_A_TOTAL)] for line in lines]


def _was_sum(cart: Mapping[str, Any], total: Mapping[str, Any]) -> bool:
    try:
        return _sum(cart, "cart").is_total(total)
    except InvalidRequestError:
        return False


def _sum(cart: Mapping[str, Any], argument: str) -> _Sum:
    lines = [mapping_or_empty(line) for line in list_or_empty(cart.get("items"))]
    including, unrounded, excluding = ZERO, ZERO, ZERO
    all_excluding = True
    for index, line in enumerate(lines):
        total = mapping_or_empty(line.get("total"))
        with_vat, without = total.get("includingVat"), total.get("excludingVat")
        if is_amount(with_vat):
            including += rounded(with_vat)
            unrounded += exact(with_vat)
            all_excluding = all_excluding and is_amount(without)
            excluding += rounded(without) if is_amount(without) else ZERO
        elif mapping_or_empty(line.get("price")) or total:
            lacks = "no total.includingVat" if total else "a price but no total"
            raise InvalidRequestError(
                f"{_named(argument, index, line)} has {lacks}, so its part of the cart's total is not known: give "
                "total.includingVat and total.excludingVat of the whole line"
            )
    return _Sum(len(lines), including, rounded(unrounded), excluding if all_excluding else None)


def _lines_after(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Any]:
    """The lines, with new totals for those whose quantity, price or discounts an edit changed."""
    lines: Sequence[Any] = list_or_empty(after.get("items"))
    known = _by_id(list_or_empty(before.get("items")))
    return [_line_after(known, index, line) for index, line in enumerate(lines)]


def _by_id(lines: Sequence[Any]) -> dict[object, Mapping[str, Any]]:
    """Lines by their id; a line without an id by its place and article."""
    return {_key(index, line): line for index, line in enumerate(map(mapping_or_empty, lines))}


def _key(index: int, line: Mapping[str, Any]) -> object:
    return line["id"] if isinstance(line.get("id"), str) else (index, line.get("sku"), line.get("reference"))


def _line_after(known: Mapping[object, Mapping[str, Any]], index: int, line: Any) -> Any:
    now = mapping_or_empty(line)
    before = known.get(_key(index, now))
    if before is None or before.get("total") != now.get("total") or now.get("total") is None:
        return line
    changed = [name for name in _DECIDES_A_TOTAL if (before.get(name) or None) != (now.get(name) or None)]
    if not changed:
        return line
    if not before.get("discounts") and not now.get("discounts") and (counted := _counted_anew(before, now)):
        return {**now, "total": {**mapping_or_empty(now["total"]), **counted}}
    raise InvalidRequestError(
        f"{_named('cart', index, now)}: {' and '.join(changed)} changed, and its total stayed "
        f"{_figure(now['total'])}: set the line's total too, or pass check_total=False"
    )


def _counted_anew(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, float] | None:
    """Quantity times price, if the line cost that before; None otherwise."""
    total = mapping_or_empty(before.get("total"))
    counted: dict[str, float] = {}
    for side in ("includingVat", "excludingVat"):
        was, is_now = _times(before, side), _times(now, side)
        if total.get(side) is None and side == "excludingVat":
            continue
        if was is None or is_now is None or not is_amount(total.get(side)) or rounded(total[side]) != was:
            return None
        counted[side] = float(is_now)
    return counted


def _times(line: Mapping[str, Any], side: str) -> Decimal | None:
    quantity, price = line.get("quantity"), mapping_or_empty(line.get("price")).get(side)
    return rounded(exact(price) * exact(quantity)) if is_amount(price) and is_amount(quantity) else None


def _named(argument: str, index: int, line: Mapping[str, Any]) -> str:
    sku = line.get("sku")
    return f"{argument}.items[{index}]" + (f" (sku {sku[:40]!r})" if isinstance(sku, str) and sku else "")


def _figure(total: object) -> str:
    """A total in an error's text: both sides, as far as they are numbers."""
    sides = [mapping_or_empty(total).get(side) for side in ("includingVat", "excludingVat")]
    return " / ".join(f"{rounded(side)}" if is_amount(side) else "-" for side in sides)
