"""Every operation of the description through the client's methods, over a socket, on both event loops, with every
engine.

``CALLS`` says for each operation which method of the facade makes it and what has to arrive at the service. A test
compares its keys with the description, so an operation without a method fails here, and so does a method that is gone.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, cast

import pytest

from norce_order_async import NorceOrderClient, Order, OrderFilter
from norce_order_async.models import (
    Address,
    AddressDict,
    Callback,
    Cart,
    Consent,
    Hook,
    Item,
    Notification,
    OrderData,
    Payment,
    PaymentAction,
    PaymentActionDict,
    PaymentTransaction,
    Price,
    PriceDict,
    Shipping,
)
from norce_order_async.pipeline.operations import OPERATIONS, Kind
from norce_order_async.sandbox import Sandbox
from tests.support.orders import CART, CONTEXT, client_of
from tests.support.wires import WIRES, engine_of, loop_of

pytestmark = pytest.mark.anyio

DESCRIPTION: dict[str, Any] = json.loads(files("norce_order_api").joinpath("openapi.json").read_text("utf-8"))
DESCRIBED = {
    operation["operationId"]
    for path in DESCRIPTION["paths"].values()
    for method, operation in path.items()
    if method in ("get", "put", "post", "patch", "delete")
}


@dataclass
class Stage:
    """An order with one of each part, and the ids of its parts."""

    norce: NorceOrderClient
    order: Order
    provider: str

    @property
    def ids(self) -> dict[str, str]:
        order = self.order
        lists: dict[str, Any] = {
            "payment": order.payments,
            "shipping": order.shippings,
            "consent": order.consents,
            "hook": order.hooks,
            "notification": order.notifications,
            "validation": order.validations,
            "action": next(iter(order.payments)).actions,
        }
        return {"order": order.id, **{name: next(iter(parts)).id for name, parts in lists.items()}}


@dataclass(frozen=True)
class Call:
    """The client's call for an operation, and the request that must arrive."""

    make: Callable[[Stage], Awaitable[object]]
    method: str
    path: str
    body: Any = None
    query: str = ""
    effects: int = 1
    """The number of changes that the service records."""
    kind: Kind | None = None
    """What the client may do after an unknown outcome; None for the usual kind of the method."""


PRICE: PriceDict = {"includingVat": 49.0, "excludingVat": 39.2}
ADDRESS: AddressDict = {"type": "person", "givenName": "Åsa", "country": "SE"}
FROM = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

