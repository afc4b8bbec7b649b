"""The vendor's basic tutorial, on a local order service or, with --playground, on the service of the NORCE_*
variables."""

import asyncio
import sys

from norce_order_async import NorceOrderClient
from norce_order_async.models import Address, Cart, Item, Payment, Price, Shipping


async def walk(norce: NorceOrderClient) -> None:
    thing = Item(sku="T001", name="Thing", quantity=1, total=Price(including_vat=125.0, excluding_vat=100.0))
    order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=Cart(items=[thing]))
    await order.customer.set_billing(Address(type_="person", given_name="Åsa", city="Solna", country="SE"))
    await order.shippings.create(Shipping(name="Home", total=Price(49.0, 39.2), vat_rate=0.25))
    await order.refresh()  # the service computes the total
    if order.total is not None:
        await order.payments.create(Payment(name="Invoice", currency="SEK", amount=order.total.including_vat))
    (await order.validate()).raise_for_errors()
    await order.transition_to("completed")
    print(await order.refresh())


async def on_the_playground() -> None:
    async with NorceOrderClient.from_env() as norce:
        await walk(norce)


async def on_the_sandbox() -> None:
    from norce_order_async.sandbox import Sandbox

    async with (
        Sandbox() as box,
        NorceOrderClient(base_url=box.base_url, token=box.token, merchant="acme", channel="se") as norce,
    ):
        await walk(norce)


asyncio.run(on_the_playground() if "--playground" in sys.argv else on_the_sandbox())
