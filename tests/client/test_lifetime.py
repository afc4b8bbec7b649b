"""With and without ``async with``: opening, closing, closing twice, calling afterwards."""

from __future__ import annotations

import anyio
import httpx
import pytest

from norce_order_async import NorceOrderClient, NotSentError
from norce_order_async.sandbox import IN_PROCESS_URL, Sandbox

pytestmark = pytest.mark.anyio


def client_of(sandbox: Sandbox) -> NorceOrderClient:
    return NorceOrderClient(base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se")


@pytest.fixture
def built_outside(sandbox: Sandbox) -> NorceOrderClient:
    """Make a client while no event loop runs."""
    return client_of(sandbox)


async def test_built_outside_a_loop(built_outside: NorceOrderClient) -> None:
    """A client that was made outside a loop belongs to the loop of its first call."""
    page = await built_outside.orders.list()
    assert page.pagination is not None
    await built_outside.aclose()


async def test_without_async_with(sandbox: Sandbox) -> None:
    """``aclose`` is all that a client needs, and a second call of it does no harm."""
    norce = client_of(sandbox)
    await norce.orders.list()
    await norce.aclose()
    await norce.aclose()


async def test_a_call_after_closing_is_not_sent(sandbox: Sandbox) -> None:
    """The error says that the client is closed, and nothing reaches the service."""
    async with client_of(sandbox) as norce:
        assert isinstance(norce, NorceOrderClient)
        order = norce.orders("oAbCdEfG")
    with pytest.raises(NotSentError, match="closed") as caught:
        await order.refresh()
    assert caught.value.gave_up == "closed"
    with pytest.raises(NotSentError):
        await norce.scoped(channel="no").orders.list()
    assert len(sandbox.requests) == 0


async def test_closed_from_another_task(sandbox: Sandbox) -> None:
    """A client may be closed in another task than the one that used it, as fixtures and frameworks do."""
    norce = client_of(sandbox)

    async def use() -> None:
        await norce.orders.list()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(norce.aclose)
    assert len(sandbox.requests) == 1


async def test_an_error_inside_is_raised_as_it_is(sandbox: Sandbox) -> None:
    """Closing does not hide an error inside the block."""
    with pytest.raises(KeyError, match="ours"):
        async with client_of(sandbox):
            raise KeyError("ours")


async def test_a_client_of_the_user_is_left_open() -> None:
    """The user's client, here in process over ASGI, stays open, because its owner closes it."""
    sandbox = Sandbox()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app)) as http_client:
        async with NorceOrderClient(
            base_url=IN_PROCESS_URL, token=sandbox.token, merchant="acme", channel="se", http_client=http_client
        ) as norce:
            order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE")
            assert (await order.refresh()).status == "checkout"
        assert not http_client.is_closed
    sandbox.close()
