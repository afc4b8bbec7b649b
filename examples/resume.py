"""The vendor's basic tutorial, made to be run again: after a crash it continues where it stopped and doubles nothing.

Takes the service from the NORCE_* variables and the cart's reference as its argument. Every step first looks for the
result of an earlier run.
"""

import asyncio
import sys

from norce_order_async import NorceOrderClient
from norce_order_async.models import Address, Cart, Item, Payment, Price, Shipping


async def main(cart_reference: str) -> None:
    async with NorceOrderClient.from_env() as norce:
        thing = Item(sku="T001", name="Thing", quantity=1, total=Price(125.0, 100.0), vat_rate=0.25)
        order, created = await norce.orders.get_or_create(
            culture="sv-SE", currency="SEK", country="SE", cart_reference=cart_reference, cart=Cart(items=[thing])
        )
        await order.refresh()
        print(order, "is new" if created else "was there")
        if order.status == "checkout":
            await order.customer.set_billing(Address(type_="person", given_name="Åsa", city="Solna", country="SE"))
            await order.customer.set_shipping(same_as_billing=True)
            home = Shipping(name="Home", total=Price(49.0, 39.2), vat_rate=0.25)
            await order.shippings.ensure(home, reference=f"{cart_reference}-home")
            invoice = Payment(name="Invoice", currency="SEK", reference=f"{cart_reference}-invoice")
            await order.payments.create_for_outstanding(invoice)
            (await order.validate()).raise_for_errors()
        await order.transition_to("completed")
        print(await order.refresh())


asyncio.run(main(sys.argv[1]))
