"""A recipe says how another process makes the same client, and holds no secret."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import json
import pickle
from typing import Any

import httpx
import pytest

from norce_order_async import ConfigurationError, NorceOrderClient, StaticToken
from norce_order_async.bulk import Recipe
from norce_order_async.bulk.shards.recipe import client_of
from norce_order_async.scope import session_of
from tests.support.plain import NO_TLS

TOKEN = "t0p-secret"


async def a_token() -> str:
    return TOKEN


class FromVault:
    async def token(self) -> str:
        return TOKEN

    async def refused(self, token: str) -> bool:
        return False


ONE = StaticToken(TOKEN)


def a_client(**changes: Any) -> NorceOrderClient:
    given: dict[str, Any] = {
        "base_url": "https://orders.example/x",
        "token": TOKEN,
        "merchant": "acme",
        "channel": "se",
    }
    return NorceOrderClient(**{**given, **changes})


def test_it_holds_no_token() -> None:
    """Its repr, its pickle and its JSON have no token, and the last two restore an equal recipe."""
    recipe = a_client(adapter_id="erp").recipe()
    assert recipe == Recipe(base_url="https://orders.example/x", merchant="acme", channel="se", adapter_id="erp")
    assert TOKEN not in repr(recipe) + recipe.to_json() + repr(pickle.dumps(recipe))
    assert pickle.loads(pickle.dumps(recipe)) == recipe == Recipe.from_json(recipe.to_json())


def test_it_describes_the_view_that_makes_it() -> None:
    assert a_client().scoped(channel="no").recipe(token="env:OTHER").channel == "no"


@pytest.mark.parametrize("token", [TOKEN, f"Bearer {TOKEN}", "env:", "env:A B", "provider:a", "provider:a:b:c", ""])
def test_one_with_a_secret_is_refused(token: str) -> None:
    """The error does not show the secret."""
    with pytest.raises(ConfigurationError, match="holds no token") as raised:
        a_client().recipe(token=token)
    assert TOKEN not in str(raised.value)


def test_headers_do_not_travel() -> None:
    with pytest.raises(ConfigurationError, match="holds no headers"):
        a_client(headers={"x-key": TOKEN}).recipe()


@pytest.mark.anyio
async def test_an_own_engine_does_not_travel() -> None:
    """Workers would send in another way than the client, so the recipe is refused."""
    async with httpx.AsyncClient(verify=NO_TLS) as theirs, a_client(http_client=theirs) as norce:
        with pytest.raises(ConfigurationError, match="holds no engine and no http_client"):
            norce.recipe()


def test_an_address_with_credentials_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must not hold credentials"):
        Recipe(base_url=f"https://me:{TOKEN}@orders.example", merchant="acme", channel="se")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"base_url": "https://orders.example", "merchant": "acme", "channel": "se", "secret": TOKEN}),
        json.dumps({"base_url": "https://orders.example", "merchant": "acme"}),
    ],
)
def test_an_invalid_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="a recipe must be") as raised:
        Recipe.from_json(text)
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("member", ["base_url", "merchant", "channel", "adapter_id", "token"])
def test_members_of_a_wrong_kind(member: str) -> None:
    members = {"base_url": "https://orders.example", "merchant": "acme", "channel": "se", member: 7}
    with pytest.raises(ConfigurationError):
        Recipe.from_json(json.dumps(members))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "token",
    ["env:MY_TOKEN", *(f"provider:{__name__}:{name}" for name in ("a_token", "FromVault", "ONE"))],
)
async def test_the_client_has_the_token_of_its_own_process(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    async with client_of(a_client().recipe(token=token)) as norce:
        assert isinstance(norce, NorceOrderClient)
        assert await session_of(norce).core.auth.token() in (TOKEN, f"Bearer {TOKEN}")


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("env:NOT_SET", "set NOT_SET"),
        ("provider:no.such.module:x", "no x in the module no.such.module"),
        (f"provider:{__name__}:missing", "there is no missing"),
    ],
)
def test_a_process_without_a_token(token: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        client_of(a_client().recipe(token=token))
