"""Invented orders: carts, customers, payments and histories as a shop in five countries has them.

All people in them are invented, and visibly so: their names, their streets, e-mail addresses under example.com, and
phone numbers that do not exist. The same seed makes the same orders, except for their dates, which are in the ninety
days before the sandbox's current time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.readings import Readings, ReadingsInUse
from norce_order_async.sandbox.service.clock import ServiceClock, written
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.totals import settle
from norce_order_async.sandbox.storage.store import Scope, Store

MOST = 1_000_000
_AT_ONCE = 250
_DAYS = 90

_LIVES = {
    "checkout": (),
    "processing": ("processing",),
    "accepted": ("processing", "accepted"),
    "completed": ("processing", "accepted", "completed"),
    "declined": ("processing", "declined"),
    "removed": ("removed",),
}
_SHARES = {"checkout": 15, "processing": 12, "accepted": 10, "completed": 55, "declined": 4, "removed": 4}


@dataclass(frozen=True, slots=True)
class _Market:
    channel: str
    culture: str
    currency: str
    country: str
    vat: Decimal
    price_level: Decimal
    """The price in this market of goods that cost one krona in Sweden."""
    call_code: str
    street: str
    cities: tuple[tuple[str, str], ...]


_MARKETS = (
    _Market("se", "sv-SE", "SEK", "SE", Decimal("0.25"), Decimal(1), "+46", "Exempelgatan",
            (("100 00", "Provstad"), ("400 00", "Exempelköping"), ("200 00", "Testborg"))),
    _Market("no", "nb-NO", "NOK", "NO", Decimal("0.25"), Decimal(1), "+47", "Eksempelveien",
            (("0000", "Prøveby"), ("5000", "Eksempelvik"))),
    _Market("dk", "da-DK", "DKK", "DK", Decimal("0.25"), Decimal("0.65"), "+45", "Eksempelvej",
            (("1000", "Prøvekøbing"), ("8000", "Eksempelrup"))),
    _Market("fi", "fi-FI", "EUR", "FI", Decimal("0.255"), Decimal("0.09"), "+358", "Esimerkkikatu",
            (("00000", "Koekylä"), ("20000", "Esimerkkilä"))),
    _Market("de", "de-DE", "EUR", "DE", Decimal("0.19"), Decimal("0.09"), "+49", "Beispielstraße",
            (("00000", "Musterstadt"), ("10000", "Beispielburg"))),
)  # fmt: skip
CHANNELS = tuple(market.channel for market in _MARKETS)

_PAYMENT_STATES = {
    "checkout": "intent",
    "processing": "reserved",
    "accepted": "reserved",
    "completed": "captured",
    "declined": "removed",
    "removed": "removed",
}
_SHIPPING_STATES = {
    **dict.fromkeys(_LIVES, "intent"),
    "completed": "confirmed",
    "declined": "removed",
    "removed": "removed",
}

_GOODS = (
    ("BLANKET-02", "Wool blanket", 599),
    ("MUG-01", "Coffee mug", 149),
    ("LAMP-11", "Desk lamp", 1295),
    ("SOAP-03", "Soap, lavender", 59),
    ("CHAIR-07", "Folding chair", 895),
    ("BOOK-21", "Book of knots", 249),
    ("SOCKS-05", "Socks, three pairs", 179),
    ("TENT-01", "Tent for two", 3495),
)
_GIVEN_NAMES = ("Testa", "Provia", "Exempla", "Modello", "Fiktor", "Imagina", "Placeholdra", "Attrappe")
_FAMILY_NAMES = ("Exempelsson", "Provdal", "Testberg", "Mustermensch", "Koelainen", "Ingenstad", "Påhittad")
_CARRIERS = (("Parcel to a pick-up point", 49), ("Home delivery", 99), ("Letter", 29))
_PAYERS = (("Invoice", "invoice_adapter"), ("Card", "card_adapter"), ("Instalments", "instalment_adapter"))


class SeedingError(ValueError):
    """These orders can't be added; the text says why.

    Example::

        try:
            sandbox.seed_orders(1000)
        except SeedingError as error:
            print(error)
    """


def seed_orders(store: Store, ids: Ids, clock: ServiceClock, count: int, *, merchant: str, seed: int) -> None:
    """Add ``count`` orders to the store, spread over all channels. Requests can use the store in the meantime.

    The orders are initial state, so they cause no effects and no callbacks.

    Raises:
        SeedingError: The count is out of bounds, or the merchant has orders of this seed already.
    """
    if not 0 <= count <= MOST:
        raise SeedingError(f"orders must be between 0 and {MOST}, not {count}")
    made = _orders(random.Random(seed), ids, clock.now(), merchant, f"seed-{seed}", count)
    while count > 0:
        with store.transaction():
            for _ in range(min(count, _AT_ONCE)):
                order = next(made)
                while store.has_order(order["id"]):
                    order["id"] = ids.order()
                scope = Scope(merchant, order["channel"])
                if store.cart_holder(scope, order["cart"]["reference"]) is not None:
                    raise SeedingError(f"merchant {merchant} has orders of seed {seed} already; take another seed")
                store.insert(scope, order)
        count -= _AT_ONCE


def _orders(source: random.Random, ids: Ids, now: datetime, merchant: str, batch: str, count: int) -> Iterator[Json]:
    statuses, weights = list(_SHARES), list(_SHARES.values())
    ages = sorted((source.uniform(0, _DAYS * 86400) for _ in range(count)), reverse=True)
    for number, age in enumerate(ages, 1):
        market = source.choice(_MARKETS)
        status = source.choices(statuses, weights)[0]
        yield _order(source, ids, market, status, now - timedelta(seconds=age), now, merchant, f"{batch}-{number}")


def _order(
    source: random.Random,
    ids: Ids,
    market: _Market,
    status: str,
    created: datetime,
    now: datetime,
    merchant: str,
    reference: str,
) -> Json:
    history = _history(source, status, created, now)
    order: Json = {
        "id": ids.order(),
        "merchant": merchant,
        "channel": market.channel,
        "created": written(created),
        "lastModified": history[-1]["timeStamp"] if history else written(created),
        "state": {"currentStatus": status, "transitions": history},
        "culture": market.culture,
        "currency": market.currency,
        "country": market.country,
        "cart": _cart(source, ids, market, reference),
        "customer": _customer(source, market),
        "shippings": [],
        "payments": [],
        "consents": [
            {"id": "terms", "text": "The terms of purchase", "required": True, "checked": status != "checkout"}
        ],
        "hooks": [],
        "notifications": [],
        "validations": [],
    }
    if status in ("accepted", "completed"):
        order["reference"] = f"ERP-{reference}"
    order["shippings"].append(_shipping(source, ids, market, order))
    # With the default readings, so that seeded orders are the same whichever readings are in force.
    settle(order, ReadingsInUse(Readings()))
    if status != "checkout" or source.random() < 0.5:
        order["payments"].append(_payment(source, ids, order, status))
    return order


def _history(source: random.Random, status: str, created: datetime, now: datetime) -> list[Json]:
    """The transitions to its status: the first after minutes, the others after hours, none in the future."""
    moment = created
    passed: list[Json] = []
    for index, step in enumerate(_LIVES[status]):
        moment = min(moment + timedelta(seconds=source.uniform(60, 900 if index == 0 else 86400)), now)
        passed.append({"status": step, "timeStamp": written(moment)})
    return passed


def _cart(source: random.Random, ids: Ids, market: _Market, reference: str) -> Json:
    items = [
        _item(source, ids, market, *goods)
        for goods in source.sample(_GOODS, source.choices((1, 2, 3, 5), (45, 30, 15, 10))[0])
    ]
    return {"reference": f"cart-{reference}", "items": items}


def _item(source: random.Random, ids: Ids, market: _Market, sku: str, name: str, kronor: int) -> Json:
    quantity = source.choices((1, 2, 3, 6), (70, 18, 8, 4))[0]
    price = (kronor * market.price_level).quantize(Decimal("0.01"))
    return {
        "id": ids.item(),
        "sku": sku,
        "name": name,
        "productType": "physical",
        "quantity": quantity,
        "unit": "st",
        "price": _price(price, market),
        "total": _price(price * quantity, market),
        "vatRate": float(market.vat),
    }


def _customer(source: random.Random, market: _Market) -> Json:
    given, family = source.choice(_GIVEN_NAMES), source.choice(_FAMILY_NAMES)
    postal_code, city = source.choice(market.cities)
    number = source.randrange(100_000)
    billing: Json = {
        "type": "person",
        "givenName": given,
        "familyName": family,
        "streetAddress": f"{market.street} {source.randint(1, 199)}",
        "postalCode": postal_code,
        "city": city,
        "country": market.country,
        # A country's code and zeros: not an existing number.
        "phone": f"{market.call_code}000{number:05}",
        "email": f"{given}.{family}.{number}@example.com".lower().replace("å", "a"),
    }
    if source.random() < 0.1:
        billing |= {"type": "organization", "organizationName": f"{family} & Attrapp AB"}
    return {"type": billing["type"], "billing": billing, "shipping": dict(billing)}


def _shipping(source: random.Random, ids: Ids, market: _Market, order: Json) -> Json:
    name, kronor = source.choice(_CARRIERS)
    return {
        **_owned(ids.shipping(), order),
        "state": _SHIPPING_STATES[order["state"]["currentStatus"]],
        "adapterId": "parcel_adapter",
        "name": name,
        "total": _price((kronor * market.price_level).quantize(Decimal("0.01")), market),
        "vatRate": float(market.vat),
    }


def _payment(source: random.Random, ids: Ids, order: Json, status: str) -> Json:
    name, adapter_id = source.choice(_PAYERS)
    return {
        **_owned(ids.payment(), order),
        "adapterId": adapter_id,
        "name": name,
        "type": "default",
        "currency": order["currency"],
        "amount": order["total"]["includingVat"],
        "state": _PAYMENT_STATES[status],
    }


def _owned(identifier: str, order: Json) -> Json:
    return {"id": identifier, "merchant": order["merchant"], "channel": order["channel"], "orderId": order["id"]}


def _price(including: Decimal, market: _Market) -> Json:
    return {
        "includingVat": float(including),
        "excludingVat": float((including / (1 + market.vat)).quantize(Decimal("0.01"))),
    }
