"""The columns that lists are filtered and sorted by, derived from an order."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.totals import including_vat

Value: TypeAlias = str | int | None

COLUMNS = (
    "status",
    "created",
    "last_modified",
    "reference",
    "cart_reference",
    "country",
    "billing_country",
    "billing_email",
    "billing_phone",
    "billing_name",
    "shipping_country",
    "shipping_email",
    "shipping_phone",
    "shipping_name",
    "search",
    "cart_total",
    "total",
)
"""The names, in the order of the values of `columns()`."""


def columns(order: Json) -> tuple[Value, ...]:
    """The values that are stored beside the document: folded texts, money in hundredths, time in microseconds."""
    cart: Json = order.get("cart", {})
    customer: Json = order.get("customer", {})
    billing: Json = customer.get("billing", {})
    shipping: Json = customer.get("shipping", {})
    names = (_name(billing), _name(shipping))
    emails = (_folded(billing.get("email")), _folded(shipping.get("email")))
    references = (_folded(order.get("reference")), _folded(cart.get("reference")))
    return (
        order["state"]["currentStatus"],
        microseconds(datetime.fromisoformat(order["created"])),
        microseconds(datetime.fromisoformat(order["lastModified"])),
        order.get("reference"),
        # An empty reference is stored as none, so that two orders with it do not collide.
        cart.get("reference") or None,
        _folded(order.get("country")),
        _folded(billing.get("country")),
        emails[0],
        _folded(billing.get("phone")),
        names[0],
        _folded(shipping.get("country")),
        emails[1],
        _folded(shipping.get("phone")),
        names[1],
        "\n".join(text for text in (*references, *names, *emails) if text),
        _hundredths(cart.get("total")),
        _hundredths(order["total"]),
    )


def microseconds(moment: datetime) -> int:
    """A whole number that orders as the moments do, without the rounding of a float timestamp."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def _name(address: Json) -> str | None:
    parts = (address.get(member) for member in ("givenName", "familyName", "organizationName"))
    return _folded(" ".join(part for part in parts if part))


def _folded(text: str | None) -> str | None:
    return text.casefold() if text else None


def _hundredths(price: Json | None) -> int:
    return int(including_vat(price) * 100)
