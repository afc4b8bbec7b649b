"""List the payments of an order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...errors import UnexpectedStatus
from ...models.base_error import BaseError
from ...models.payment import Payment
from ...types import (
    UNSET,
    Response,
    Unset,
    drift,
    header_value,
    path_segment,
    read_json,
    read_model,
    read_models,
)

if TYPE_CHECKING:
    import httpx

    from ...client import Client

STATUSES: Final[frozenset[int]] = frozenset({200, 400, 401, 404, 500})
"""The statuses that the description has."""


def _get_kwargs(
    order_id: str,
    *,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> dict[str, Any]:
    """The request as data: method, url (a path), and params, json and headers where there are any.

    Raises:
        ValueError: An id or a header value that must not be sent, or a body that JSON can't say.
    """
    order_id_segment = path_segment(order_id, "order_id")
    headers: dict[str, str] = {}
    headers["x-merchant"] = header_value(x_merchant, "x-merchant")
    headers["x-channel"] = header_value(x_channel, "x-channel")
    if x_adapterid is not None and not isinstance(x_adapterid, Unset):
        headers["x-adapterid"] = header_value(x_adapterid, "x-adapterid")
    kwargs: dict[str, Any] = {
        "method": "get",
        "url": f"/api/v0/checkout/orders/{order_id_segment}/payments",
        "headers": headers,
    }
    return kwargs


def parse(status_code: int, data: Any) -> list[Payment] | BaseError | None:
    """What an answer says, from its status and its decoded JSON, whatever that holds: never raises.

    None for an answer without a body, one that is nothing like the description, and a status that it does not have.
    """
    if status_code == 200:
        return read_models(Payment, data, "GetOrderPayments.200")

    if status_code == 400:
        return read_model(BaseError, data, "GetOrderPayments.400")

    if status_code == 401:
        return read_model(BaseError, data, "GetOrderPayments.401")

    if status_code == 404:
        return read_model(BaseError, data, "GetOrderPayments.404")

    if status_code == 500:
        return read_model(BaseError, data, "GetOrderPayments.500")

    drift(f"GetOrderPayments.{status_code}", "unknown-status")
    return None


def _build_response(client: Client, response: httpx.Response) -> Response[list[Payment] | BaseError | None]:
    if client.raise_on_unexpected_status and response.status_code not in STATUSES:
        raise UnexpectedStatus(response.status_code, response.content)
    return Response(
        status_code=response.status_code,
        content=response.content,
        headers=response.headers,
        parsed=parse(response.status_code, read_json(response.content)),
    )


def sync_detailed(
    order_id: str,
    *,
    client: Client,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> Response[list[Payment] | BaseError | None]:
    """List the payments of an order."""
    kwargs = _get_kwargs(
        order_id=order_id,
        x_merchant=x_merchant,
        x_channel=x_channel,
        x_adapterid=x_adapterid,
    )
    return _build_response(client, client.request(**kwargs))


async def asyncio_detailed(
    order_id: str,
    *,
    client: Client,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> Response[list[Payment] | BaseError | None]:
    """List the payments of an order."""
    kwargs = _get_kwargs(
        order_id=order_id,
        x_merchant=x_merchant,
        x_channel=x_channel,
        x_adapterid=x_adapterid,
    )
    return _build_response(client, await client.request_async(**kwargs))


def sync(
    order_id: str,
    *,
    client: Client,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> list[Payment] | BaseError | None:
    """List the payments of an order."""
    return sync_detailed(
        order_id=order_id,
        x_merchant=x_merchant,
        x_channel=x_channel,
        x_adapterid=x_adapterid,
        client=client,
    ).parsed


async def asyncio(
    order_id: str,
    *,
    client: Client,
    x_merchant: str,
    x_channel: str,
    x_adapterid: str | Unset | None = UNSET,
) -> list[Payment] | BaseError | None:
    """List the payments of an order."""
    answer = await asyncio_detailed(
        order_id=order_id,
        x_merchant=x_merchant,
        x_channel=x_channel,
        x_adapterid=x_adapterid,
        client=client,
    )
    return answer.parsed
