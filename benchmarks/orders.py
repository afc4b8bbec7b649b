"""The orders that go over the wire and through the codecs: a small one, a typical one, a huge one."""

from __future__ import annotations

import json
from typing import Any

_ADDRESS = {
    "type": "person",
    "givenName": "Attrappe",
    "familyName": "Provdal",
    "streetAddress": "Exempelgatan 87",
    "postalCode": "200 00",
    "city": "Testborg",
    "country": "SE",
    "phone": "+4600054033",
    "email": "attrappe.provdal@example.com",
}
_ARTICLES = ("Tent for two", "Book of knots", "Socks, three pairs", "Gas stove with wind shield", "Blå termos 1 l")


def order(items: int) -> dict[str, Any]:
    """An order as the service answers it, with a number of lines in its cart; one without lines is almost empty."""
    made: dict[str, Any] = {
        "id": "o_yClTSySjyAuuBjmiBlHCjuEcTf",
        "merchant": "acme",
        "channel": "se",
        "created": "2026-11-12T16:18:31.313144Z",
        "lastModified": "2026-11-12T16:23:57.796118Z",
        "state": {
            "currentStatus": "processing",
            "transitions": [
                {"status": "checkout", "timeStamp": "2026-11-12T16:18:31.313144Z"},
                {"status": "processing", "timeStamp": "2026-11-12T16:23:57.796118Z"},
            ],
        },
        "culture": "sv-SE",
        "currency": "SEK",
        "country": "SE",
        "cart": {
            "reference": "cart-25",
            "items": [_line(number) for number in range(items)],
            "total": _price(items),
        },
        "consents": [{"id": "terms", "text": "The terms of purchase", "required": True, "checked": True}],
        "hooks": [],
        "notifications": [],
        "validations": [],
        "total": _price(items + 1),
    }
    if items:
        made |= {
            "customer": {"type": "person", "billing": _ADDRESS, "shipping": _ADDRESS},
            "shippings": [_SHIPPING],
            "payments": [_PAYMENT],
            "attributes": {"gift": True, "campaign": {"name": "autumn", "codes": ["A1", "B2"]}},
        }
    return made


def _price(times: int) -> dict[str, float]:
    return {"includingVat": 249.5 * times, "excludingVat": 199.6 * times}


def _line(number: int) -> dict[str, Any]:
    return {
        "id": f"ciPicICvlrrsyDJpLeUdCZx{number:05}",
        "reference": f"line-{number}",
        "name": _ARTICLES[number % len(_ARTICLES)],
        "sku": f"TENT-{number:04}",
        "productType": "physical",
        "url": f"https://shop.example/articles/{number}",
        "imageUrl": f"https://shop.example/pictures/{number}.webp",
        "quantity": 1 + number % 3,
        "unit": "st",
        "price": _price(1),
        "total": _price(1 + number % 3),
        "originalTotal": _price(1 + number % 3),
        "vatRate": 0.25,
        "discounts": [],
        "logistics": {"weight": 1200, "height": 150, "width": 300, "length": 420, "tags": ["fragile"]},
    }


_SHIPPING = {
    "id": "sYuchVCurVZbnZscfvPVHiareUm",
    "merchant": "acme",
    "channel": "se",
    "orderId": "o_yClTSySjyAuuBjmiBlHCjuEcTf",
    "state": "intent",
    "adapterId": "parcel_adapter",
    "name": "Letter",
    "total": _price(1),
    "vatRate": 0.25,
    "deliveryDetails": {
        "carrier": "parcels",
        "carrierProductId": "P19",
        "product": {"reference": "box", "name": "To the box"},
        "pickupLocation": {
            "reference": "4711",
            "name": "Kiosken",
            "address": {"streetAddress": "Testvägen 1", "city": "Testborg", "postalCode": "200 00", "country": "SE"},
        },
    },
}
_PAYMENT = {
    "id": "pymVYfGYJEMJqwxBpfSCxkFgvEP",
    "merchant": "acme",
    "channel": "se",
    "orderId": "o_yClTSySjyAuuBjmiBlHCjuEcTf",
    "adapterId": "instalment_adapter",
    "name": "Instalments",
    "type": "default",
    "currency": "SEK",
    "amount": 748.5,
    "state": "reserved",
}

SIZES = {"small": order(0), "typical": order(3), "huge": order(500)}
BODIES = {name: json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() for name, data in SIZES.items()}
TYPICAL = BODIES["typical"]
