"""Money in decimals, where the API has floating-point numbers.

The API sends and accepts amounts as JSON numbers in whole currency units. :func:`exact` takes the shortest text of a
float, so 12.1 becomes 12.1 and not 12.0999…. An order validates when its payments add up *exactly* to its total, so
sums of payments keep every digit that was sent. Totals of lines and carts, and the VAT in them, are rounded half up to
two decimals, line by line, as the service is assumed to do.

``includingVat`` is the price with VAT, ``excludingVat`` the price without it, and ``vatRate`` a fraction, so that
including = excluding · (1 + rate)::

    from norce_order_async import money

    total = money.line(125, 2, 0.25)
    print(total.including_vat, total.excluding_vat, total.vat)  # 250.00 200.00 50.00
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, TypeVar

from norce_order_async import models
from norce_order_async.checking import check_kind
from norce_order_async.errors import InvalidRequestError

if TYPE_CHECKING:
    from norce_order_async.models import Item, Payment, Price

__all__ = [
    "CENT",
    "ZERO",
    "Amount",
    "Money",
    "decimal",
    "exact",
    "from_excluding",
    "from_including",
    "line",
    "money",
    "paid",
    "rounded",
    "total_of",
]

_T = TypeVar("_T")

CENT = Decimal("0.01")
ZERO = Decimal("0.00")

_WIDE = Context(prec=400)
"""Enough digits for every finite float in cents; the default context has 28."""

Amount = Decimal | int | float
"""The types that an amount may have, in whole currency units."""


@dataclass(frozen=True, slots=True)
class Money:
    """A price in decimals, rounded to two.

    Example::

        price = Money(Decimal("125.00"), Decimal("100.00"))
        price.vat  # Decimal("25.00")
        (price + price).including_vat  # Decimal("250.00")
    """

    including_vat: Decimal
    """The price with VAT, in whole currency units."""
    excluding_vat: Decimal
    """The price without VAT, in whole currency units."""

    @property
    def vat(self) -> Decimal:
        """The VAT in the price, in whole currency units."""
        return self.including_vat - self.excluding_vat

    def __add__(self, other: Money) -> Money:
        return Money(self.including_vat + other.including_vat, self.excluding_vat + other.excluding_vat)

    def price(self) -> Price:
        """This price as the API's model ``Price``."""
        return models.Price(including_vat=float(self.including_vat), excluding_vat=float(self.excluding_vat))


NOTHING = Money(ZERO, ZERO)


def exact(amount: Amount) -> Decimal:
    """An amount as the decimal that was meant: ``exact(12.1) == Decimal("12.1")``.

    Raises:
        InvalidRequestError: it is not a number, or not finite.
    """
    # float's own repr: other packages have subclasses of float with another repr.
    try:
        value = Decimal(float.__repr__(amount)) if isinstance(amount, float) else Decimal(amount)
    except (ArithmeticError, TypeError, ValueError):
        raise InvalidRequestError(f"an amount must be a number, not {type(amount).__name__}") from None
    if not value.is_finite():
        raise InvalidRequestError("an amount must be a finite number")
    return value


def decimal(amount: Amount) -> Decimal:
    """An amount as the decimal that was meant, with at least two decimals.

    Raises:
        InvalidRequestError: it is not a number, or not finite.
    """
    value = exact(amount)
    in_cents = rounded(value)
    return in_cents if in_cents == value else value


def rounded(amount: Amount) -> Decimal:
    """An amount rounded half up to two decimals.

    Raises:
        InvalidRequestError: it is not a number, not finite, or too large for JSON.
    """
    try:
        return exact(amount).quantize(CENT, ROUND_HALF_UP, _WIDE)
    except InvalidOperation:
        raise InvalidRequestError("an amount must be one that JSON can hold") from None


def money(price: Price | None) -> Money | None:
    """A price in decimals; None when either side of it is missing.

    Raises:
        InvalidRequestError: it is not a price.
    """
    _check_has("price", price, "including_vat", "excluding_vat")
    if price is None or price.including_vat is None or price.excluding_vat is None:
        return None
    return Money(rounded(price.including_vat), rounded(price.excluding_vat))


def total_of(items: Iterable[Item]) -> Money:
    """The total that a cart must have: the sum of its lines' totals. Lines without a total add nothing.

    Raises:
        InvalidRequestError: they are not items.
    """
    return sum((money(item.total) or NOTHING for item in _each("items", items, "total")), NOTHING)


def line(unit: Amount, quantity: int, vat_rate: Amount, *, discount: Amount = 0) -> Money:
    """The total of a line.

    Args:
        unit: price of one, including VAT.
        quantity: how many.
        vat_rate: a fraction; 0.25 stands for 25 %.
        discount: the amount taken off the line, including VAT.

    Raises:
        InvalidRequestError: an amount or the quantity is not a number, or the VAT rate is not a fraction below 1.
    """
    check_kind("quantity", quantity, (int, float, Decimal), "a number", InvalidRequestError)
    return from_including(exact(unit) * exact(quantity) - exact(discount), vat_rate)


def from_including(amount: Amount, vat_rate: Amount) -> Money:
    """Both sides of a price that is given including VAT.

    Raises:
        InvalidRequestError: the amount is not a number, or the VAT rate is not a fraction below 1.
    """
    return Money(rounded(amount), rounded(exact(amount) / _factor(vat_rate)))


def from_excluding(amount: Amount, vat_rate: Amount) -> Money:
    """Both sides of a price that is given excluding VAT.

    Raises:
        InvalidRequestError: the amount is not a number, or the VAT rate is not a fraction below 1.
    """
    return Money(rounded(exact(amount) * _factor(vat_rate)), rounded(amount))


def paid(payments: Iterable[Payment]) -> Decimal:
    """The sum of the payments that are not removed, in whole currency units.

    Raises:
        InvalidRequestError: they are not payments.
    """
    given = _each("payments", payments, "state", "amount")
    amounts = (payment.amount for payment in given if payment.state != "removed" and payment.amount is not None)
    return sum(map(decimal, amounts), ZERO)


def _each(name: str, values: Iterable[_T], *members: str) -> Iterator[_T]:
    check_kind(name, values, Iterable, "a list", InvalidRequestError)
    for value in values:
        if value is None:
            raise InvalidRequestError(f"each of {name} must be a model of the API, not None")
        _check_has(f"each of {name}", value, *members)
        yield value


def _check_has(name: str, value: object, *members: str) -> None:
    # Checked by its members: importing the generated models is slow, and sums don't need them.
    if value is not None and not all(hasattr(value, member) for member in members):
        raise InvalidRequestError(f"{name} must be a model of the API, not {type(value).__name__}")


def _factor(vat_rate: Amount) -> Decimal:
    rate = exact(vat_rate)
    if not 0 <= rate < 1:
        raise InvalidRequestError(f"vat_rate is a fraction from 0 to below 1 (0.25 stands for 25 %); got {rate}")
    return 1 + rate
