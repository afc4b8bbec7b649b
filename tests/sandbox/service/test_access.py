"""Access to the service, and the form of every refusal."""

from functools import partial

import httpx
import pytest

from norce_order_async.sandbox import IN_PROCESS_URL, Sandbox
from tests.sandbox.support import CART, Api, rule

pytestmark = pytest.mark.anyio


@rule("bearer", "bare-token")
@pytest.mark.parametrize("value", ["Bearer sandbox-token", "bearer sandbox-token", "sandbox-token"])
async def test_a_token_is_accepted_with_and_without_bearer(api: Api, value: str) -> None:
    await api.ok("GET", "/orders", headers={"authorization": value})


@rule("bearer", "bare-token")
@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Bearer other", "Bearer Bearer sandbox-token"])
async def test_a_missing_empty_unknown_or_doubled_token_is_refused(api: Api, value: str | None) -> None:
    assert await api.refused("GET", "/orders", headers={"authorization": value}) == (401, "unauthorized")


@rule("merchant-and-channel", "merchant-and-channel-error")
@pytest.mark.parametrize("header", ["x-merchant", "x-channel"])
@pytest.mark.parametrize("value", [None, "", " "])
@pytest.mark.parametrize(("method", "path"), [("GET", "/orders"), ("POST", "/orders/oaAaAaAA/validate")])
async def test_merchant_and_channel_are_demanded(
    api: Api, header: str, value: str | None, method: str, path: str
) -> None:
    assert await api.refused(method, path, headers={header: value}) == (400, "order-bad-request")


@rule("merchant-and-channel-error")
async def test_the_token_is_checked_first(api: Api) -> None:
    headers = {"authorization": None, "x-merchant": None}
    assert await api.refused("GET", "/orders", headers=headers) == (401, "unauthorized")


@rule("scope")
async def test_an_order_is_seen_only_under_its_merchant_and_channel(api: Api, sandbox: Sandbox) -> None:
    path = await api.order(cart=CART)
    for other in (Api(sandbox, merchant="other"), Api(sandbox, channel="no")):
        assert await other.refused("GET", path) == (404, "order-not-found")
        assert await other.refused("PUT", f"{path}/reference", "x") == (404, "order-not-found")
        assert await other.refused("DELETE", path) == (404, "order-not-found")
        assert (await other.ok("GET", "/orders"))["data"] == []
        await other.order(cart=CART)  # the cart reference is free there
        await other.close()
    assert (await api.ok("GET", path))["merchant"] == "acme"


@rule("scope")
async def test_a_header_sent_twice_names_no_merchant(api: Api, sandbox: Sandbox) -> None:
    path = await api.order()
    assert await api.refused("GET", path, headers={"x-merchant": "acme,acme"}) == (404, "order-not-found")


@rule("errors", "error-codes", "order-not-found")
@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/payments/x", ..., "payment-not-found"),
        ("PUT", "/payments/x", {}, "payment-not-found"),
        ("GET", "/payments/x/transactions", ..., "payment-not-found"),
        ("POST", "/payments/x/transactions", {}, "payment-not-found"),
        ("POST", "/payments/x/actions", [], "payment-not-found"),
        ("POST", "/payments/x/actions/y/execute", ..., "payment-not-found"),
        ("GET", "/shippings/x", ..., "shipping-not-found"),
        ("PUT", "/shippings/x", {"total": {}, "vatRate": 0}, "shipping-not-found"),
        ("DELETE", "/hooks/x", ..., "hook-not-found"),
        ("DELETE", "/notifications/x", ..., "notification-not-found"),
        ("DELETE", "/validations/x", ..., "validation-not-found"),
        ("PUT", "/validations/x", {}, "validation-not-found"),
        ("DELETE", "/consents/x", ..., "consent-not-found"),
        ("PATCH", "/consents/x", {}, "consent-not-found"),
    ],
)
async def test_a_missing_thing_is_named(api: Api, method: str, path: str, body: object, code: str) -> None:
    order = await api.order()
    assert await api.refused(method, order + path, body) == (404, code)
    assert await api.refused(method, "/orders/oaAaAaAA" + path, body) == (404, "order-not-found")


