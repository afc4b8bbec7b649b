"""Endpoint modules: the request as data, the answer as data, and the functions that send."""

# The facade uses the builders, which keep the generator's own private name, so the tests use them too.
# pyright: reportPrivateUsage=false

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from types import ModuleType
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_api import api
from norce_order_api.api.checkout import (
    create_checkout_order,
    delete_checkout_order,
    get_checkout_order,
    get_checkout_orders,
    patch_checkout_order_attributes,
    patch_checkout_order_consents,
    update_checkout_order_reference,
    update_checkout_order_state,
    validate,
)
from norce_order_api.client import AuthenticatedClient
from norce_order_api.errors import UnexpectedStatus
from norce_order_api.models import (
    BaseError,
    Consent,
    CreateResponse,
    OrderData,
    OrderPaginationSet,
    State,
    ValidationError,
    ValidationErrors,
)
from norce_order_api.types import UNSET
from tests.support.turns import examples

WHO: dict[str, Any] = {"x_merchant": "acme", "x_channel": "se"}


def modules() -> Iterator[ModuleType]:
    for tag in pkgutil.iter_modules(api.__path__, api.__name__ + "."):
        for module in pkgutil.iter_modules(importlib.import_module(tag.name).__path__, tag.name + "."):
            yield importlib.import_module(module.name)


MODULES = list(modules())


def test_every_operation_has_a_module() -> None:
    """There are as many modules as operations in the description."""
    described = json.loads(resources.files("norce_order_api").joinpath("openapi.json").read_text(encoding="utf-8"))
    operations = [one["operationId"] for path in described["paths"].values() for one in path.values()]
    assert len(operations) == len(set(operations)) == len(MODULES)


def test_a_request_with_a_model() -> None:
    """The builder gives method, path, headers and a body that is ready for JSON."""
    kwargs = update_checkout_order_state._get_kwargs("o1", body=State(current_status="completed"), **WHO)
    assert kwargs == {
        "method": "put",
        "url": "/api/v0/checkout/orders/o1/state",
        "headers": {"x-merchant": "acme", "x-channel": "se", "Content-Type": "application/json"},
        "json": {"currentStatus": "completed"},
    }


def test_bodies_given_as_plain_data() -> None:
    """A body may be a dict, a list of dicts and models, a bare text or free-form data with nulls."""
    plain = {"currentStatus": "completed", "more": None}
    assert update_checkout_order_state._get_kwargs("o1", body=plain, **WHO)["json"] == plain
    several = patch_checkout_order_consents._get_kwargs("o1", body=[Consent(id="a"), {"id": "b"}], **WHO)
    assert several["json"] == [{"id": "a"}, {"id": "b"}]
    assert update_checkout_order_reference._get_kwargs("o1", body="r", **WHO)["json"] == "r"
    assert patch_checkout_order_attributes._get_kwargs("o1", body={"a": None}, **WHO)["json"] == {"a": None}


@pytest.mark.parametrize("nothing", [{}, {"body": UNSET}, {"body": None}])
def test_an_optional_body_left_out(nothing: Any) -> None:
    """Without a body there is no content type either."""
    kwargs = create_checkout_order._get_kwargs(**WHO, **nothing)
    assert "json" not in kwargs
    assert "Content-Type" not in kwargs["headers"]


def test_a_body_of_another_type() -> None:
    """The error names the given type."""
    wrong: Any = "completed"
    with pytest.raises(TypeError, match="str given"):
        update_checkout_order_state._get_kwargs("o1", body=wrong, **WHO)


def test_query_parameters_are_ready_to_send() -> None:
    """Lists stay lists, times are texts, and missing ones are left out."""
    kwargs = get_checkout_orders._get_kwargs(
        offset=0,
        search=None,
        status=["processing", "checkout"],
        date_from=datetime(2026, 1, 2, tzinfo=UTC),
        order_by="created",
        **WHO,
        x_adapterid="a",
    )
    assert kwargs["params"] == {
        "offset": 0,
        "status": ["processing", "checkout"],
        "date_from": "2026-01-02T00:00:00Z",
        "order_by": "created",
    }
    assert kwargs["headers"]["x-adapterid"] == "a"


def test_a_time_without_zone_in_a_query() -> None:
    """The error names the parameter."""
    with pytest.raises(ValueError, match="date_from"):
        get_checkout_orders._get_kwargs(date_from=datetime(2026, 1, 2), **WHO)


def test_ids_are_quoted_for_their_place() -> None:
    """An id is one segment whatever it contains."""
    assert get_checkout_order._get_kwargs("a b?c#d%2Fé", **WHO)["url"].endswith("/orders/a%20b%3Fc%23d%252F%C3%A9")


BAD_IDS = ["", ".", "..", "a/b", "a\\b", "../x", "a\nb", "a\x00", "a\x7f", "a\x85b"]


