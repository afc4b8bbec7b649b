"""Requests from cached parts equal those of the generated builder, and nothing leaks between calls."""

from __future__ import annotations

import pytest

from norce_order_async.context import Context
from norce_order_async.errors import InvalidRequestError
from norce_order_async.pipeline.operations import GET_ORDER, GET_PAYMENT, LIST_ORDERS, OPERATIONS, V0, Api, Operation
from norce_order_async.pipeline.request import Requests
from norce_order_async.pipeline.settings import CallOptions
from tests.support.engine import answer
from tests.support.pipeline import BASE_URL, path_names, sample_body, stand

CONTEXT = Context.create(merchant="acme", channel="se", adapter_id="a1", headers={"x-own": "1"})

ODD_IDS = ("o1", "a-b_c~d", "a.b", ".a", "a..", "...", "a b", "å/".removesuffix("/"), "a%2Fb", "{order_id}", "{}", "%s",
           "-order_id-", "-payment_id-", "a?b#c", "a@b:c", "o" * 300)  # fmt: skip
WITHOUT_BODY = [operation for operation in OPERATIONS if sample_body(operation) is None]


def requests() -> Requests:
    return Requests(BASE_URL, CONTEXT, "agent")


@pytest.mark.parametrize("operation", WITHOUT_BODY, ids=lambda operation: operation.id)
def test_a_filled_address_is_the_builders(operation: Operation) -> None:
    """Method, address and headers equal the builder's for any id, the first time and later."""
    made = requests()
    for order_id in (*ODD_IDS, *ODD_IDS):
        ids = dict.fromkeys(path_names(operation), "x1") | ({"order_id": order_id} if path_names(operation) else {})
        built = V0.endpoint(operation).build(**ids, x_merchant="acme", x_channel="se", x_adapterid="a1")
        prepared = made.prepare(operation, ids)
        assert (prepared.method, prepared.url) == (built["method"].upper(), BASE_URL + built["url"])
        assert prepared.headers == {
            "user-agent": "agent",
            "accept": "application/json",
            "x-own": "1",
            "x-merchant": "acme",
            "x-channel": "se",
            "x-adapterid": "a1",
        }
        assert (prepared.json, prepared.body) == (None, None)


def test_each_id_goes_to_its_place() -> None:
    """Ids go to their places even if one looks like the placeholder of the other."""
    made = requests()
    for _ in range(2):
        prepared = made.prepare(GET_PAYMENT, {"order_id": "-payment_id-", "payment_id": "-order_id-"})
        assert prepared.url.endswith("/orders/-payment_id-/payments/-order_id-")


def test_a_base_address_may_hold_braces() -> None:
    """Braces in front of the path are not taken for placeholders."""
    made = Requests("http://127.0.0.1/{order_id}/{}", CONTEXT, "agent")
    assert made.prepare(GET_ORDER, {"order_id": "o1"}).url.startswith("http://127.0.0.1/{order_id}/{}/api/v0/")


@pytest.mark.parametrize("bad", ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "a\x7f", "a\x85b", 5, None])
def test_a_bad_id_is_refused_the_first_time_and_later(bad: str) -> None:
    """The parts that were cached for a good id do not let a bad one through."""
    made = requests()
    with pytest.raises(InvalidRequestError, match="order_id"):
        made.prepare(GET_ORDER, {"order_id": bad})
    made.prepare(GET_ORDER, {"order_id": "o1"})
    with pytest.raises(InvalidRequestError, match="order_id"):
        made.prepare(GET_ORDER, {"order_id": bad})


def test_a_query_is_not_cached() -> None:
    """A listing with a query does not leave it for the next listing."""
    made = requests()
    assert made.prepare(LIST_ORDERS, {}, {"limit": 3}).url.endswith("orders?limit=3")
    assert made.prepare(LIST_ORDERS, {}).url.endswith("/orders")
    assert made.prepare(LIST_ORDERS, {}, {"limit": 4}).url.endswith("orders?limit=4")


def test_every_call_has_a_correlation_id_of_its_own() -> None:
    """The id has 32 characters, unless one is given or is in the context."""
    made = requests()
    found = {made.prepare(GET_ORDER, {"order_id": "o1"}).correlation_id for _ in range(1_000)}
    assert len(found) == 1_000
    assert {len(each) for each in found} == {32}
    assert made.prepare(GET_ORDER, {"order_id": "o1"}, correlation_id="given").correlation_id == "given"
    mine = CONTEXT.changed(headers={"x-correlation-id": "mine"})
    assert Requests(BASE_URL, mine, "agent").prepare(GET_ORDER, {"order_id": "o1"}).correlation_id == "mine"


@pytest.mark.anyio
async def test_cached_parts_are_shared_by_scopes_of_one_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scopes with other numbers share the cached parts; scopes with another channel or other headers do not."""
    made: list[Context] = []

    def counted(base_url: str, context: Context, user_agent: str, api: Api) -> Requests:
        made.append(context)
        return Requests(base_url, context, user_agent, api)

    monkeypatch.setattr("norce_order_async.pipeline.core.Requests", counted)
    stand_ = stand(lambda _: answer(200, {"id": "o1"}))
    await stand_.call(GET_ORDER)
    session = stand_.session
    for same in (session, session.scoped(CallOptions(deadline=1.0))):
        same.prepare(GET_ORDER, {"order_id": "o1"}, None, None)
    assert made == [session.context]
    for number, other in enumerate(
        (
            session.scoped(CallOptions(), channel="no"),
            session.scoped(CallOptions(adapter_id="a2")),
            session.scoped(CallOptions(headers={"x-own": "2"})),
            session.scoped(CallOptions(correlation_id="c1")),
        )
    ):
        other.prepare(GET_ORDER, {"order_id": "o1"}, None, None)
        assert made[1 + number :] == [other.context]
