"""``client.raw``: the generated modules on a configured client."""

from __future__ import annotations

from typing import Any

import pytest

from norce_order_api import Client
from norce_order_api.api.checkout import create_checkout_order, get_checkout_order, get_checkout_orders
from norce_order_api.models import BaseError, CreateResponse, OrderData
from norce_order_async import NorceOrderClient, TokenError
from norce_order_async.sandbox import Sandbox
from tests.engines.faultserver import FaultServer

pytestmark = pytest.mark.anyio


async def rotating() -> str:
    """Return the sandbox's token with its prefix, as a token function."""
    return "Bearer sandbox-token"


class Vault:
    """A user's own provider, which returns the token without its prefix."""

    async def token(self) -> str:
        return "sandbox-token"

    async def refused(self, token: str) -> bool:
        return False


@pytest.mark.parametrize(
    "token",
    ["sandbox-token", "Bearer sandbox-token", rotating, Vault()],
    ids=["bare", "prefix", "function", "provider"],
)
async def test_the_generated_functions_work_with_it(sandbox: Sandbox, token: Any) -> None:
    """Address, token and User-Agent are the client's. Merchant and channel are arguments."""
    norce = NorceOrderClient(base_url=sandbox.base_url, merchant="acme", channel="se", token=token)
    raw = norce.raw
    assert isinstance(raw, Client)
    async with raw:
        made = await create_checkout_order.asyncio(
            body=OrderData(culture="sv-SE", currency="SEK", country="SE"), x_merchant="acme", x_channel="se", client=raw
        )
        assert isinstance(made, CreateResponse)
        assert made.id is not None
        order = await get_checkout_order.asyncio(made.id, client=raw, x_merchant="acme", x_channel="se")
        assert isinstance(order, OrderData)
        assert order.id == made.id
        missing = await get_checkout_order.asyncio_detailed(made.id, client=raw, x_merchant="acme", x_channel="no")
    assert missing.status_code == 404
    assert isinstance(missing.parsed, BaseError)
    for request in sandbox.requests:
        assert request.headers["authorization"] == "Bearer ***"
        assert request.headers["user-agent"].startswith("norce-order-async/")


async def test_no_cookie_is_kept() -> None:
    """A cookie of one merchant would be sent for the next one."""
    norce = NorceOrderClient(base_url="http://127.0.0.1:1", merchant="m1", channel="se", token="t")
    with FaultServer() as server:
        async with norce.raw as raw:
            client = raw.get_async_httpx_client()
            answered = await client.get(f"{server.url}/cookie", headers={"x-merchant": "m1"})
            assert answered.headers["set-cookie"]
            await client.get(f"{server.url}/good", headers={"x-merchant": "m2"})
            assert not list(client.cookies.jar)
    assert [request.headers.get("cookie") for request in server.received] == [None, None]


async def test_it_does_not_retry(sandbox: Sandbox) -> None:
    """The pipeline is not involved, so a refused token is one request and an answer."""
    norce = NorceOrderClient(base_url=sandbox.base_url, merchant="a", channel="b", token="wrong", secondary_token="two")
    async with norce.raw as raw:
        answer = await get_checkout_orders.asyncio_detailed(client=raw, x_merchant="a", x_channel="b")
    assert answer.status_code == 401
    assert len(sandbox.requests) == 1


async def test_a_token_function_that_fails_is_reported(sandbox: Sandbox) -> None:
    """The error is the package's own, and nothing is sent."""

    async def broken() -> str:
        raise OSError("vault")

    norce = NorceOrderClient(base_url=sandbox.base_url, merchant="a", channel="b", token=broken)
    async with norce.raw as raw:
        with pytest.raises(TokenError, match="OSError"):
            await get_checkout_orders.asyncio(client=raw, x_merchant="a", x_channel="b")
    assert len(sandbox.requests) == 0


async def test_the_blocking_functions_report_why_they_do_not_work(sandbox: Sandbox) -> None:
    """A token may have to be awaited, so the blocking functions would send without one."""
    norce = NorceOrderClient(base_url=sandbox.base_url, merchant="a", channel="b", token="t")
    with norce.raw as raw, pytest.raises(RuntimeError, match="use the asyncio functions"):
        get_checkout_orders.sync(client=raw, x_merchant="a", x_channel="b")
    assert len(sandbox.requests) == 0
