"""Wrong settings and arguments are refused before anything is sent, each with a text that names the right form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from norce_order_async import CallOptions, NorceOrderClient
from norce_order_async.auth.providers import bearer
from norce_order_async.environments import is_loopback, is_production, resolve_base_url
from norce_order_async.errors import ConfigurationError, InvalidRequestError, TokenError
from norce_order_async.pipeline.operations import CREATE_ORDER, DELETE_HOOK, GET_ORDER, LIST_ORDERS
from tests.support.engine import answer
from tests.support.pipeline import stand

RIGHT: dict[str, Any] = {
    "environment": "playground",
    "slug": "acme",
    "merchant": "acme",
    "channel": "se",
    "token": "t0ken",
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["order_id", "hook_id"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "must not be empty"),
        ("  ", "must not be empty"),
        (".", "it would address something else"),
        ("..", "it would address something else"),
        ("a/b", "slashes, backslashes or control characters"),
        ("../x", "slashes, backslashes or control characters"),
        ("a\\b", "slashes, backslashes or control characters"),
        ("a\nb", "slashes, backslashes or control characters"),
        ("a\x00", "slashes, backslashes or control characters"),
        ("a\x7f", "slashes, backslashes or control characters"),
        ("a\x85b", "control characters"),
        (None, "must be a string, not NoneType"),
        (17, "must be a string, not int"),
        (b"o1", "must be a string, not bytes"),
        ("\ud800", "can't be sent"),
    ],
)
async def test_an_id_is_one_segment_of_the_path(name: str, value: Any, told: str) -> None:
    """An id must be one segment, because a DELETE of one thing could otherwise become a call on everything."""
    stand_ = stand([])
    path = {"order_id": "o1", "hook_id": "h1", name: value}
    with pytest.raises(InvalidRequestError, match=told) as caught:
        await stand_.session.call(DELETE_HOOK, path)
    assert name in str(caught.value) or value == "\ud800"
    assert stand_.sent == []


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["o 1", "o%2e%2e", "ö", "a?b=c", "a#b", "%2F", "...", "a;b"])
async def test_an_unusual_id_is_quoted(value: str) -> None:
    """An unusual id is quoted, so that it is one segment on the wire whatever is in it."""
    stand_ = stand([answer(200, {})])
    await stand_.session.call(GET_ORDER, {"order_id": value})
    (path,) = stand_.sent
    assert path.count("/") == 2
    assert not set("?# ;") & set(path.removeprefix("GET "))
    assert "%2e%2e" not in path.lower().replace("%252e%252e", "")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"cart": {"total": float("nan")}}, None),
        ({"cart": {"total": object()}}, None),
        ({"reference": "\ud800"}, None),
        (None, {"search": "\ud800"}),
        (None, {"no_such_filter": "x"}),
    ],
)
async def test_a_body_that_can_not_be_written_is_refused(body: Any, query: Mapping[str, Any] | None) -> None:
    """The error names the operation, and nothing is sent."""
    stand_ = stand([])
    operation = CREATE_ORDER if query is None else LIST_ORDERS
    with pytest.raises(InvalidRequestError, match=f"{operation.id} can't be sent like this"):
        await stand_.session.call(operation, {}, body=body, query=query)
    assert stand_.sent == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"merchant": ""}, "merchant must not be empty"),
        ({"merchant": " "}, "merchant must not be empty"),
        ({"merchant": None}, "merchant must not be empty"),
        ({"merchant": 5}, "merchant must be a string, not int"),
        ({"channel": ""}, "channel must not be empty"),
        ({"channel": "se "}, "channel must not begin or end with a space"),
        ({"channel": "s\r\ne"}, "channel must be printable ASCII on one line"),
        ({"adapter_id": ""}, "adapter_id must not be empty"),
        ({"adapter_id": "a\nb"}, "adapter_id must be printable ASCII on one line"),
        ({"headers": {"x-a": "1\r\nx-b: 2"}}, "header x-a must be printable ASCII on one line"),
        ({"headers": {"x-a": "å"}}, "header x-a must be printable ASCII"),
        ({"headers": {"x-a": " padded"}}, "spaces around it"),
        ({"headers": {"x-a": 5}}, "header x-a must be a string, not int"),
        ({"headers": {"x a": "1"}}, "'x a' is not a valid header name"),
        ({"headers": {"": "1"}}, "'' is not a valid header name"),
        ({"headers": {"x-a\n": "1"}}, "is not a valid header name"),
        ({"headers": {"Authorization": "x"}}, "the header authorization is set by the client"),
        ({"headers": {"X-Merchant": "x"}}, "the header x-merchant is set by the client"),
        ({"headers": {"Content-Length": "0"}}, "the header content-length is set by the client"),
        ({"environment": "prod"}, "unknown environment 'prod'; known are playground, stage, production"),
        ({"slug": None}, "slug must be one host label"),
        ({"slug": "a.b"}, "slug must be one host label"),
        ({"slug": "a/b"}, "slug must be one host label"),
        ({"slug": "acme\n"}, "slug must be one host label"),
        ({"location": "api.se"}, "location must be one host label"),
        ({"base_url": "https://acme.example"}, "not both"),
        ({"environment": None, "slug": None}, "no service named"),
        ({"token": ""}, "token is empty"),
        ({"token": "  "}, "token is empty"),
        ({"token": "Bearer "}, "token is empty"),
        ({"token": None}, "token is missing"),
        ({"token": 5}, "token is missing"),
        ({"token": "one two"}, "one word, without spaces or line breaks"),
        ({"token": "one\r\nx-evil: 1"}, "one word, without spaces or line breaks"),
        ({"token": "on\x00e"}, "token must be printable ASCII"),
        ({"token": "å"}, "token must be printable ASCII"),
        ({"secondary_token": ""}, "token is empty"),
        ({"max_in_flight": 0}, "max_in_flight must be a whole number, 1 or more"),
        ({"retry_budget": -1}, "retry_budget must be a whole number, 0 or more"),
    ],
)
def test_a_client_is_built_right_or_not_at_all(wrong: dict[str, Any], told: str) -> None:
    """The error names the setting, and never shows a token."""
    with pytest.raises(ConfigurationError, match=told) as caught:
        NorceOrderClient(**{**RIGHT, **wrong})
    if isinstance(wrong.get("token"), str) and wrong["token"].strip():
        assert wrong["token"] not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "told"),
    [
        ("", "must be an http or https address"),
        ("acme.example", "must be an http or https address"),
        ("ftp://acme.example", "must be an http or https address"),
        ("https://", "must be an http or https address"),
        ("https://acme.example:99999", "must be an http or https address"),
        ("https://acme.example/a b", "must be an http or https address"),
        ("https://acme.example\n", "must be an http or https address"),
        ("https://user:pw@acme.example", "must not hold credentials"),
        ("https://@acme.example", "must not hold credentials"),
        ("https://acme.example?x=1", "must not have a query or a fragment"),
        ("https://acme.example?", "must not have a query or a fragment"),
        ("https://acme.example#x", "must not have a query or a fragment"),
        ("http://acme.example", "must not go over plain http"),
        ("HTTP://acme.example", "must not go over plain http"),
        ("http://localhost.evil.example", "must not go over plain http"),
        ("http://127.0.0.1.evil.example", "must not go over plain http"),
        ("http://127.0.0.1@evil.example", "must not hold credentials"),
        ("http://10.0.0.1", "must not go over plain http"),
        ("http://0.0.0.0", "must not go over plain http"),
        ("http://[::2]", "must not go over plain http"),
    ],
)
def test_a_base_url_is_a_plain_safe_address(base_url: str, told: str) -> None:
    """An unsafe base address is refused, and the error does not show its password. A token goes over plain http only to
    loopback."""
    with pytest.raises(ConfigurationError, match=told) as caught:
        NorceOrderClient(base_url=base_url, merchant="acme", channel="se", token="t0ken")
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    ["http://localhost:8700", "http://127.0.0.1:1", "http://127.8.9.10", "http://[::1]:8700", "HTTP://LOCALHOST/x/"],
)
def test_loopback_may_be_plain(base_url: str) -> None:
    """Plain http to loopback is allowed, for the local order service."""
    client = NorceOrderClient(base_url=base_url, merchant="acme", channel="se", token="t0ken")
    assert client.base_url.startswith("http://")
    assert not client.base_url.endswith("/")
    assert is_loopback(client.base_url)


@pytest.mark.parametrize(
    ("environment", "location", "expected"),
    [
        ("playground", None, "https://acme.api-se.playground.norce.tech/checkout/order"),
        ("stage", None, "https://acme.api-se.stage.norce.tech/checkout/order"),
        ("production", None, "https://acme.api-se.norce.tech/checkout/order"),
        ("playground", "api-no", "https://acme.api-no.playground.norce.tech/checkout/order"),
    ],
)
def test_the_published_addresses(environment: str, location: str | None, expected: str) -> None:
    """Each environment has its published address, and only production counts as production."""
    address = resolve_base_url(environment=environment, slug="Acme", location=location, base_url=None)
    assert address == expected
    assert is_production(address) == (environment == "production")
    assert is_production(address.replace(".tech/", ".tech./")) == (environment == "production")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("acme.api-se\uff0enorce\u3002tech", True),
        ("acme.api-se.norce\uff61tech\uff0e", True),
        ("acme.api-se.\uff4e\uff4frce.\uff54ech", True),
        ("acme.api-se.nor\u00adce.te\u200bch", True),
        ("acme.api-se.playground\uff0enorce\uff0etech", False),
        ("acme.api-se.stage.norce.tech", False),
        ("acme.api-se.play\u00e9ground.norce.tech", True),
        ("norce.tech.example", False),
    ],
)
def test_production_in_disguise(host: str, expected: bool) -> None:
    """Other full stops and letters that resolvers treat as the plain ones do not hide production."""
    assert is_production(f"https://{host}/checkout/order") is expected


@pytest.mark.parametrize("letter", ["\u017f", "\u212a", "\u0130", "\u0131", "\uff41", "\u0661", "\u00e9", "a\n"])
@pytest.mark.parametrize("setting", ["slug", "location"])
def test_a_host_label_is_ascii(setting: str, letter: str) -> None:
    """A host label is ASCII, even if Python treats another letter as the same in another case."""
    given: dict[str, Any] = {"environment": "playground", "slug": "acme", "location": None, setting: f"a{letter}b"}
    with pytest.raises(ConfigurationError, match=f"{setting} must be one host label"):
        resolve_base_url(base_url=None, **given)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_attempts": 0}, "max_attempts includes the first attempt"),
        ({"base_delay": -1.0}, "base_delay must be a finite number of seconds, 0 or more"),
        ({"deadline": float("inf")}, "deadline must be a finite number"),
        ({"read_timeout": float("nan")}, "read_timeout must be a finite number"),
    ],
)
def test_impossible_numbers_are_refused(options: dict[str, Any], told: str) -> None:
    """Impossible numbers are refused for the client and for a scope."""
    with pytest.raises(ConfigurationError, match=told):
        NorceOrderClient(**RIGHT, options=CallOptions(**options))
    with pytest.raises(ConfigurationError, match=told):
        NorceOrderClient(**RIGHT).scoped(options=CallOptions(**options))


@pytest.mark.anyio
@pytest.mark.parametrize("correlation_id", ["a\nb", "å", " a"])
async def test_a_correlation_id_is_a_header(correlation_id: str) -> None:
    """A correlation id is checked like any header value."""
    stand_ = stand([])
    with pytest.raises(ConfigurationError, match="x-correlation-id must be printable ASCII"):
        await stand_.call(GET_ORDER, options=CallOptions(correlation_id=correlation_id))


@pytest.mark.anyio
@pytest.mark.parametrize("token", ["", "two words", "å", "a\nb", None])
async def test_a_token_function_that_returns_nonsense(token: Any) -> None:
    """If a provider gives no usable token, nothing is sent. The error names the fault and does not show the value."""

    async def function() -> Any:
        return token

    class Provider:
        async def token(self) -> Any:
            return token

        async def refused(self, token: str) -> bool:
            return False

    for given in (function, Provider()):
        stand_ = stand([], token=given)
        with pytest.raises(TokenError, match="gave no usable token") as caught:
            await stand_.call(GET_ORDER)
        assert not token or token not in str(caught.value)
        assert (stand_.sent, stand_.session.limiter.in_flight) == ([], 0)


def test_a_bearer_is_made_in_one_place() -> None:
    """``bearer`` adds "Bearer" exactly once, whether the token has it or not."""
    assert bearer("abc") == bearer("Bearer abc") == bearer(bearer("abc")) == "Bearer abc"