CALLS: dict[str, Call] = {
    "CreateCheckoutOrder": Call(
        lambda on: on.norce.orders.create(OrderData(reference="ours"), **CONTEXT, cart=CART),
        "POST",
        "/orders",
        {**CONTEXT, "reference": "ours", "cart": CART},
        effects=0,
        kind=Kind.CREATE_ORDER,
    ),
    "GetCheckoutOrders": Call(
        lambda on: on.norce.orders.list(
            OrderFilter(status=["checkout", "accepted"], billing_emails=["a+b@example.com"], date_from=FROM),
            offset=2,
            limit=5,
        ),
        "GET",
        "/orders",
        query="offset=2&limit=5&status=checkout&status=accepted&date_from=2026-01-02T03%3A04%3A05Z"
        "&billing_emails=a%2Bb%40example.com",
        effects=0,
    ),
    "GetCheckoutOrder": Call(lambda on: on.norce.orders.get(on.order.id), "GET", "/orders/{order}", effects=0),
    "DeleteCheckoutOrder": Call(lambda on: on.norce.orders.delete(on.order.id), "DELETE", "/orders/{order}"),
    "UpdateCheckoutOrderState": Call(
        lambda on: on.order.transition_to("processing"),
        "PUT",
        "/orders/{order}/state",
        {"currentStatus": "processing"},
        kind=Kind.STATE,
    ),
    "UpdateCheckoutOrderCart": Call(
        lambda on: on.order.cart.put(
            Cart(items=[Item(sku="T2", quantity=1, total=Price(including_vat=3.5))], total=Price(including_vat=3.5))
        ),
        "PUT",
        "/orders/{order}/cart",
        {
            "items": [{"sku": "T2", "quantity": 1, "total": {"includingVat": 3.5}}],
            "total": {"includingVat": 3.5},
        },
    ),
    "UpdateCheckoutOrderCustomerBilling": Call(
        lambda on: on.order.customer.set_billing(Address(type_="person", given_name="Åsa", country="SE")),
        "PUT",
        "/orders/{order}/customer/billing",
        ADDRESS,
    ),
    "UpdateCheckoutOrderCustomerShipping": Call(
        lambda on: on.order.customer.set_shipping(ADDRESS), "PUT", "/orders/{order}/customer/shipping", ADDRESS
    ),
    "UpdateCheckoutOrderReference": Call(
        lambda on: on.order.set_reference("our-1"), "PUT", "/orders/{order}/reference", "our-1"
    ),
    "PatchCheckoutOrderAttributes": Call(
        lambda on: on.order.attributes.update({"a": 1, "b": None}),
        "PATCH",
        "/orders/{order}/attributes",
        {"a": 1, "b": None},
    ),
    "Validate": Call(lambda on: on.order.validate(), "POST", "/orders/{order}/validate", effects=0, kind=Kind.SAFE),
    "CreateCheckoutOrderConsent": Call(
        lambda on: on.order.consents.create(Consent(id="news", text="News?", required=False)),
        "POST",
        "/orders/{order}/consents",
        {"id": "news", "text": "News?", "required": False},
        kind=Kind.CREATE,
    ),
    "PatchCheckoutOrderConsents": Call(
        lambda on: on.order.consents.patch([{"id": "terms", "checked": False}]),
        "PATCH",
        "/orders/{order}/consents",
        [{"id": "terms", "checked": False}],
    ),
    "PatchCheckoutOrderConsent": Call(
        lambda on: on.order.consents.uncheck("terms"),
        "PATCH",
        "/orders/{order}/consents/{consent}",
        {"id": "terms", "checked": False},
    ),
    "RemoveCheckoutOrderConsent": Call(
        lambda on: on.order.consents.delete("terms"), "DELETE", "/orders/{order}/consents/{consent}"
    ),
    "CreateCheckoutOrderValidation": Call(
        lambda on: on.order.validations.create(Callback(adapter_id="stock", url="https://stock.example/{order_id}")),
        "POST",
        "/orders/{order}/validations",
        {"adapterId": "stock", "url": "https://stock.example/{order_id}"},
        kind=Kind.CREATE,
    ),
    "UpdateCheckoutOrderValidation": Call(
        lambda on: on.order.validations.put(on.ids["validation"], {"adapterId": "stock", "url": "https://b.example"}),
        "PUT",
        "/orders/{order}/validations/{validation}",
        {"adapterId": "stock", "url": "https://b.example"},
    ),
    "RemoveCheckoutOrderValidation": Call(
        lambda on: on.order.validations.delete(on.ids["validation"]),
        "DELETE",
        "/orders/{order}/validations/{validation}",
    ),
    "CreateCheckoutOrderHook": Call(
        lambda on: on.order.hooks.create(
            Hook(adapter_id="erp", subscribe_to="/state", invoke="https://erp.example/{order_id}", version="v1")
        ),
        "POST",
        "/orders/{order}/hooks",
        {"adapterId": "erp", "subscribeTo": "/state", "invoke": "https://erp.example/{order_id}", "version": "v1"},
        kind=Kind.CREATE,
    ),
    "DeleteCheckoutOrderHook": Call(
        lambda on: on.order.hooks.delete(on.ids["hook"]), "DELETE", "/orders/{order}/hooks/{hook}"
    ),
    "CreateCheckoutOrderNotification": Call(
        lambda on: on.order.notifications.create(
            Notification(scope="/state/currentStatus", schema={"const": "completed"}, invoke="https://erp.example")
        ),
        "POST",
        "/orders/{order}/notifications",
        {"scope": "/state/currentStatus", "schema": {"const": "completed"}, "invoke": "https://erp.example"},
        kind=Kind.CREATE,
    ),
    "DeleteCheckoutOrderNotification": Call(
        lambda on: on.order.notifications.delete(on.ids["notification"]),
        "DELETE",
        "/orders/{order}/notifications/{notification}",
    ),
    "CreateOrderPayment": Call(
        lambda on: on.order.payments.create(Payment(amount=10.5, currency="SEK", reference="psp-2", state="intent")),
        "POST",
        "/orders/{order}/payments",
        {"amount": 10.5, "currency": "SEK", "reference": "psp-2", "state": "intent"},
        kind=Kind.CREATE,
    ),
    "GetOrderPayments": Call(lambda on: on.order.payments.list(), "GET", "/orders/{order}/payments", effects=0),
    "GetOrderPayment": Call(
        lambda on: on.order.payments.get(on.ids["payment"]), "GET", "/orders/{order}/payments/{payment}", effects=0
    ),
    "UpdateOrderPayment": Call(
        lambda on: on.order.payments.put(on.ids["payment"], {"amount": 1.0, "state": "removed"}),
        "PUT",
        "/orders/{order}/payments/{payment}",
        {"amount": 1.0, "state": "removed"},
    ),
    "AddPaymentAction": Call(
        lambda on: on.order.payments.add_actions(
            on.ids["payment"], [PaymentAction(adapter_id="psp", type_="refund", url="https://psp.example/refund")]
        ),
        "POST",
        "/orders/{order}/payments/{payment}/actions",
        [{"adapterId": "psp", "type": "refund", "url": "https://psp.example/refund"}],
        kind=Kind.CREATE,
    ),
    "ExecutePaymentAction": Call(
        lambda on: on.order.payments.execute_action(on.ids["payment"], on.ids["action"]),
        "POST",
        "/orders/{order}/payments/{payment}/actions/{action}/execute",
        kind=Kind.EXECUTE,
    ),
    "GetTransactionsForOrderPayment": Call(
        lambda on: on.order.payments.transactions(on.ids["payment"]),
        "GET",
        "/orders/{order}/payments/{payment}/transactions",
        effects=0,
    ),
    "AddTransactionForOrderPayment": Call(
        lambda on: on.order.payments.add_transaction(
            on.ids["payment"], PaymentTransaction(event="capture", amount=174.0, is_success=True)
        ),
        "POST",
        "/orders/{order}/payments/{payment}/transactions",
        {"event": "capture", "amount": 174.0, "isSuccess": True},
        kind=Kind.CREATE,
    ),
    "CreateOrderShipping": Call(
        lambda on: on.order.shippings.create(Shipping(total=Price(49.0, 39.2), vat_rate=0.25, reference="tms-2")),
        "POST",
        "/orders/{order}/shippings",
        {"total": PRICE, "vatRate": 0.25, "reference": "tms-2"},
        kind=Kind.CREATE,
    ),
    "GetOrderShippings": Call(lambda on: on.order.shippings.list(), "GET", "/orders/{order}/shippings", effects=0),
    "GetOrderShipping": Call(
        lambda on: on.order.shippings.get(on.ids["shipping"]), "GET", "/orders/{order}/shippings/{shipping}", effects=0
    ),
    "UpdateOrderShipping": Call(
        lambda on: on.order.shippings.put(on.ids["shipping"], {"total": PRICE, "vatRate": 0.25, "state": "removed"}),
        "PUT",
        "/orders/{order}/shippings/{shipping}",
        {"total": PRICE, "vatRate": 0.25, "state": "removed"},
    ),
}


