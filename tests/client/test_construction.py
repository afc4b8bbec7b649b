"""Making a client: its address, and arguments that are refused before anything is opened."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from norce_order_async import ENVIRONMENTS, CallOptions, ConfigurationError, NorceOrderClient
from tests.support.clock import FakeClock
from tests.support.engine import ScriptedEngine

GIVEN: dict[str, Any] = {
    "environment": "playground",
    "slug": "acme",
    "merchant": "acme",
    "channel": "se",
    "token": "secret-token",
}


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, "https://acme.api-se.playground.norce.tech/checkout/order"),
        ({"environment": "stage"}, "https://acme.api-se.stage.norce.tech/checkout/order"),
        ({"environment": "production"}, "https://acme.api-se.norce.tech/checkout/order"),
        ({"slug": "Acme", "location": "api-no"}, "https://acme.api-no.playground.norce.tech/checkout/order"),
        ({"environment": None, "slug": None, "base_url": "https://a.example/x/"}, "https://a.example/x"),
        ({"environment": None, "slug": None, "base_url": "http://127.0.0.1:8700/o"}, "http://127.0.0.1:8700/o"),
    ],
)
def test_its_address(changes: dict[str, Any], address: str) -> None:
    """A client can be made outside any event loop, and then has no engine yet."""
    client = NorceOrderClient(**{**GIVEN, **changes})
    assert client.base_url == address
    assert client.engine == "auto"
    assert repr(client) == f"<NorceOrderClient {address} merchant='acme', channel='se'>"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"environment": None, "slug": None}, "no service named"),
        ({"environment": "prod"}, "unknown environment 'prod'; known are playground, stage, production"),
        ({"slug": None}, "slug must be one host label"),
        ({"slug": "a.evil.example"}, "slug must be one host label"),
        ({"location": "api/se"}, "location must be one host label"),
        ({"base_url": "https://a.example"}, "either base_url or environment"),
        ({"environment": None, "base_url": "https://a.example"}, "either base_url or environment"),
        ({"environment": None, "slug": None, "base_url": "a.example"}, "http or https address"),
        ({"environment": None, "slug": None, "base_url": "https://u:p@a.example"}, "must not hold credentials"),
        ({"environment": None, "slug": None, "base_url": "https://a.example?x=1"}, "must not have a query"),
        ({"environment": None, "slug": None, "base_url": "http://a.example"}, "must not go over plain http"),
        ({"merchant": ""}, "merchant must not be empty"),
        ({"channel": "  "}, "channel must not be empty"),
        ({"channel": "se\nx-evil: 1"}, "channel must be printable ASCII"),
        ({"merchant": "åsa"}, "merchant must be printable ASCII"),
        ({"adapter_id": ""}, "adapter_id must not be empty"),
        ({"token": ""}, "token is empty"),
        ({"token": "Bearer "}, "token is empty"),
        ({"token": None}, "token is missing"),
        ({"token": "secret token"}, "token must be one word"),
        ({"token": "secret-token\r\n"}, None),
        ({"token": "secret-\rtoken"}, "token must be one word"),
        ({"token": 5}, "token is missing"),
        ({"headers": {"x-a": "b\nc"}}, "header x-a must be printable"),
        ({"headers": {"bad name": "b"}}, "is not a valid header name"),
        ({"headers": {"Authorization": "b"}}, "authorization is set by the client"),
        ({"headers": {"X-Merchant": "b"}}, "x-merchant is set by the client"),
        ({"max_in_flight": 0}, "max_in_flight must be a whole number, 1 or more"),
        ({"retry_budget": -1}, "retry_budget must be a whole number, 0 or more"),
        ({"http_client": object(), "engine": ScriptedEngine([], FakeClock())}, "either engine or http_client"),
    ],
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], complaint: str | None) -> None:
    """Each error is our own and also a ValueError. It names the right form and shows no token."""
    if complaint is None:
        assert NorceOrderClient(**{**GIVEN, **changes}).merchant == "acme"
        return
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        NorceOrderClient(**{**GIVEN, **changes})
    assert isinstance(caught.value, ValueError)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"max_attempts": 0}, {"deadline": -1.0}, {"read_timeout": float("nan")}, {"max_delay": float("inf")}],
)
def test_impossible_numbers_are_refused(options: Any) -> None:
    """The error comes when the client is made, and names the option."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        NorceOrderClient(**GIVEN, options=CallOptions(**options))


def test_the_known_environments() -> None:
    """The environments are in the order in which a program goes through them."""
    assert ENVIRONMENTS == ("playground", "stage", "production")


def test_no_token_shows() -> None:
    """Neither the repr of the client nor that of its parts shows a token."""
    client = NorceOrderClient(**GIVEN, secondary_token="secret-two")
    shown = repr(client) + repr(client.orders) + repr(vars(client)) + repr(client.raw)
    assert "secret" not in shown


@pytest.mark.anyio
@pytest.mark.parametrize("token", ["t0", "Bearer t0", "bearer t0", "Bearer Bearer t0", " t0 "])
async def test_bearer_is_added_once(token: str) -> None:
    """The header has "Bearer" once, whether the argument has it or not."""
    seen: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"id": "o1"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as http_client:
        given: dict[str, Any] = {**GIVEN, "token": token, "http_client": http_client}
        await NorceOrderClient(**given).orders.get("o1")
    assert seen == ["Bearer t0"]
