"""``orders.create``: a model, a dict or arguments, checks before anything is sent, and lost answers."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any, cast

import pytest

from norce_order_async import (
    ConflictError,
    DuplicateOrderError,
    InvalidRequestError,
    NorceOrderClient,
    Order,
    OutcomeUnknownError,
)
from norce_order_async.bulk.actions.base import Action, Row, Settlement
from norce_order_async.engines.base import WireRequest
from norce_order_async.models import Address, Cart, Consent, Customer, Item, OrderData, Price
from norce_order_async.orders.checking import PATTERNS
from norce_order_async.sandbox import Sandbox
from tests.support.engine import Step, answer, lost
from tests.support.orders import CART, CONTEXT, unique
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio


WRONG: Any = 5
"""An order without a cart."""


def created(body: Any) -> Any:
    """Parse the body that was sent."""
    return json.loads(body)


async def test_a_dict_in_the_api_s_spelling(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A dict is sent unchanged, and the handle has the id and is not loaded."""
    body = {**CONTEXT, "cart": CART, "customer": {"type": "organization", "billing": {"country": "NO"}}}
    order = await norce.orders.create(cast("Any", body))
    assert created(sandbox.requests[-1].body) == body
    assert order.id.startswith("o")
    assert not order.loaded
    assert len(sandbox.effects.of(order.id, "CreateCheckoutOrder")) == 1


async def test_a_model(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A model is sent in the API's spelling and is not changed. Arguments replace its members."""
    model = OrderData(**CONTEXT, cart=Cart(items=[Item(sku="T1", total=Price(including_vat=1.5))]))
    before = copy.deepcopy(model)
    await norce.orders.create(model, reference="added", cart=Cart(reference=unique("cart")))
    assert model == before
    body = created(sandbox.requests[-1].body)
    assert body["reference"] == "added"
    assert list(body["cart"]) == ["reference"]


async def test_keyword_arguments(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Each argument becomes a member of the body; models and dicts may be mixed."""
    order = await norce.orders.create(
        **CONTEXT,
        cart=CART,
        customer=Customer(type_="person", billing=Address(country="SE")),
        consents=[Consent(id="a", required=True), {"id": "b"}],
        reference="r",
        attributes={"k": [1, None]},
    )
    assert created(sandbox.requests[-1].body) == {
        **CONTEXT,
        "cart": CART,
        "customer": {"type": "person", "billing": {"country": "SE"}},
        "consents": [{"id": "a", "required": True}, {"id": "b"}],
        "reference": "r",
        "attributes": {"k": [1, None]},
    }
    assert [consent.id for consent in (await order.refresh()).consents] == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"cultur": "sv-SE"}, "order: OrderData.cultur is not a member of the API"),
        ({"cultur": "sv-SE"}, "did you mean culture?"),
        ({"cart": {"total": {"including_vat": 1}}}, "did you mean includingVat?"),
        ({"cart": {"items": [{"including_vat": 1}]}}, "Item.including_vat is not a member"),
        ({"cart": {"items": "all"}}, "Cart.items has the wrong type"),
        ({"cart": {"total": {"includingVat": "12,50"}}}, "Price.includingVat has the wrong type"),
        ({"cart": 7}, "cart.* has the wrong type"),
        (7, "order must be a OrderData or a dict in the API's spelling, not int"),
        ([], "order must be a OrderData or a dict in the API's spelling, not list"),
    ],
)
async def test_an_unknown_member_is_refused(
    sandbox: Sandbox, norce: NorceOrderClient, body: Any, complaint: str
) -> None:
    """The error names the unknown member but never shows its value, and nothing is sent."""
    with pytest.raises(InvalidRequestError, match=complaint) as caught:
        await norce.orders.create(body)
    assert "12,50" not in str(caught.value)
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"culture": "svenska"}, "culture must be a language and region such as sv-SE; got 'svenska'"),
        ({"culture": "sv-SE\n"}, "culture must be"),
        ({"culture": ""}, "culture must be"),
        ({"currency": "kr"}, "currency must be three letters"),
        ({"country": "Sweden"}, "country must be two letters"),
        ({"customer": {"billing": {"country": "SWE"}}}, "customer.billing.country must be two letters"),
        ({"customer": {"shipping": {"country": "S"}}}, "customer.shipping.country must be two letters"),
        ({"consents": {"id": "a"}}, "consents must be a list, not a single value"),
        ({"consents": [{"id": "a"}, {"ID": "b"}]}, r"consents\[1\]: Consent.ID is not a member"),
        ({"cart": {"reference": 5}}, "cart: Cart.reference has the wrong type"),
    ],
)
async def test_values_that_the_description_forbids(
    sandbox: Sandbox, norce: NorceOrderClient, arguments: Any, complaint: str
) -> None:
    """Values anywhere in the body are checked before anything is sent."""
    with pytest.raises(InvalidRequestError, match=complaint):
        await norce.orders.create(**{**CONTEXT, **arguments})
    assert len(sandbox.requests) == 0


async def test_patterns_hold_for_addresses_and_payments_too(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """The patterns of countries and currencies also hold for the customer's addresses and for payments."""
    order = norce.orders("oAbCdEfG")
    for call in (order.customer.set_billing, order.customer.set_shipping):
        with pytest.raises(InvalidRequestError, match=r"address\.country must be two letters"):
            await call(Address(country="Sverige"))
    with pytest.raises(InvalidRequestError, match=r"payment\.currency must be three letters"):
        await order.payments.create({"amount": 1, "currency": "SE"})
    with pytest.raises(InvalidRequestError, match=r"payment\.currency must be three letters"):
        await order.payments.put("p1", {"amount": 1, "currency": "kronor"})
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (OrderData(cart=Cart(total=Price(including_vat=float("inf")))), r"Price\.includingVat is NaN or infinite"),
        (OrderData(created=datetime(2026, 1, 1)), r"OrderData\.created has no time zone"),
        (OrderData(cart=WRONG), "int given where a model or plain data is expected"),
    ],
)
async def test_a_model_that_json_can_not_express(
    norce: NorceOrderClient, sandbox: Sandbox, model: OrderData, complaint: str
) -> None:
    """The error names the member that JSON can't express, and nothing is sent."""
    with pytest.raises(InvalidRequestError, match=complaint):
        await norce.orders.create(model)
    assert len(sandbox.requests) == 0


