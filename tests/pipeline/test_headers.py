"""The headers of a request: sign-in, scope, own names and correlation, per client, scope and call."""

from __future__ import annotations

import re

import pytest

from norce_order_async import OMIT, CallOptions
from norce_order_async.errors import OutcomeUnknownError
from norce_order_async.pipeline.operations import CREATE_ORDER, CREATE_PAYMENT, GET_ORDER, SET_STATE, Operation
from norce_order_async.pipeline.readback import Baseline
from tests.support.engine import answer, lost
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio


def last(stand_: Stand, name: str) -> str | None:
    return stand_.engine.requests[-1].headers.get(name)


@pytest.mark.parametrize(
    "token", ["abc", "Bearer abc", "bearer abc", "BEARER abc", "Bearer  abc", "Bearer Bearer abc", " abc ", "abc\n"]
)
async def test_bearer_is_there_once(token: str) -> None:
    """The header has "Bearer" once, whether or not the token has it and whatever whitespace is around it."""

    async def function() -> str:
        return token

    class Provider:
        async def token(self) -> str:
            return token

        async def refused(self, token: str) -> bool:
            return False

    for given in (token, function, Provider()):
        stand_ = stand([answer(200, {})], token=given)
        await stand_.call(GET_ORDER)
        assert last(stand_, "authorization") == "Bearer abc"


async def test_a_provider_gets_the_token_it_gave() -> None:
    """The provider is told of a refused token as it gave it, not as it was sent."""
    told: list[str] = []

    class Provider:
        async def token(self) -> str:
            return f"abc{len(told)}"

        async def refused(self, token: str) -> bool:
            told.append(token)
            return True

    stand_ = stand([answer(401), answer(200, {})], token=Provider())
    await stand_.call(GET_ORDER)
    assert told == ["abc0"]
    assert last(stand_, "authorization") == "Bearer abc1"


async def test_an_async_function_is_asked_again_after_a_401() -> None:
    """The call is repeated if the function returns another token, and refused if it returns the same one."""
    tokens = iter(["old", "new", "new"])

    async def renews() -> str:
        return next(tokens)

    stand_ = stand([answer(401), answer(200, {})], token=renews)
    await stand_.call(GET_ORDER)
    assert last(stand_, "authorization") == "Bearer new"

    async def stays() -> str:
        return "old"

    stuck = stand([answer(401)], token=stays)
    with pytest.raises(Exception, match="refused with 401"):
        await stuck.call(GET_ORDER)


async def test_scope_headers() -> None:
    """Merchant, channel and adapter come from the client, and a scope or a call may change them or leave out the
    adapter with OMIT."""
    stand_ = stand(lambda _: answer(200, {}), adapter_id="adapter")
    await stand_.client.orders("o1").refresh()
    names = ("x-merchant", "x-channel", "x-adapterid")
    assert [last(stand_, name) for name in names] == ["acme", "se", "adapter"]
    await stand_.client.scoped(merchant="beta", channel="no", adapter_id="other").orders("o1").refresh()
    assert [last(stand_, name) for name in names] == ["beta", "no", "other"]
    await stand_.client.scoped(adapter_id=OMIT).orders("o1").refresh()
    assert [last(stand_, name) for name in names] == ["acme", "se", None]
    await stand_.client.orders("o1").refresh(options=CallOptions(adapter_id="once"))
    assert last(stand_, "x-adapterid") == "once"
    await stand_.client.orders("o1").refresh(options=CallOptions(adapter_id=OMIT))
    assert last(stand_, "x-adapterid") is None
    await stand_.client.orders("o1").refresh()
    assert [last(stand_, name) for name in names] == ["acme", "se", "adapter"]


async def test_own_headers() -> None:
    """Headers come from client, scope and call. The innermost wins whatever its case, and OMIT removes one."""
    stand_ = stand(lambda _: answer(200, {}), headers={"X-Trace": "client", "x-keep": "1"})
    scope = stand_.client.scoped(headers={"x-trace": "scope"})
    await scope.orders("o1").refresh()
    assert (last(stand_, "x-trace"), last(stand_, "x-keep")) == ("scope", "1")
    await scope.orders("o1").refresh(options=CallOptions(headers={"X-TRACE": "call", "x-keep": OMIT}))
    assert (last(stand_, "x-trace"), last(stand_, "x-keep")) == ("call", None)
    await stand_.client.orders("o1").refresh()
    assert (last(stand_, "x-trace"), last(stand_, "x-keep")) == ("client", "1")


async def test_our_user_agent_and_content_types() -> None:
    """The User-Agent is ours, the call accepts JSON, and a body is declared as JSON."""
    stand_ = stand([answer(200, {}), answer(201, {"id": "x"})])
    await stand_.call(GET_ORDER)
    assert re.fullmatch(r"norce-order-async/\S+ python/\S+ scripted", last(stand_, "user-agent") or "")
    assert (last(stand_, "accept"), last(stand_, "content-type")) == ("application/json", None)
    await stand_.call(CREATE_ORDER)
    assert last(stand_, "content-type") == "application/json"


def correlations(stand_: Stand) -> list[str]:
    return [request.headers["x-correlation-id"] for request in stand_.engine.requests]


async def test_each_call_has_one_correlation_id() -> None:
    """All attempts of a call have the same id, which its answer has too. Another call has another id."""
    stand_ = stand([answer(500), answer(500), answer(200, {}), answer(200, {})])
    done = await stand_.call(GET_ORDER)
    other = await stand_.call(GET_ORDER)
    first, second, third, fourth = correlations(stand_)
    assert first == second == third == done.correlation_id
    assert fourth == other.correlation_id != first


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, None),
        (CallOptions(correlation_id="mine-1"), "mine-1"),
        (CallOptions(headers={"X-Correlation-Id": "mine-1"}), "mine-1"),
        (CallOptions(headers={"x-correlation-id": "header"}, correlation_id="mine-1"), "mine-1"),
    ],
)
async def test_read_backs_carry_it_too(options: CallOptions | None, expected: str | None) -> None:
    """Reads after a lost creation carry the call's id, whether it was generated, an option or a header. The error's
    text has it."""
    looks = [answer(200, {"data": []})] * 4
    stand_ = stand([lost("read"), *looks, answer(409), *looks])
    with pytest.raises(Exception, match=r"\b409\b") as caught:
        await stand_.call(CREATE_ORDER, options=options)
    assert len(correlations(stand_)) == 10
    assert set(correlations(stand_)) == {expected or correlations(stand_)[0]}
    assert correlations(stand_)[0] in str(caught.value)


@pytest.mark.parametrize("operation", [SET_STATE, CREATE_PAYMENT])
async def test_read_backs_of_the_order_carry_it_too(operation: Operation) -> None:
    """The read after a lost creation keeps the correlation id and the adapter."""
    stand_ = stand([lost("read"), answer(403)], adapter_id="adapter")
    with pytest.raises(OutcomeUnknownError):
        await stand_.call(
            operation,
            before=Baseline(ids=frozenset()),
            options=CallOptions(correlation_id="mine-2", adapter_id="once"),
        )
    assert correlations(stand_) == ["mine-2", "mine-2"]
    assert [request.headers["x-adapterid"] for request in stand_.engine.requests] == ["once", "once"]


async def test_a_secondary_token_may_be_the_same() -> None:
    """If both tokens are the same, there is no other one to try."""
    stand_ = stand([answer(401)], token="abc", secondary_token="Bearer abc")
    with pytest.raises(Exception, match="refused with 401"):
        await stand_.call(GET_ORDER)
    assert len(stand_.sent) == 1
