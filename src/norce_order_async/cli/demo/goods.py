"""What is bought in the demo, by whom and how it gets there. Amounts are in whole kronor, VAT is 25 %."""

from __future__ import annotations

from collections.abc import Sequence

from norce_order_async import NorceOrderClient, Order
from norce_order_async.models import Address, Cart, Consent, Item, Payment, Price, Shipping

CONSENT_ID = "terms"


async def create_order(norce: NorceOrderClient, reference: str, consents: Sequence[Consent] = ()) -> Order:
    """Create an order with the cart below."""
    return await norce.orders.create(
        culture="sv-SE", currency="SEK", country="SE", cart=cart(reference), consents=consents
    )


def cart(reference: str) -> Cart:
    """Two blankets and a mug: 748 kronor. The reference is the caller's, and no two orders may share one."""
    return Cart(
        reference=reference,
        items=[
            Item(
                sku="BLANKET-02",
                name="Wool blanket",
                quantity=2,
                unit="st",
                price=_price(299.5),
                total=_price(599),
                vat_rate=0.25,
            ),
            Item(
                sku="MUG-01",
                name="Coffee mug",
                quantity=1,
                unit="st",
                price=_price(149),
                total=_price(149),
                vat_rate=0.25,
            ),
        ],
        total=_price(748),
    )


def shipping() -> Shipping:
    """A home delivery."""
    return Shipping(name="Parcel to a pick-up point", total=_price(49), vat_rate=0.25, state="intent")


def payment(amount: float) -> Payment:
    """An invoice over ``amount``."""
    return Payment(name="Invoice", type_="default", state="intent", currency="SEK", amount=amount)


TOTAL = 748 + 49
"""Cart and shipping together, VAT included."""


def address() -> Address:
    """The address of an invented customer."""
    return Address(
        type_="person",
        given_name="Ada",
        family_name="Exempel",
        street_address="Storgatan 1",
        postal_code="111 22",
        city="Stockholm",
        country="SE",
        email="ada@example.com",
    )


def consents() -> list[Consent]:
    """The consents that the customer is asked for."""
    return [Consent(id=CONSENT_ID, text="I accept the terms of purchase", required=True, checked=False)]


def _price(including_vat: float) -> Price:
    return Price(including_vat=including_vat, excluding_vat=round(including_vat / 1.25, 2))
