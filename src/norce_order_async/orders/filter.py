"""Filters for listings of orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, cast

from norce_order_async.checking import as_given
from norce_order_async.errors import InvalidRequestError
from norce_order_async.orders.lifecycle import check_status

if TYPE_CHECKING:
    from norce_order_async.models import OrderListOrderBy, OrderListOrderByDirection, OrderStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Filters for a listing of orders. None leaves a filter out. Times need a time zone; a date is its midnight in UTC.

    Its repr names the filters, and shows no free text, reference, name, e-mail address or phone number.

    Example::

        where = OrderFilter(status="processing", date_from=date(2026, 11, 1))
        async for each in norce.orders.iterate(where):
            print(each)
    """

    status: OrderStatus | Iterable[OrderStatus] | None = None
    """One status or several, such as ``"processing"``; ``STATUSES`` lists them."""
    search: str | None = None
    """Free text."""
    reference: str | None = None
    """The order's identifier in another system."""
    cart_reference: str | None = None
    """The cart's identifier in the commerce platform."""
    payment_id: str | None = None
    """The id of one of the order's payments."""
    date_from: datetime | date | None = None
    """Orders created from this time on. That it is inclusive, and means the time of creation, is assumed."""
    date_to: datetime | date | None = None
    """Orders created before this time. That it is exclusive is assumed."""
    countries: Iterable[str] | None = None
    """Countries by two letters of ISO 3166, such as ``SE``."""
    billing_names: Iterable[str] | None = None
    billing_emails: Iterable[str] | None = None
    billing_phones: Iterable[str] | None = None
    billing_countries: Iterable[str] | None = None
    shipping_names: Iterable[str] | None = None
    shipping_emails: Iterable[str] | None = None
    shipping_phones: Iterable[str] | None = None
    shipping_countries: Iterable[str] | None = None
    order_by: OrderListOrderBy | None = None
    """``"created"``, ``"cartTotal"``, ``"billingName"`` or ``"billingEmail"``."""
    order_by_direction: OrderListOrderByDirection | None = None
    """``"asc"`` or ``"desc"``."""

    def __repr__(self) -> str:
        # Names, addresses and free text are personal data, so their values are not shown.
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        words = (
            f"{name}={_shown(value)}" if name in _SHOWN else f"{name}=..." for name, value in given if value is not None
        )
        return f"OrderFilter({', '.join(words)})"

    def __post_init__(self) -> None:
        # The first page would use up an iterator.
        for name in ("status", *sorted(_LISTS)):
            value: object = getattr(self, name)
            if value is not None and not isinstance(value, str):
                if not isinstance(value, Iterable):
                    raise InvalidRequestError(f"{name} must be a list of strings, not {type(value).__name__}")
                object.__setattr__(self, name, tuple(cast("Iterable[str]", value)))
        for name in _DATES:
            value = getattr(self, name)
            if isinstance(value, date) and not isinstance(value, datetime):
                object.__setattr__(self, name, datetime.combine(value, time(), UTC))

    def held(self) -> OrderFilter:
        """The same filter with its iterables read into lists, so that it can be used several times."""
        lists: dict[str, Any] = {
            name: value if isinstance(value, str) else list(value)
            for name in (*_LISTS, "status")
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **lists)

    def query(self) -> dict[str, Any]:
        """The query parameters.

        Raises:
            InvalidRequestError: a status is unknown, a time has no zone, a value has the wrong type, or a filter is
                empty: the service would not see an empty filter, and match every order.
        """
        given = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}
        for name, value in given.items():
            if value in ("", ()):
                raise InvalidRequestError(f"{name} must not be empty: leave it out to have no such filter")
            if name == "status":
                words = [value] if isinstance(value, str) else list(value)
                given[name] = [check_status(word) for word in words]
            elif name in _DATES:
                if not isinstance(value, datetime):
                    raise InvalidRequestError(f"{name} must be a datetime or a date, not {type(value).__name__}")
                if value.tzinfo is None:
                    raise InvalidRequestError(f"{name} needs a time zone, such as datetime.now(timezone.utc)")
            elif name in _LISTS:
                if isinstance(value, str):
                    raise InvalidRequestError(f"{name} must be a list of strings, not one string")
                given[name] = list(value)
                if not all(isinstance(one, str) for one in given[name]):
                    raise InvalidRequestError(f"{name} must be a list of strings")
            if not isinstance(given[name], str | datetime | list):
                raise InvalidRequestError(f"{name} must be a string, not {type(value).__name__}")
        return given


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(as_given(one) for one in cast('tuple[object, ...]', value))})"
    return repr(value) if isinstance(value, date) else as_given(value)


_DATES = ("date_from", "date_to")
_SHOWN = frozenset(
    {"status", "countries", "billing_countries", "shipping_countries", "order_by", "order_by_direction", *_DATES}
)
"""The filters whose values a repr may show."""

_LISTS = frozenset(
    {"countries"}
    | {f"{who}_{what}" for who in ("billing", "shipping") for what in ("names", "emails", "phones", "countries")}
)