@rule("errors", "unknown-path")
@pytest.mark.parametrize("path", ["", "/", "/checkout/order", "/checkout/order/api/v0/checkout/orders/a/b"])
async def test_an_unknown_path_is_an_error_like_any_other(api: Api, path: str) -> None:
    response = await api.send("GET", f"http://localhost{path}")
    assert (response.status_code, response.json()["code"]) == (404, "not-found")


@rule("unknown-path")
async def test_an_empty_id_is_not_the_collection(api: Api) -> None:
    assert await api.refused("DELETE", "/orders/") == (404, "not-found")


@rule("unknown-path")
async def test_a_method_that_a_path_lacks(api: Api) -> None:
    response = await api.send("PUT", "/orders", {})
    assert (response.status_code, response.json()["code"]) == (405, "method-not-allowed")
    assert set(response.headers["allow"].split(", ")) == {"GET", "POST"}


@rule("body-size")
async def test_a_body_that_is_too_large_is_refused() -> None:
    api = Api(Sandbox(max_body=1000))
    assert await api.refused("POST", "/orders", {"reference": "x" * 1000}) == (413, "order-bad-request")
    assert (await api.ok("GET", "/orders"))["data"] == []
    await api.close()


@rule("media-type")
async def test_a_body_of_another_content_type_is_refused(api: Api) -> None:
    sent = {"content": b"{}", "headers": {"content-type": "text/plain"}}
    assert await api.refused("POST", "/orders", **sent) == (400, "order-bad-request")
    for media_type in ("application/json; charset=utf-8", "application/problem+json"):
        await api.ok("POST", "/orders", content=b"{}", headers={"content-type": media_type})


async def test_the_log_has_requests_as_received_without_the_token(api: Api, sandbox: Sandbox) -> None:
    await api.refused("POST", "/orders?a=b+c", content=b"{oops")
    (request,) = sandbox.requests
    assert (request.method, request.path) == ("POST", "/checkout/order/api/v0/checkout/orders")
    assert (request.query, request.body) == ("a=b+c", b"{oops")
    assert (request.status, request.operation) == (400, "CreateCheckoutOrder")
    assert (request.headers["authorization"], request.headers["x-merchant"]) == ("Bearer ***", "acme")
    assert sandbox.token not in repr(request)
    assert "oops" not in repr(request)
    await api.send("GET", "http://localhost/nowhere")
    assert [entry.status for entry in sandbox.requests] == [400, 404]
    assert sandbox.requests.of("CreateCheckoutOrder") == [request]
    sandbox.requests.clear()
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("log", ["requests", "effects"])
async def test_the_logs_refuse_an_unknown_operation(sandbox: Sandbox, log: str) -> None:
    """A misspelled name would find nothing, and a test that asserts "none" would pass."""
    of = sandbox.requests.of if log == "requests" else partial(sandbox.effects.of, None)
    with pytest.raises(ValueError, match="'CreateOrderPaymnt'; did you mean CreateOrderPayment or "):
        of("CreateOrderPaymnt")
    assert of("CreateOrderPayment") == []


async def test_the_log_keeps_the_latest() -> None:
    sandbox = Sandbox(keep_requests=2)
    api = Api(sandbox)
    for number in range(3):
        await api.ok("GET", "/orders", params={"offset": number})
    assert [request.query for request in sandbox.requests] == ["offset=1", "offset=2"]
    await api.close()


async def test_a_failure_of_the_sandbox_itself_is_a_500_without_a_traceback(
    api: Api, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.close()  # the sandbox here has no store
    assert await api.refused("GET", "/orders") == (500, "internal-server-error")
    assert "GET /checkout/order/api/v0/checkout/orders failed" in caplog.text


async def test_v1_is_not_imitated(sandbox: Sandbox) -> None:
    """The answer says so, because the reader might otherwise look for a wrong address."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url=IN_PROCESS_URL) as http:
        response = await http.get("/api/v1/checkout/orders")
    assert response.status_code == 404
    assert "imitates v0 of the API and not v1: /api/v0/checkout/orders" in response.json()["message"]
