"""Scopes and call options: what is sent, and what stays unchanged."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from norce_order_async import OMIT, CallOptions, ConfigurationError, NorceOrderClient, Scope
from tests.support.engine import answer
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

WATCHED = ("x-merchant", "x-channel", "x-adapterid", "x-shop", "x-flag")


async def sent(service: Stand, scope: Scope, options: CallOptions | None = None) -> dict[str, str]:
    """Return those headers of a call that a test may have changed."""
    await scope.orders.get("o1", options=options)
    headers = service.engine.requests[-1].headers
    return {name: headers[name] for name in WATCHED if name in headers}


def service(**arguments: Any) -> Stand:
    return stand(lambda request: answer(200, {"id": "o1"}), **arguments)


async def test_a_scope_changes_its_arguments_only() -> None:
    """A scope changes merchant, channel, adapter and headers, and the client stays unchanged."""
    on = service(adapter_id="erp", headers={"X-Shop": "1"})
    base = {"x-merchant": "acme", "x-channel": "se", "x-adapterid": "erp", "x-shop": "1"}
    assert await sent(on, on.client) == base
    scope = on.client.scoped(merchant="other", channel="no", adapter_id="psp", headers={"x-flag": "on"})
    assert (scope.merchant, scope.channel, scope.adapter_id) == ("other", "no", "psp")
    assert await sent(on, scope) == {
        "x-merchant": "other",
        "x-channel": "no",
        "x-adapterid": "psp",
        "x-shop": "1",
        "x-flag": "on",
    }
    assert await sent(on, on.client) == base


async def test_omit_leaves_out() -> None:
    """OMIT leaves out the adapter id and a header, for a scope and for one call."""
    on = service(adapter_id="erp", headers={"x-shop": "1"})
    bare = on.client.scoped(adapter_id=OMIT, headers={"X-SHOP": OMIT})
    assert await sent(on, bare) == {"x-merchant": "acme", "x-channel": "se"}
    assert bare.adapter_id is None
    once = CallOptions(adapter_id=OMIT, headers={"x-shop": OMIT})
    assert await sent(on, on.client, once) == {"x-merchant": "acme", "x-channel": "se"}
    assert (await sent(on, on.client.scoped(), CallOptions()))["x-adapterid"] == "erp"


async def test_the_innermost_wins() -> None:
    """A call's header wins over that of its scope, and an inner scope's over the outer scope's and the client's."""
    on = service(options=CallOptions(adapter_id="a", headers={"x-shop": "client"}))
    inner = on.client.scoped(headers={"x-shop": "outer"}).scoped(options=CallOptions(headers={"x-shop": "inner"}))
    assert await sent(on, inner) == {"x-merchant": "acme", "x-channel": "se", "x-adapterid": "a", "x-shop": "inner"}
    assert (await sent(on, inner, CallOptions(headers={"x-shop": "call"})))["x-shop"] == "call"


async def test_attempts_of_a_scope_and_of_a_call() -> None:
    """A scope's attempts hold for its calls, and a call's own attempts hold for that call."""
    on = stand(lambda request: answer(500))
    once = on.client.scoped(options=CallOptions(max_attempts=1))
    for scope, options, attempts in (
        (on.client, None, 3),
        (once, None, 1),
        (once, CallOptions(max_attempts=2), 2),
        (once, CallOptions(read_timeout=1.0), 1),
    ):
        before = len(on.engine.requests)
        with pytest.raises(Exception, match="GetCheckoutOrder"):
            await scope.orders.get("o1", options=options)
        assert len(on.engine.requests) - before == attempts
    assert on.engine.requests[-1].timeouts.read == 1.0


async def test_the_correlation_id_of_a_call() -> None:
    """A given id is sent as it is, and so is one from a scope's headers. Otherwise each call gets a new one."""
    on = service()
    await on.client.orders.get("o1", options=CallOptions(correlation_id="ours-1"))
    await on.client.orders.get("o1")
    await on.client.orders.get("o1")
    first, second, third = (request.headers["x-correlation-id"] for request in on.engine.requests)
    assert first == "ours-1"
    assert second != third
    await on.client.scoped(headers={"x-correlation-id": "batch-7"}).orders.get("o1")
    assert on.engine.requests[-1].headers["x-correlation-id"] == "batch-7"


async def test_a_handle_keeps_the_scope_it_came_from() -> None:
    """A write goes to the channel that the order was read from."""
    on = service()
    order = await on.client.scoped(channel="no").orders.get("o1")
    await order.set_reference("r")
    assert on.engine.requests[-1].headers["x-channel"] == "no"


def test_a_scope_shares_the_clients_parts() -> None:
    """Address, engine and drift record are the client's."""
    on = service()
    scope = on.client.scoped(channel="no")
    assert (scope.base_url, scope.engine) == (on.client.base_url, on.client.engine)
    assert scope.drift is on.client.drift
    assert not isinstance(scope, NorceOrderClient)
    assert "channel='no'" in repr(scope)
    assert "adapter_id='psp'" in repr(scope.scoped(adapter_id="psp"))


@pytest.mark.parametrize(
    "changes",
    [{"merchant": ""}, {"channel": "\t"}, {"adapter_id": ""}, {"headers": {"x-a": "\r\n"}}, {"headers": {"Host": "a"}}],
)
def test_a_scope_checks_like_the_client(changes: Any) -> None:
    with pytest.raises(ConfigurationError):
        service().client.scoped(**changes)


@pytest.mark.parametrize("name", [each.name for each in fields(CallOptions)])
def test_none_means_no_limit_and_nothing_else(name: str) -> None:
    """Only ``deadline`` and ``queue_timeout`` accept None."""
    given: Any = {name: None}
    if name in ("deadline", "queue_timeout"):
        assert getattr(CallOptions(**given), name) is None
        return
    with pytest.raises(ConfigurationError, match=name):
        CallOptions(**given)


async def test_options_of_a_call_are_checked_before_sending() -> None:
    """A line break can't become a header, and nothing is sent."""
    on = service()
    for options in (
        CallOptions(headers={"x-a": "b\nc"}),
        CallOptions(adapter_id="b\nc"),
        CallOptions(correlation_id="b\nc"),
    ):
        with pytest.raises(ConfigurationError):
            await on.client.orders.get("o1", options=options)
    assert on.engine.requests == []
