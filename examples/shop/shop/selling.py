"""From a basket to a completed order."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async import BadRequestError, NorceOrderClient, Order, money
from norce_order_async.models import CartDict, HookDict, ItemDict

PRICES = {"MUG-01": 125.0, "TEA-02": 62.5}
VAT = 0.25


class SoldOutError(Exception):
    """The warehouse does not have the items in the cart."""


class Shop:
    """Sells in one channel; ``warehouse`` is called before a cart changes."""

    def __init__(self, norce: NorceOrderClient, warehouse: str | None = None) -> None:
        self._norce = norce
        self._warehouse = warehouse

    async def begin(self, basket: str, quantities: Mapping[str, int]) -> Order:
        """An order for a basket. The basket's id makes sure that there is one order, even if answers are lost."""
        cart: CartDict = {"reference": basket, "items": [_item(sku, quantity) for sku, quantity in quantities.items()]}
        order = await self._norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=cart)
        if self._warehouse is not None:
            hook: HookDict = {"adapterId": "warehouse", "subscribeTo": "/cart", "invoke": self._warehouse}
            await order.hooks.create(hook)
        return await order.refresh()

    async def change(self, order: Order, quantities: Mapping[str, int]) -> None:
        """Put something else into the cart.

        Raises:
            SoldOutError: the warehouse says no; the cart stays as it was.
        """
        cart: CartDict = {"items": [_item(sku, n) for sku, n in quantities.items()]}
        if order.cart.reference is not None:
            cart["reference"] = order.cart.reference
        try:
            await order.cart.put(cart)
        except BadRequestError as refused:
            raise SoldOutError from refused

    async def sell(self, order: Order, receipt: str) -> None:
        """Take the payment that is outstanding and complete the order."""
        await order.payments.create_for_outstanding({"reference": receipt, "state": "captured"})
        await order.transition_to("completed")


def _item(sku: str, quantity: int) -> ItemDict:
    total = money.line(PRICES[sku], quantity, VAT)
    return {
        "sku": sku,
        "quantity": quantity,
        "vatRate": VAT,
        "total": {"includingVat": total.including_vat, "excludingVat": total.excluding_vat},
    }
