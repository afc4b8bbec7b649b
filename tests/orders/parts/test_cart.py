"""``order.cart.put``: the results of 200 and 202, and when a cart counts as shown."""

from __future__ import annotations

from typing import Any

import pytest

from norce_order_async import CallOptions, ConflictError, NorceOrderClient, PendingError
from norce_order_async.models import Cart, Item, Price
from norce_order_async.orders.parts.cart import shows
from tests.support.clock import highest
from tests.support.engine import answer
from tests.support.orders import CART, CONTEXT, order_body, unique
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

SHOWN: dict[str, Any] = {**CART, "items": [{**CART["items"][0], "id": "ci1"}], "attributes": {}}


async def test_202_is_read_until_the_cart_shows() -> None:
    """After a 202 the order is read until the cart shows. Ids and sums that the service adds do not matter."""
    service = stand(
        [answer(202), answer(200, order_body()), answer(200, order_body(cart=SHOWN))],
        uniform=highest,
    )
    order = service.client.orders("oAbCdEfG")
    await order.cart.put(CART)
    assert [line.split()[0] for line in service.sent] == ["PUT", "GET", "GET"]
    assert order.cart.items[0].id == "ci1"
    assert not order.stale


async def test_202_without_a_change_is_pending() -> None:
    """If reads after a 202 show only another cart until the deadline, ``PendingError`` is raised."""
    other: dict[str, Any] = {**CART, "items": []}
    service = stand(
        lambda request: answer(202) if request.method == "PUT" else answer(200, order_body(cart=other)),
        uniform=highest,
    )
    with pytest.raises(PendingError, match=r"the cart was accepted \(202\) but it is not shown in time") as caught:
        await service.client.orders("oAbCdEfG").cart.put(CART, options=CallOptions(deadline=5))
    assert (caught.value.operation, caught.value.target) == ("UpdateCheckoutOrderCart", None)


async def test_200_is_done() -> None:
    """After a 200 no read follows, and the handle is stale."""
    service = stand([answer(200)])
    order = service.client.orders("oAbCdEfG")
    await order.cart.put(Cart(items=[Item(sku="T1", quantity=1)]))
    assert len(service.sent) == 1
    assert order.stale


async def test_a_cart_belongs_to_one_order(norce: NorceOrderClient) -> None:
    """A cart reference that another order has is a conflict."""
    taken = unique("cart")
    await norce.orders.create(CONTEXT | {"cart": {"reference": taken}})
    order = await norce.orders.create(CONTEXT)
    with pytest.raises(ConflictError, match=r"409 \(order-conflict\).*said: There is another order with"):
        await order.cart.put(Cart(reference=taken))


async def test_totals_come_from_the_service(norce: NorceOrderClient) -> None:
    """The handle's total is the service's and includes the shippings."""
    order = await norce.orders.create(CONTEXT)
    await order.cart.put(CART)
    await order.shippings.create({"total": {"includingVat": 10, "excludingVat": 8}, "vatRate": 0.25})
    await order.refresh()
    assert order.total == Price(including_vat=135.0, excluding_vat=108.0)


@pytest.mark.parametrize(
    ("sent", "found", "shown"),
    [
        ({}, {"id": 1}, True),
        ({"a": 1}, {"a": 1.0, "b": 2}, True),
        ({"a": None}, {}, True),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "id": "x"}]}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": 1}, {}, False),
        ({"a": {}}, {"a": 1}, False),
        ({"a": []}, {"a": {}}, False),
    ],
)
def test_shown_means_everything_that_was_sent_and_perhaps_more(sent: object, found: object, shown: bool) -> None:
    """A cart shows if everything that was sent is found; lists must agree in length and order."""
    assert shows(sent, found) is shown