@pytest.mark.parametrize("bad", BAD_IDS)
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
# One template makes all modules, and one function checks the ids of all.
@pytest.mark.in_turn("bad")
def test_impossible_ids_are_refused(module: ModuleType, bad: str) -> None:
    """An id is refused in every position of every path. The error names the parameter and not its value."""
    parameters = inspect.signature(module._get_kwargs).parameters
    ids = [name for name, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
    body: dict[str, Any] = {"body": {}} if "body" in parameters else {}
    for name in ids:
        given_ids = {**dict.fromkeys(ids, "fine"), name: bad}
        with pytest.raises(ValueError, match=name) as refused:
            module._get_kwargs(**given_ids, **body, **WHO)
        assert len(bad) < 3 or bad not in str(refused.value)


@pytest.mark.parametrize("bad", ["a\nb", "a\r", "a\x00b", "\x7f"])
@pytest.mark.parametrize("header", ["x_merchant", "x_channel", "x_adapterid"])
def test_header_values_that_would_make_a_header_are_refused(header: str, bad: str) -> None:
    """The message names the header and not its value."""
    headers: dict[str, Any] = {**WHO, header: bad}
    with pytest.raises(ValueError, match=header.replace("_", "-")):
        delete_checkout_order._get_kwargs("o1", **headers)


def test_answers_by_status(told: list[tuple[str, str]]) -> None:
    """Each documented status is read by its schema."""
    assert get_checkout_order.parse(200, {"id": "o1"}) == OrderData(id="o1")
    assert create_checkout_order.parse(201, {"id": "o1"}) == CreateResponse(id="o1")
    assert get_checkout_order.parse(404, {"code": "c", "message": "m"}) == BaseError(code="c", message="m")
    assert isinstance(get_checkout_orders.parse(200, {"data": [{}]}), OrderPaginationSet)
    assert update_checkout_order_state.parse(202, None) is None
    assert delete_checkout_order.parse(204, None) is None
    assert told == []


def test_the_three_shapes_of_a_failed_validation() -> None:
    """The shapes are a list, an object with that list and an ordinary error."""
    one = {"code": "c", "adapterId": "a", "message": "m"}
    entry = ValidationError(code="c", adapter_id="a", message="m")
    assert validate.parse(400, [one]) == [entry]
    assert validate.parse(400, {"errors": [one]}) == ValidationErrors(errors=[entry])
    assert validate.parse(400, {"code": "c", "message": "m"}) == BaseError(code="c", message="m")
    assert validate.parse(200, []) == []


def test_an_undocumented_status_is_reported(told: list[tuple[str, str]]) -> None:
    """The answer reads as None, and the status is reported."""
    assert get_checkout_order.parse(520, {"id": "o1"}) is None
    assert told == [("GetCheckoutOrder.520", "unknown-status")]


def test_a_body_too_deep_to_read_is_reported(told: list[tuple[str, str]]) -> None:
    """Nesting that exhausts the stack does not raise."""
    item: dict[str, Any] = {}
    for _ in range(5000):
        item = {"items": [item]}
    assert get_checkout_order.parse(200, {"cart": item}) is None
    assert ("GetCheckoutOrder.200", "too-deep") in told


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "data", "code", "x"]), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
@settings(max_examples=examples(5, soak=15), deadline=None)
@given(data=anything, status=st.sampled_from([200, 201, 202, 204, 302, 400, 404, 409, 499, 500, 520]))
def test_parse_never_raises(module: ModuleType, data: Any, status: int) -> None:
    module.parse(status, data)


def served(status: int, content: bytes) -> AuthenticatedClient:
    """Return a client whose every request gets this answer."""

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=content)

    client = AuthenticatedClient("http://test", token="t")
    client.set_httpx_client(httpx.Client(transport=httpx.MockTransport(answer)))
    return client.set_async_httpx_client(httpx.AsyncClient(transport=httpx.MockTransport(answer)))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "content", "parsed"),
    [
        (200, b'{"id": "o1"}', OrderData(id="o1")),
        (404, b'{"code": "order-not-found"}', BaseError(code="order-not-found")),
        (520, b"<html>", None),
        (499, b"", None),
        (200, b"", None),
        (200, b"<html>bad gateway</html>", None),
        (200, b"\xff\xfe", None),
        (500, b"[" * 100_000, None),
    ],
)
async def test_sending_accepts_any_answer(status: int, content: bytes, parsed: Any) -> None:
    """The status is a plain number, the content is kept, and an unreadable body is None."""
    client = served(status, content)
    for response in (
        get_checkout_order.sync_detailed("o1", client=client, **WHO),
        await get_checkout_order.asyncio_detailed("o1", client=client, **WHO),
    ):
        assert (type(response.status_code), response.status_code) == (int, status)
        assert response.content == content
        assert response.parsed == parsed
        assert "html" not in repr(response)
    assert get_checkout_order.sync("o1", client=client, **WHO) == parsed
    assert await get_checkout_order.asyncio("o1", client=client, **WHO) == parsed


def test_raising_on_an_undocumented_status_shows_no_body() -> None:
    """If the program asks for an error, the body is an attribute of it and not part of its text."""
    client = served(520, b"personal")
    client.raise_on_unexpected_status = True
    with pytest.raises(UnexpectedStatus) as raised:
        get_checkout_order.sync("o1", client=client, **WHO)
    assert raised.value.content == b"personal"
    assert "personal" not in str(raised.value) + repr(raised.value).replace("UnexpectedStatus", "")
