"""List orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ...errors import UnexpectedStatus
from ...models.base_error import BaseError
from ...models.order_pagination_set import OrderPaginationSet
from ...types import (
    UNSET,
    Response,
    Unset,
    drift,
    header_value,
    read_json,
    read_model,
    write_datetime as _write_datetime,
    write_word as _write_word,
)

if TYPE_CHECKING:
    import httpx

    from ...client import Client
    from ...models.order_list_order_by import OrderListOrderBy
    from ...models.order_list_order_by_direction import OrderListOrderByDirection
    from ...models.order_status import OrderStatus

STATUSES: Final[frozenset[int]] = frozenset({200, 400, 401, 404, 500})
"""The statuses that the description has."""


def _get_kwargs(
    *,
    offset: int | Unset | None = UNSET,
    limit: int | Unset | None = UNSET,
    search: str | Unset | None = UNSET,
    payment_id: str | Unset | None = UNSET,
    reference: str | Unset | None = UNSET,
    cart_reference: str | Unset | None = UNSET,
    status: Sequence[OrderStatus | str] | Unset | None = UNSET,
    date_from: datetime | Unset | None = UNSET,
    date_to: datetime | Unset | None = UNSET,
    countries: Sequence[str] | Unset | None = UNSET,
    billing_names: Sequence[str] | Unset | None = UNSET,
    billing_emails: Sequence[str] | Unset | None = UNSET,
    billing_phones: Sequence[str] | Unset | None = UNSET,
    billing_countries: Sequence[str] | Unset | None = UNSET,
    shipping_names: Sequence[str] | Unset | None = UNSET,
    shipping_emails: Sequence[str] | Unset | None = UNSET,
    shipping_phones: Sequence[str] | Unset | None = UNSET,
    shipping_countries: Sequence[str] | Unset | None = UNSET,
    order_by: OrderListOrderBy | str | Unset | None = UNSET,
    order_by_direction: OrderListOrderByDirection | str | Unset | None = UNSET,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> dict[str, Any]:
    """The request as data: method, url (a path), and params, json and headers where there are any.

    Raises:
        ValueError: An id or a header value that must not be sent, or a body that JSON can't say.
    """
    headers: dict[str, str] = {}
    headers["x-merchant"] = header_value(x_merchant, "x-merchant")
    headers["x-channel"] = header_value(x_channel, "x-channel")
    if x_adapterid is not None and not isinstance(x_adapterid, Unset):
        headers["x-adapterid"] = header_value(x_adapterid, "x-adapterid")
    params: dict[str, Any] = {}
    if offset is not None and not isinstance(offset, Unset):
        params["offset"] = offset
    if limit is not None and not isinstance(limit, Unset):
        params["limit"] = limit
    if search is not None and not isinstance(search, Unset):
        params["search"] = search
    if payment_id is not None and not isinstance(payment_id, Unset):
        params["payment_id"] = payment_id
    if reference is not None and not isinstance(reference, Unset):
        params["reference"] = reference
    if cart_reference is not None and not isinstance(cart_reference, Unset):
        params["cart_reference"] = cart_reference
    if status is not None and not isinstance(status, Unset):
        params["status"] = [_write_word(_one) for _one in status]
    if date_from is not None and not isinstance(date_from, Unset):
        params["date_from"] = _write_datetime(date_from, "date_from")
    if date_to is not None and not isinstance(date_to, Unset):
        params["date_to"] = _write_datetime(date_to, "date_to")
    if countries is not None and not isinstance(countries, Unset):
        params["countries"] = list(countries)
    if billing_names is not None and not isinstance(billing_names, Unset):
        params["billing_names"] = list(billing_names)
    if billing_emails is not None and not isinstance(billing_emails, Unset):
        params["billing_emails"] = list(billing_emails)
    if billing_phones is not None and not isinstance(billing_phones, Unset):
        params["billing_phones"] = list(billing_phones)
    if billing_countries is not None and not isinstance(billing_countries, Unset):
        params["billing_countries"] = list(billing_countries)
    if shipping_names is not None and not isinstance(shipping_names, Unset):
        params["shipping_names"] = list(shipping_names)
    if shipping_emails is not None and not isinstance(shipping_emails, Unset):
        params["shipping_emails"] = list(shipping_emails)
    if shipping_phones is not None and not isinstance(shipping_phones, Unset):
        params["shipping_phones"] = list(shipping_phones)
    if shipping_countries is not None and not isinstance(shipping_countries, Unset):
        params["shipping_countries"] = list(shipping_countries)
    if order_by is not None and not isinstance(order_by, Unset):
        params["order_by"] = _write_word(order_by)
    if order_by_direction is not None and not isinstance(order_by_direction, Unset):
        params["order_by_direction"] = _write_word(order_by_direction)
    kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v0/checkout/orders",
        "params": params,
        "headers": headers,
    }
    return kwargs


def parse(status_code: int, data: Any) -> OrderPaginationSet | BaseError | None:
    """What an answer says, from its status and its decoded JSON, whatever that holds: never raises.

    None for an answer without a body, one that is nothing like the description, and a status that it does not have.
    """
    if status_code == 200:
        return read_model(OrderPaginationSet, data, "GetCheckoutOrders.200")

    if status_code == 400:
        return read_model(BaseError, data, "GetCheckoutOrders.400")

    if status_code == 401:
        return read_model(BaseError, data, "GetCheckoutOrders.401")

    if status_code == 404:
        return read_model(BaseError, data, "GetCheckoutOrders.404")

    if status_code == 500:
        return read_model(BaseError, data, "GetCheckoutOrders.500")

    drift(f"GetCheckoutOrders.{status_code}", "unknown-status")
    return None


def _build_response(client: Client, response: httpx.Response) -> Response[OrderPaginationSet | BaseError | None]:
    if client.raise_on_unexpected_status and response.status_code not in STATUSES:
        raise UnexpectedStatus(response.status_code, response.content)
    return Response(
        status_code=response.status_code,
        content=response.content,
        headers=response.headers,
        parsed=parse(response.status_code, read_json(response.content)),
    )


def sync_detailed(
    *,
    client: Client,
    offset: int | Unset | None = UNSET,
    limit: int | Unset | None = UNSET,
    search: str | Unset | None = UNSET,
    payment_id: str | Unset | None = UNSET,
    reference: str | Unset | None = UNSET,
    cart_reference: str | Unset | None = UNSET,
    status: Sequence[OrderStatus | str] | Unset | None = UNSET,
    date_from: datetime | Unset | None = UNSET,
    date_to: datetime | Unset | None = UNSET,
    countries: Sequence[str] | Unset | None = UNSET,
    billing_names: Sequence[str] | Unset | None = UNSET,
    billing_emails: Sequence[str] | Unset | None = UNSET,
    billing_phones: Sequence[str] | Unset | None = UNSET,
    billing_countries: Sequence[str] | Unset | None = UNSET,
    shipping_names: Sequence[str] | Unset | None = UNSET,
    shipping_emails: Sequence[str] | Unset | None = UNSET,
    shipping_phones: Sequence[str] | Unset | None = UNSET,
    shipping_countries: Sequence[str] | Unset | None = UNSET,
    order_by: OrderListOrderBy | str | Unset | None = UNSET,
    order_by_direction: OrderListOrderByDirection | str | Unset | None = UNSET,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> Response[OrderPaginationSet | BaseError | None]:
    """List orders."""
    kwargs = _get_kwargs(
        offset=offset,
        limit=limit,
        search=search,
        payment_id=payment_id,
        reference=reference,
        cart_reference=cart_reference,
        status=status,
        date_from=date_from,
        date_to=date_to,
        countries=countries,
        billing_names=billing_names,
        billing_emails=billing_emails,
        billing_phones=billing_phones,
        billing_countries=billing_countries,
        shipping_names=shipping_names,
        shipping_emails=shipping_emails,
        shipping_phones=shipping_phones,
        shipping_countries=shipping_countries,
        order_by=order_by,
        order_by_direction=order_by_direction,
        x_merchant=x_merchant,
        x_channel=x_channel,
        x_adapterid=x_adapterid,
    )
    return _build_response(client, client.request(**kwargs))


async def asyncio_detailed(
    *,
    client: Client,
    offset: int | Unset | None = UNSET,
    limit: int | Unset | None = UNSET,
    search: str | Unset | None = UNSET,
    payment_id: str | Unset | None = UNSET,
    reference: str | Unset | None = UNSET,
    cart_reference: str | Unset | None = UNSET,
    status: Sequence[OrderStatus | str] | Unset | None = UNSET,
    date_from: datetime | Unset | None = UNSET,
    date_to: datetime | Unset | None = UNSET,
    countries: Sequence[str] | Unset | None = UNSET,
    billing_names: Sequence[str] | Unset | None = UNSET,
    billing_emails: Sequence[str] | Unset | None = UNSET,
    billing_phones: Sequence[str] | Unset | None = UNSET,
    billing_countries: Sequence[str] | Unset | None = UNSET,
    shipping_names: Sequence[str] | Unset | None = UNSET,
    shipping_emails: Sequence[str] | Unset | None = UNSET,
    shipping_phones: Sequence[str] | Unset | None = UNSET,
    shipping_countries: Sequence[str] | Unset | None = UNSET,
    order_by: OrderListOrderBy | str | Unset | None = UNSET,
    order_by_direction: OrderListOrderByDirection | str | Unset | None = UNSET,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> Response[OrderPaginationSet | BaseError | None]:
    """List orders."""
    kwargs = _get_kwargs(
        offset=offset,
        limit=limit,
        search=search,
        payment_id=payment_id,
        reference=reference,
        cart_reference=cart_reference,
        status=status,
        date_from=date_from,
        date_to=date_to,
        countries=countries,
        billing_names=billing_names,
        billing_emails=billing_emails,
        billing_phones=billing_phones,
        billing_countries=billing_countries,
        shipping_names=shipping_names,
        shipping_emails=shipping_emails,
        shipping_phones=shipping_phones,
        shipping_countries=shipping_countries,
        order_by=order_by,
        order_by_direction=order_by_direction,
        x_merchant=x_merchant,
        x_channel=x_channel,
        x_adapterid=x_adapterid,
    )
    return _build_response(client, await client.request_async(**kwargs))


def sync(
    *,
    client: Client,
    offset: int | Unset | None = UNSET,
    limit: int | Unset | None = UNSET,
    search: str | Unset | None = UNSET,
    payment_id: str | Unset | None = UNSET,
    reference: str | Unset | None = UNSET,
    cart_reference: str | Unset | None = UNSET,
    status: Sequence[OrderStatus | str] | Unset | None = UNSET,
    date_from: datetime | Unset | None = UNSET,
    date_to: datetime | Unset | None = UNSET,
    countries: Sequence[str] | Unset | None = UNSET,
    billing_names: Sequence[str] | Unset | None = UNSET,
    billing_emails: Sequence[str] | Unset | None = UNSET,
    billing_phones: Sequence[str] | Unset | None = UNSET,
    billing_countries: Sequence[str] | Unset | None = UNSET,
    shipping_names: Sequence[str] | Unset | None = UNSET,
    shipping_emails: Sequence[str] | Unset | None = UNSET,
    shipping_phones: Sequence[str] | Unset | None = UNSET,
    shipping_countries: Sequence[str] | Unset | None = UNSET,
    order_by: OrderListOrderBy | str | Unset | None = UNSET,
    order_by_direction: OrderListOrderByDirection | str | Unset | None = UNSET,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> OrderPaginationSet | BaseError | None:
    """List orders."""
    return sync_detailed(
        offset=offset,
        limit=limit,
        search=search,
        payment_id=payment_id,
        reference=reference,
        cart_reference=cart_reference,
        status=status,
        date_from=date_from,
        date_to=date_to,
        countries=countries,
        billing_names=billing_names,
        billing_emails=billing_emails,
        billing_phones=billing_phones,
        billing_countries=billing_countries,
        shipping_names=shipping_names,
        shipping_emails=shipping_emails,
        shipping_phones=shipping_phones,
        shipping_countries=shipping_countries,
        order_by=order_by,
        order_by_direction=order_by_direction,
        x_merchant=x_merchant,
        x_channel=x_channel,
        x_adapterid=x_adapterid,
        client=client,
    ).parsed


async def asyncio(
    *,
    client: Client,
    offset: int | Unset | None = UNSET,
    limit: int | Unset | None = UNSET,
    search: str | Unset | None = UNSET,
    payment_id: str | Unset | None = UNSET,
    reference: str | Unset | None = UNSET,
    cart_reference: str | Unset | None = UNSET,
    status: Sequence[OrderStatus | str] | Unset | None = UNSET,
    date_from: datetime | Unset | None = UNSET,
    date_to: datetime | Unset | None = UNSET,
    countries: Sequence[str] | Unset | None = UNSET,
    billing_names: Sequence[str] | Unset | None = UNSET,
    billing_emails: Sequence[str] | Unset | None = UNSET,
    billing_phones: Sequence[str] | Unset | None = UNSET,
    billing_countries: Sequence[str] | Unset | None = UNSET,
    shipping_names: Sequence[str] | Unset | None = UNSET,
    shipping_emails: Sequence[str] | Unset | None = UNSET,
    shipping_phones: Sequence[str] | Unset | None = UNSET,
    shipping_countries: Sequence[str] | Unset | None = UNSET,
    order_by: OrderListOrderBy | str | Unset | None = UNSET,
    order_by_direction: OrderListOrderByDirection | str | Unset | None = UNSET,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> OrderPaginationSet | BaseError | None:
    """List orders."""
    answer = await asyncio_detailed(
        offset=offset,
        limit=limit,
        search=search,
        payment_id=payment_id,
        reference=reference,
        cart_reference=cart_reference,
        status=status,
        date_from=date_from,
        date_to=date_to,
        countries=countries,
        billing_names=billing_names,
        billing_emails=billing_emails,
        billing_phones=billing_phones,
        billing_countries=billing_countries,
        shipping_names=shipping_names,
        shipping_emails=shipping_emails,
        shipping_phones=shipping_phones,
        shipping_countries=shipping_countries,
        order_by=order_by,
        order_by_direction=order_by_direction,
        x_merchant=x_merchant,
        x_channel=x_channel,
        x_adapterid=x_adapterid,
        client=client,
    )
    return answer.parsed
