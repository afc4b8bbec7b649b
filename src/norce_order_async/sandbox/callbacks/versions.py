"""The order as a receiver asked to have it: v0 is the order as kept, v1 what v1's schema has of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from norce_order_async.sandbox.json_text import Json

_RENAMED = {"validations": ("url", "invoke"), "hooks": ("subscribeTo", "scope")}


def in_version(order: Json, version: str | None) -> Json:
    """The body for a receiver; v0 unless v1 was asked for."""
    return _v1(order) if version == "v1" else order


def _v1(order: Json) -> Json:
    body = dict(order)
    for name, (old, new) in _RENAMED.items():
        body[name] = [{new if key == old else key: value for key, value in entry.items()} for entry in order[name]]
    body["notifications"] = [_without(entry, "delay") for entry in order["notifications"]]
    body["payments"] = [_without(payment, "merchant", "channel", "upsell") for payment in order["payments"]]
    body["shippings"] = [_shipping(shipping) for shipping in order["shippings"]]
    if "cart" in order:
        body["cart"] = _with_plain_discounts(_with_plain_items(order["cart"]))
    return body


def _shipping(shipping: Json) -> Json:
    plain = _without(shipping, "merchant", "channel")
    if "deliveryDetails" in plain:
        plain["deliveryDetails"] = _without(plain["deliveryDetails"], "carrierProductId")
    return plain


def _with_plain_items(holder: Json) -> Json:
    """A cart, or a bundle in it, with its items as v1 has them."""
    if "items" not in holder:
        return holder
    items: Iterable[Json] = holder["items"]
    plain = [_with_plain_discounts(_with_plain_items(_without(item, "logistics", "upsell"))) for item in items]
    return {**holder, "items": plain}


def _with_plain_discounts(holder: Json) -> Json:
    if "discounts" not in holder:
        return holder
    discounts: Iterable[Json] = holder["discounts"]
    return {**holder, "discounts": [_without(discount, "reference", "description") for discount in discounts]}


def _without(entry: Json, *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}