def test_the_patterns_are_the_description_s() -> None:
    """``PATTERNS`` has every pattern of the description and no other."""
    description = json.loads(files("norce_order_api").joinpath("openapi.json").read_text("utf-8"))
    described = {
        (schema, member): definition["pattern"]
        for schema, content in description["components"]["schemas"].items()
        for member, definition in content.get("properties", {}).items()
        if "pattern" in definition
    }
    assert {place: pattern for place, (pattern, _) in PATTERNS.items()} == described


async def test_other_inputs_are_checked(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Attribute names and values, references and required members are checked before anything is sent."""
    order = norce.orders("oAbCdEfG")
    names: list[Any] = ["", 5, None]
    for name in names:
        with pytest.raises(InvalidRequestError, match="attribute names must be strings that are not empty"):
            await order.attributes.update({name: 1})
    with pytest.raises(InvalidRequestError, match="PatchCheckoutOrderAttributes can't be sent"):
        await order.attributes.update({"when": object()})
    number: Any = 5
    with pytest.raises(InvalidRequestError, match="reference must be a string, not int"):
        await order.set_reference(number)
    with pytest.raises(
        InvalidRequestError, match=r"shipping: Shipping\.total is missing; Shipping\.vatRate is missing"
    ):
        await order.shippings.create({"name": "Home"})
    with pytest.raises(InvalidRequestError, match=r"actions\[0\]: PaymentAction.adapterId is missing"):
        await order.payments.add_actions("p1", [{"type": "capture", "url": "https://psp.example"}])
    assert len(sandbox.requests) == 0


async def test_a_second_order_for_a_cart_is_a_conflict(norce: NorceOrderClient) -> None:
    """A second order for a cart reference is refused, and the first is found by that reference until it is removed."""
    reference = unique("cart")
    first = await norce.orders.create(**CONTEXT, cart={"reference": reference})
    with pytest.raises(ConflictError):
        await norce.orders.create(**CONTEXT, cart={"reference": reference})
    found = await norce.orders.find_by_cart_reference(reference)
    assert found is not None
    assert found.id == first.id
    await first.transition_to("removed")
    assert await norce.orders.find_by_cart_reference(reference) is None
    assert await norce.orders.find_by_cart_reference(unique("cart")) is None
    with pytest.raises(InvalidRequestError, match=r"cart_reference must .*not .*empty"):
        await norce.orders.find_by_cart_reference("")


async def test_a_cart_reference_is_compared_exactly() -> None:
    """A service that matches by part does not lead to another cart's order."""
    page = {"data": [{"id": "o1", "cart": {"reference": "cart-12"}}, {"id": "o2", "cart": {"reference": "cart-1"}}]}
    service = stand(lambda request: answer(200, page if "offset=0" in request.url else {"data": []}))
    found = await service.client.orders.find_by_cart_reference("cart-1")
    assert found is not None
    assert found.id == "o2"


async def test_an_order_whose_answer_was_lost_is_adopted() -> None:
    """After a lost answer the order is found by its cart reference, and the handle has its id."""
    page = {"data": [{"id": "oFound", "cart": {"reference": "c1"}}]}
    service = stand([lost("read"), answer(200, page)])
    order = await service.client.orders.create(**CONTEXT, cart={"reference": "c1"})
    assert order.id == "oFound"
    assert not order.loaded


async def test_an_order_without_a_cart_reference_is_not_made_twice() -> None:
    """Without a cart reference a lost answer raises ``OutcomeUnknownError``. It has the body as an attribute, and its
    text shows none of it."""
    service = stand([lost("read")])
    with pytest.raises(OutcomeUnknownError) as caught:
        await service.client.orders.create(**CONTEXT, reference="secret-one")
    assert caught.value.request == {**CONTEXT, "reference": "secret-one"}
    assert "secret-one" not in str(caught.value)


@pytest.mark.parametrize("body", [{"id": "oNew"}, "oNew", None], ids=["object", "string", "location"])
async def test_every_published_form_of_the_answer(body: Any) -> None:
    """The id is read from an object, a bare string or the Location header."""
    service = stand([answer(201, body, location="/api/v0/checkout/orders/oNew")])
    assert (await service.client.orders.create(CONTEXT)).id == "oNew"


class Twice:
    """A service that loses the first creation and shows it late, and accepts the second one too.

    Args:
        shows: whether its list shows the orders at all.
    """

    def __init__(self, *, shows: bool = True) -> None:
        self.shows = shows
        self.creations = 0

    def __call__(self, request: WireRequest) -> Step:
        if request.method == "POST":
            self.creations += 1
            return lost("read") if self.creations == 1 else answer(201, {"id": "oSecond"})
        there = self.creations > 1 and self.shows and "offset=2" not in request.url
        entries = [
            {"id": "oSecond", "cart": {"reference": "c1"}, "created": "2026-01-01T00:00:08Z"},
            {"id": "oFirst", "cart": {"reference": "c1"}, "created": "2026-01-01T02:00:00+02:00"},
        ]
        return answer(200, {"data": entries if there else []})


async def made(norce: NorceOrderClient) -> Order:
    return await norce.orders.create(**CONTEXT, cart={"reference": "c1"})


async def got_or_made(norce: NorceOrderClient) -> Order:
    order, new = await norce.orders.get_or_create(**CONTEXT, cart_reference="c1")
    assert new
    return order


MADE = pytest.mark.parametrize("make", [made, got_or_made])


@MADE
async def test_two_orders_of_one_cart_come_as_handles(make: Callable[[NorceOrderClient], Awaitable[Order]]) -> None:
    """``DuplicateOrderError`` has both orders as handles, oldest first. A copy keeps them; a pickled error keeps the
    ids."""
    service = stand(Twice())
    with pytest.raises(DuplicateOrderError, match="oFirst, oSecond") as caught:
        await make(service.client)
    orders: tuple[Order, ...] = caught.value.orders
    assert [order.id for order in orders] == ["oFirst", "oSecond"] == list(caught.value.order_ids)
    assert not caught.value.may_call_again
    for twin in (copy.copy(caught.value), copy.deepcopy(caught.value)):
        assert (twin.orders, twin.order_ids, str(twin)) == (orders, caught.value.order_ids, str(caught.value))
    travelled = pickle.loads(pickle.dumps(caught.value))
    assert (travelled.orders, travelled.order_ids, str(travelled)) == ((), ("oFirst", "oSecond"), str(caught.value))


@MADE
async def test_an_order_that_may_not_be_the_only_one_is_marked(
    make: Callable[[NorceOrderClient], Awaitable[Order]],
) -> None:
    """If the list never shows the orders, ``uniqueness_checked`` is False."""
    order = await make(stand(Twice(shows=False)).client)
    assert (order.id, order.uniqueness_checked) == ("oSecond", False)


@pytest.mark.parametrize("create", ["create", "get_or_create"])
async def test_an_unknown_keyword_is_an_error(create: str) -> None:
    """An unknown keyword raises a TypeError that lists the known ones, and nothing is sent."""
    service = stand([])
    given = {"cart_reference": "c"} if create == "get_or_create" else {}
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'curency'; .* culture, currency, country, cart"):
        await getattr(service.client.orders, create)(**given, curency="SEK")
    assert service.sent == []


async def test_an_order_that_was_created_once_needs_no_check() -> None:
    order = await made(stand([answer(201, {"id": "oNew"})]).client)
    assert order.uniqueness_checked


async def test_an_item_of_a_job_that_made_two_orders_is_not_reported_as_done() -> None:
    """``DuplicateOrderError`` makes the outcome unknown, even if the action's ``settle`` answers "done"."""

    class Reorder(Action[str]):
        name = "reorder"
        parameters: Mapping[str, Any] = {}

        async def apply(self, order: Order, row: Row) -> str:
            return (await made(service.client)).id

        async def settle(self, order: Order, row: Row) -> Settlement:
            return "done"

    service = stand(Twice())
    async with service.client.bulk() as job:
        (outcome,) = [each async for each in job.run(["o1"], Reorder())]
    assert (outcome.verdict, type(outcome.error)) == ("unknown", DuplicateOrderError)
    assert not job.summary.complete