@pytest.fixture(params=WIRES)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return loop_of(request)


@pytest.fixture
async def norce(sandbox: Sandbox, request: pytest.FixtureRequest) -> AsyncIterator[NorceOrderClient]:
    async with client_of(sandbox, engine=engine_of(request)) as client:
        yield client


@pytest.fixture
async def stage(norce: NorceOrderClient, provider_url: str) -> Stage:
    """Create an order that may go on to processing, with one of each part, and read it."""
    order = await norce.orders.create(
        cast(
            "Any",
            {
                **CONTEXT,
                "cart": CART,
                "consents": [{"id": "terms", "checked": True, "required": True}],
                "hooks": [{"adapterId": "erp", "subscribeTo": "/cart", "invoke": provider_url}],
                "notifications": [{"scope": "/state", "invoke": provider_url}],
                "validations": [{"adapterId": "stock", "url": provider_url}],
            },
        ),
        callbacks_in_body=True,
    )
    await order.shippings.create({"total": PRICE, "vatRate": 0.25, "reference": "tms-1"})
    action: PaymentActionDict = {"adapterId": "psp", "type": "capture", "url": provider_url}
    await order.payments.create({"amount": 174.0, "reference": "psp-1", "actions": [action]})
    return Stage(norce, await order.refresh(), provider_url)


