"""A basket becomes an order, the order is paid and completed; Norce asks for the stock before a cart changes.

Every request may be made again: the basket's name and the receipt's number make sure that there is one order and one
payment.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from norce_order_async import NorceError, NorceOrderClient, Order, money
from norce_order_async.models import Cart, Item, PaymentDict
from pydantic import BaseModel

from .errors import answer

PRICES = {"MUG-01": Decimal("125.00"), "TEA-02": Decimal("62.50")}
STOCK = {"MUG-01": 1000, "TEA-02": 3}
VAT = 0.25


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, NorceOrderClient]]:
    """One client for as long as the process lives. Leaving waits for the calls in flight."""
    async with NorceOrderClient.from_env() as norce:
        yield {"norce": norce}


def the_client(request: Request) -> NorceOrderClient:
    norce: NorceOrderClient = request.state.norce
    return norce


def stock_url() -> str:
    """The address of this service for Norce; without one, Norce does not ask for the stock."""
    public = os.environ.get("PUBLIC_URL")
    return f"{public}/norce/stock" if public else ""


Norce = Annotated[NorceOrderClient, Depends(the_client)]
StockUrl = Annotated[str, Depends(stock_url)]

app = FastAPI(lifespan=lifespan)
app.add_exception_handler(NorceError, answer)


class Basket(BaseModel):
    quantities: dict[str, int]


class Receipt(BaseModel):
    number: str


class Sale(BaseModel):
    order: str
    status: str | None
    amount: str
    outstanding: str


@app.put("/baskets/{basket}/order")
async def begin(basket: str, wanted: Basket, norce: Norce, stock: StockUrl) -> Sale:
    """The order of a basket, made at the first request."""
    order, created = await norce.orders.get_or_create(
        cart_reference=basket, culture="sv-SE", currency="SEK", country="SE", cart=cart_of(basket, wanted.quantities)
    )
    if created and stock:
        await order.hooks.ensure({"adapterId": "shop", "subscribeTo": "/cart", "invoke": stock, "version": "v0"})
    return sale(await order.refresh())


@app.get("/orders/{order_id}")
async def read(order_id: str, norce: Norce) -> Sale:
    return sale(await norce.orders.get(order_id))


@app.put("/orders/{order_id}/cart")
async def change(order_id: str, wanted: Basket, norce: Norce) -> Sale:
    """Other quantities; 409 if the stock does not allow it."""
    order = norce.orders(order_id)
    await order.cart.update(lambda cart: cart_of(cart.reference, wanted.quantities))
    return sale(await order.refresh())


@app.put("/orders/{order_id}/receipt")
async def pay(order_id: str, receipt: Receipt, norce: Norce) -> Sale:
    """Record what the customer has paid, and complete the order."""
    order = await norce.orders.get(order_id)
    if order.status != "completed":
        paid: PaymentDict = {"state": "captured"}
        if order.outstanding is not None:
            paid["amount"] = order.outstanding
        await order.payments.ensure(paid, reference=receipt.number)
        await order.transition_to("completed")
        await order.refresh()
    return sale(order)


@app.post("/norce/stock")
async def stock(request: Request) -> Response:
    """The hook: Norce posts the order as it would be, and drops the change unless this answers 2xx."""
    return Response(status_code=200 if in_stock(await request.json()) else 409)


def in_stock(order: Mapping[str, Any]) -> bool:
    return all(item["quantity"] <= STOCK[item["sku"]] for item in order["cart"]["items"])


def cart_of(reference: str | None, quantities: Mapping[str, int]) -> Cart:
    """A basket as a cart of Norce. The client adds up its total."""
    items = [
        Item(sku=sku, quantity=quantity, vat_rate=VAT, total=money.line(PRICES[sku], quantity, VAT).price())
        for sku, quantity in quantities.items()
    ]
    return Cart(reference=reference, items=items)


def sale(order: Order) -> Sale:
    return Sale(order=order.id, status=order.status, amount=f"{order.amount}", outstanding=f"{order.outstanding}")
