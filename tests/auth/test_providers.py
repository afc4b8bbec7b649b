"""Tokens come from strings, functions and providers of the user. Tests show how the client reacts to a 401."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import pytest

from norce_order_async import (
    CallableToken,
    ConfigurationError,
    OutcomeUnknownError,
    StaticToken,
    TokenError,
    UnauthorizedError,
)
from norce_order_async.auth.providers import Tokens, bearer, checked_token, provider_of
from norce_order_async.engines.base import WireRequest
from norce_order_async.pipeline.operations import CREATE_ORDER, CREATE_PAYMENT, GET_ORDER
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio


def taking(*tokens: str) -> Callable[[WireRequest], Step]:
    """A service that accepts these tokens and answers 401 to all others."""
    return lambda request: (
        answer(200, {"id": "o1"})
        if request.headers["authorization"] in {f"Bearer {token}" for token in tokens}
        else answer(401)
    )


def authorizations(stand_: Stand) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in stand_.engine.requests]


# The header


@pytest.mark.parametrize("given", ["abc", "Bearer abc", "bearer abc", " BEARER  abc\n", "Bearer Bearer abc"])
def test_bearer_is_never_doubled(given: str) -> None:
    assert bearer(given) == "Bearer abc"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("Bearer", "empty"),
        ("bearer Bearer ", "empty"),
        ("hush me", "one word"),
        ("hush\r\nx-evil: 1", "one word"),
        ("hush\x00", "ASCII"),
        ("hush\x7f", "ASCII"),
        ("hush\u2013", "ASCII"),
        (None, "not NoneType"),
        (b"hush", "not bytes"),
        (5, "not int"),
    ],
)
def test_a_token_that_can_not_be_a_header_is_refused_without_showing_it(given: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        bearer(given)
    assert "hush" not in str(caught.value)
    with pytest.raises(TokenError, match=says) as from_provider:
        checked_token(given)
    assert "hush" not in str(from_provider.value)


# Primary and secondary


async def test_one_token_refused_is_refused() -> None:
    """There is no other token to try, so the client sends one request."""
    one = stand(taking("other"), token="old")
    with pytest.raises(UnauthorizedError):
        await one.call(GET_ORDER)
    assert authorizations(one) == ["old"]


async def test_the_secondary_is_tried_once_and_kept() -> None:
    """Later calls begin with it, and so do scopes."""
    rotated = stand(taking("new"), token="old", secondary_token="new")
    await rotated.call(GET_ORDER)
    await rotated.call(CREATE_PAYMENT)
    await rotated.client.scoped(channel="no").orders.get("o1")
    assert authorizations(rotated) == ["old", "new", "new", "new"]


async def test_a_later_rotation_swaps_back() -> None:
    tokens = ["old"]

    def serve(request: WireRequest) -> Step:
        return taking(*tokens)(request)

    swapped = stand(serve, token="old", secondary_token="new")
    await swapped.call(GET_ORDER)
    tokens[:] = ["new"]
    await swapped.call(GET_ORDER)
    tokens[:] = ["old"]
    await swapped.call(GET_ORDER)
    assert authorizations(swapped) == ["old", "old", "new", "new", "old"]


async def test_both_refused_is_unauthorized_after_two_requests() -> None:
    neither = stand(taking(), token="old", secondary_token="new")
    with pytest.raises(UnauthorizedError) as caught:
        await neither.call(GET_ORDER)
    assert authorizations(neither) == ["old", "new"]
    assert [attempt.next for attempt in caught.value.attempts] == ["repeat with another token", "raise"]
    assert "old" not in str(caught.value)


async def test_late_refusals_of_the_old_token_do_not_swap_back() -> None:
    """Ten calls were in flight with the primary token when the first was refused."""
    pair = StaticToken("old", "Bearer new")
    assert [await pair.refused("Bearer old") for _ in range(10)] == [True] * 10
    assert await pair.token() == "Bearer new"


async def test_a_secondary_that_equals_the_primary_is_ignored() -> None:
    same = StaticToken("old", "Bearer old")
    assert not await same.refused(await same.token())


# A function


async def test_a_function_is_called_before_every_attempt() -> None:
    given = iter(["one", "Bearer two", "three"])

    async def source() -> str:
        return next(given)

    asked = stand([answer(200, {"id": "o1"}), answer(500), answer(200, {"id": "o1"})], token=source)
    await asked.call(GET_ORDER)
    await asked.call(GET_ORDER)
    assert authorizations(asked) == ["one", "two", "three"]


async def test_after_401_another_token_of_a_function_repeats_the_call() -> None:
    given = iter(["one", "two", "two"])

    async def source() -> str:
        return next(given)

    asked = stand(taking("two"), token=source)
    await asked.call(GET_ORDER)
    assert authorizations(asked) == ["one", "two"]


@pytest.mark.parametrize("again", ["one", "Bearer one", " bearer one "])
async def test_after_401_the_same_token_again_is_not_sent_again(again: str) -> None:
    given = iter(["one", again])

    async def source() -> str:
        return next(given)

    asked = stand(taking("two"), token=source)
    with pytest.raises(UnauthorizedError):
        await asked.call(GET_ORDER)
    assert authorizations(asked) == ["one"]


async def raising() -> str:
    raise ConnectionError("vault hush is down")


async def token_error() -> str:
    raise TokenError("the vault is sealed")


async def rubbish(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (raising, "the token function failed with ConnectionError"),
        (token_error, "the vault is sealed"),
        (lambda: rubbish(None), "gave no usable token: a token must be a string, not NoneType"),
        (lambda: rubbish(b"hush"), "gave no usable token: a token must be a string, not bytes"),
        (lambda: rubbish(""), "gave no usable token: token is empty"),
        (lambda: rubbish("hush hush"), "gave no usable token: token must be one word"),
        (lambda: rubbish("hush\x01"), "gave no usable token: token must be printable ASCII"),
        (lambda: "hush", "the token function must be async"),
    ],
)
async def test_a_function_that_fails_is_a_token_error_and_nothing_is_sent(source: Any, says: str) -> None:
    failing = stand([], token=source)
    with pytest.raises(TokenError, match=says) as caught:
        await failing.call(CREATE_PAYMENT)
    assert "hush" not in str(caught.value)
    assert failing.engine.requests == []


async def test_a_function_that_fails_after_401_leaves_the_401() -> None:
    given = iter(["one"])

    async def source() -> str:
        return next(given)

    asked = stand(taking(), token=source)
    with pytest.raises(UnauthorizedError):
        await asked.call(GET_ORDER)


# A provider of the user's


class Vault:
    """A provider that returns the tokens and raises the errors that it is given."""

    def __init__(self, *tokens: Any, worth: Any = False) -> None:
        self._tokens = iter(tokens)
        self._worth = worth
        self.refusals: list[str] = []

    async def token(self) -> str:
        token = next(self._tokens)
        if isinstance(token, Exception):
            raise token
        return cast("str", token)

    async def refused(self, token: str) -> bool:
        self.refusals.append(token)
        if isinstance(self._worth, Exception):
            raise self._worth
        return bool(self._worth)


async def test_a_provider_gets_the_refused_token_as_it_handed_it_out() -> None:
    vault = Vault("one", "two", worth=True)
    own = stand(taking("two"), token=vault)
    await own.call(GET_ORDER)
    assert authorizations(own) == ["one", "two"]
    assert vault.refusals == ["one"]


async def test_a_provider_without_another_token_leaves_the_401() -> None:
    vault = Vault("Bearer one")
    own = stand(taking("two"), token=vault)
    with pytest.raises(UnauthorizedError):
        await own.call(GET_ORDER)
    assert vault.refusals == ["Bearer one"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (ValueError("hush"), "the token provider failed with ValueError"),
        (TokenError("the vault is sealed"), "the vault is sealed"),
        (None, "the token provider gave no usable token: a token must be a string"),
        ("hush hush", "the token provider gave no usable token: token must be one word"),
    ],
)
async def test_a_provider_that_fails_is_a_token_error(given: Any, says: str) -> None:
    own = stand([], token=Vault(given))
    with pytest.raises(TokenError, match=says) as caught:
        await own.call(CREATE_PAYMENT)
    assert "hush" not in str(caught.value)


async def test_a_provider_that_fails_on_a_401_leaves_the_401() -> None:
    own = stand(taking(), token=Vault("one", worth=ValueError("hush")))
    with pytest.raises(UnauthorizedError):
        await own.call(GET_ORDER)


@pytest.mark.parametrize("operation", [CREATE_ORDER, CREATE_PAYMENT], ids=lambda operation: operation.id)
async def test_a_provider_that_fails_later_does_not_hide_a_lost_answer(operation: Any) -> None:
    """The first attempt may have taken effect, and the read-back gets no token. The outcome is unknown, which is not
    a token error."""
    own = stand([lost("read")], token=Vault("one", *[ValueError("hush")] * 5))
    with pytest.raises(OutcomeUnknownError) as caught:
        await own.call(operation)
    assert len(own.engine.requests) == 1
    assert "hush" not in str(caught.value)


# Arguments of a client


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (None, "token is missing"),
        (5, "token is missing"),
        (b"hush", "token is missing"),
        ("", "token is empty"),
        ("hush hush", "one word"),
        (StaticToken, "an instance, not the class StaticToken"),
        (Vault, "an instance, not the class Vault"),
    ],
)
def test_an_invalid_token_is_refused_at_construction(token: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        stand([], token=token)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("token", [raising, Vault(), StaticToken("one")])
def test_a_secondary_goes_with_a_string_alone(token: Any) -> None:
    with pytest.raises(ConfigurationError, match="secondary_token needs a token given as a string"):
        provider_of(token, "two")


async def test_tokens_show_in_no_repr_and_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """That holds at every log level, with bodies in the log, and with a 401 in between."""
    caplog.set_level(logging.DEBUG)
    shown = stand(taking("hush2"), token="hush1", secondary_token="hush2", log_bodies=True)
    await shown.call(GET_ORDER)

    async def source() -> str:
        return "hush3"

    custom = provider_of(Vault("hush4"))
    assert await custom.token() == "hush4"
    things = [shown.client, shown.session.core.auth, CallableToken(source), custom, *shown.engine.requests]
    assert "hush" not in caplog.text + repr(things)
    assert "GetCheckoutOrder" in caplog.text


# In the pipeline


async def test_a_ready_token_is_not_awaited() -> None:
    """The token of a string is ready. The client has to await that of a function or of a provider of the user's."""
    tokens = Tokens(StaticToken("one", "two"))
    first = tokens.at_hand()
    assert first is not None
    assert (first.token, first.header) == ("Bearer one", "Bearer one")
    assert tokens.at_hand() is first
    assert await tokens.refused(first.token)
    second = tokens.at_hand()
    assert second is not None
    assert second.header == "Bearer two"

    async def source() -> str:
        return "three"

    asked = Tokens(provider_of(source))
    assert asked.at_hand() is None
    assert (await asked.signed()).header == "Bearer three"
    assert Tokens(provider_of(Vault("four"))).at_hand() is None


async def test_a_token_is_separate_from_its_header() -> None:
    """The provider gets back a token as it returned it. The header is made once for the same token."""
    tokens = Tokens(provider_of(Vault("four", "four")))
    first, again = await tokens.signed(), await tokens.signed()
    assert first is again
    assert (first.token, first.header) == ("four", "Bearer four")