@pytest.mark.parametrize("operation", sorted(CALLS))
# The engines' contract shows that every engine sends the same bytes.
@pytest.mark.in_turn("anyio_backend")
async def test_it_arrives_as_described(operation: str, stage: Stage, sandbox: Sandbox) -> None:
    """A call sends one request exactly as described, gets a success and has the listed number of effects."""
    call = CALLS[operation]
    ids = stage.ids
    sandbox.requests.clear()
    before = len(sandbox.effects.of(ids["order"], operation))

    await call.make(stage)

    (request,) = sandbox.requests
    assert request.operation == operation
    assert request.status in (200, 201, 204)
    assert (request.method, request.path) == (call.method, f"/checkout/order/api/v0/checkout{call.path.format(**ids)}")
    assert request.query == call.query
    assert (json.loads(request.body) if request.body else None) == call.body
    headers = request.headers
    assert headers["authorization"] == "Bearer ***"
    assert (headers["x-merchant"], headers["x-channel"]) == ("acme", "se")
    assert "x-adapterid" not in headers
    assert headers["user-agent"].startswith("norce-order-async/")
    assert len(headers["x-correlation-id"]) == 32
    assert headers.get("content-type") == ("application/json" if call.body is not None else None)
    assert len(sandbox.effects.of(ids["order"], operation)) - before == call.effects


def test_every_operation_of_the_description_is_called_here() -> None:
    """The description, the pipeline's table and ``CALLS`` name the same operations."""
    assert sorted(CALLS) == sorted(DESCRIBED)
    assert sorted(row.id for row in OPERATIONS) == sorted(DESCRIBED)


USUAL = {"GET": Kind.SAFE, "PUT": Kind.IDEMPOTENT, "PATCH": Kind.IDEMPOTENT, "DELETE": Kind.IDEMPOTENT}
"""A POST has no usual kind."""


def test_the_kinds_are_those_that_were_decided() -> None:
    """The kinds in ``CALLS`` are written by hand, so a change of the pipeline's table alone fails here."""
    decided = {operation: call.kind or USUAL[call.method] for operation, call in CALLS.items()}
    assert {row.id: row.kind for row in OPERATIONS} == decided


async def test_the_results(stage: Stage) -> None:
    """Reads return models; creating returns the id from the service."""
    order, ids = stage.order, stage.ids
    assert [payment.amount for payment in await order.payments.list()] == [174.0]
    payment = await order.payments.get(ids["payment"])
    assert (payment.reference, payment.state, payment.order_id) == ("psp-1", "intent", order.id)
    shipping = await order.shippings.get(ids["shipping"])
    assert shipping.total == Price(including_vat=49.0, excluding_vat=39.2)
    assert [each.id for each in await order.shippings.list()] == [ids["shipping"]]

    new_payment = await order.payments.create({"amount": 0})
    new_shipping = await order.shippings.create({"total": PRICE, "vatRate": 0.25})
    replaced = await order.payments.put(ids["payment"], {"amount": 1, "state": "removed"})
    assert replaced is not None
    assert replaced.state == "removed"
    moved = await order.shippings.put(new_shipping, {"total": PRICE, "vatRate": 0, "state": "removed"})
    assert moved is not None
    assert moved.id == new_shipping
    logged = await order.payments.add_transaction(new_payment, {"event": "capture", "amount": 5})
    assert logged is not None
    assert logged.created is not None
    assert [entry.amount for entry in await order.payments.transactions(new_payment)] == [5]

    await order.refresh()
    assert [payment.id for payment in order.payments.active] == [new_payment]
    assert [shipping.id for shipping in order.shippings.active] == [ids["shipping"]]
    assert (len(order.payments), len(order.shippings)) == (2, 2)


async def test_removed_and_replaced_parts_show_at_the_service(stage: Stage) -> None:
    """The next read shows parts that were replaced, deleted, changed or created."""
    order, ids = stage.order, stage.ids
    await order.validations.put(ids["validation"], {"adapterId": "stock", "url": "https://b.example"})
    await order.hooks.delete(ids["hook"])
    await order.notifications.delete(ids["notification"])
    await order.consents.delete("terms")
    await order.attributes.update({"gift": True, "note": None})
    await order.set_reference("our-1")
    await order.customer.set_billing(ADDRESS)
    await order.refresh()
    assert [each.url for each in order.validations] == ["https://b.example"]
    assert (len(order.hooks), len(order.notifications), len(order.consents)) == (0, 0, 0)
    assert dict(order.attributes) == {"gift": True}
    assert order.reference == "our-1"
    assert order.customer.billing == Address(type_="person", given_name="Åsa", country="SE")
    await order.consents.create({"id": "news"})
    await order.consents.check("news")
    await order.refresh()
    assert [(each.id, each.checked) for each in order.consents] == [("news", True)]
