"""The client of the endpoint functions sends the token and does not show it, and its copies are independent."""

# The facade uses the builders, which keep the generator's own private name, so the tests use them too.
# pyright: reportPrivateUsage=false

from typing import Any

import httpx
import pytest

from norce_order_api import AuthenticatedClient, Client
from norce_order_api.api.checkout import get_checkout_order

WHO: dict[str, Any] = {"x_merchant": "acme", "x_channel": "se"}


class Recorder:
    """Answers every request with an empty order and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, json={})


def test_the_token_is_not_shown() -> None:
    """Headers are not shown either, because they may carry a token."""
    client = AuthenticatedClient("http://test", token="secret", headers={"x": "secret"}, httpx_args={"auth": "secret"})
    assert "secret" not in repr(client)
    assert "http://test" in repr(client)


def test_a_client_of_the_user_sends_with_token_and_address() -> None:
    """The user's client gets the token, the headers, the address and the timeout."""
    recorder = Recorder()
    client = AuthenticatedClient("http://test/checkout/order/", token="t", headers={"x-more": "1"}, timeout=3.0)
    get_checkout_order.sync("o1", client=client.set_httpx_client(recorder.client), **WHO)
    (request,) = recorder.requests
    assert request.headers["authorization"] == "Bearer t"
    assert request.headers["x-more"] == "1"
    assert str(request.url) == "http://test/checkout/order/api/v0/checkout/orders/o1"
    assert request.extensions["timeout"]["read"] == 3.0


@pytest.mark.parametrize(("prefix", "sent"), [("Bearer", "Bearer t"), ("", "t")])
def test_the_prefix_can_be_left_to_the_token(prefix: str, sent: str) -> None:
    """An empty prefix adds no space."""
    recorder = Recorder()
    client = AuthenticatedClient("http://test", token="t", prefix=prefix).set_httpx_client(recorder.client)
    get_checkout_order.sync("o1", client=client, **WHO)
    assert recorder.requests[0].headers["authorization"] == sent


def test_with_headers_leaves_the_live_client_alone() -> None:
    """The copy sends the header and the token through the user's client, and the original does not change."""
    recorder = Recorder()
    client = AuthenticatedClient("http://test", token="t").set_httpx_client(recorder.client)
    copy = client.with_headers({"x-more": "1"})
    get_checkout_order.sync("o1", client=copy, **WHO)
    get_checkout_order.sync("o1", client=client, **WHO)
    first, second = recorder.requests
    assert first.headers["x-more"] == "1"
    assert first.headers["authorization"] == "Bearer t"
    assert "x-more" not in second.headers
    assert isinstance(copy, AuthenticatedClient)


def test_with_timeout_leaves_the_live_client_alone() -> None:
    """The original keeps its timeout. If the user gave no httpx client, original and copy have separate ones."""
    recorder = Recorder()
    recorded = AuthenticatedClient("http://test", token="t", timeout=1.0).set_httpx_client(recorder.client)
    get_checkout_order.sync("o1", client=recorded.with_timeout(None), **WHO)
    get_checkout_order.sync("o1", client=recorded, **WHO)
    assert [request.extensions["timeout"]["read"] for request in recorder.requests] == [None, 1.0]
    client = Client("http://test", timeout=1.0)
    copy = client.with_timeout(None)
    assert client.get_httpx_client() is not copy.get_httpx_client()
    client.__exit__()
    copy.__exit__()


def test_redirects_are_not_followed() -> None:
    """A redirected write is worse than an error, so redirects are not followed, even by a client that would follow
    them."""

    def elsewhere(request: httpx.Request) -> httpx.Response:
        return httpx.Response(307, headers={"location": str(request.url) + "x"})

    given: Any = httpx.Client(transport=httpx.MockTransport(elsewhere), follow_redirects=True)
    client = Client("http://test").set_httpx_client(given)
    assert get_checkout_order.sync_detailed("o1", client=client, **WHO).status_code == 307


def test_leaving_closes_only_its_own_client() -> None:
    """The user's client is closed by its owner."""
    given = httpx.Client()
    with Client("http://test").set_httpx_client(given):
        pass
    assert not given.is_closed
    given.close()
    with Client("http://test") as client:
        own = client.get_httpx_client()
    assert own.is_closed


@pytest.mark.anyio
async def test_leaving_closes_the_async_client_made_here() -> None:
    async with Client("http://test") as client:
        own_async = client.get_async_httpx_client()
    assert own_async.is_closed
