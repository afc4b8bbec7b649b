"""Gives the entries of a body their ids, when a request adds them or a hook changes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.refusals import bad_request


def all_items(holder: Json) -> Iterator[Json]:
    """The items of a cart, or of a bundle, and those inside them."""
    for item in holder.get("items", []):
        yield from chain([item], all_items(item))


def give_item_ids(cart: Json, known: Collection[str], ids: Ids) -> None:
    """Give items new ids, except those that have an id of the cart; a repeated id counts only once."""
    kept: set[str] = set()
    for item in all_items(cart):
        if item.get("id") not in known or item["id"] in kept:
            item["id"] = ids.item()
        kept.add(item["id"])


def with_ids(given: list[Json], known: list[Json], ids: Ids) -> list[Json]:
    """The actions of a payment with ids: an action that is equal to a known one keeps its id, others get new ones."""
    left = list(known)
    result: list[Json] = []
    for action in given:
        same = next((old for old in left if {**action, "id": old["id"]} == old), None)
        if same is not None:
            left.remove(same)
        result.append(same or {**action, "id": ids.action()})
    return result


def add_consent(order: Json, given: Json, ids: Ids, path: str) -> str:
    """Add a consent to the order, and return its id.

    Raises:
        Refusal: The order has a consent with the given id already.
    """
    consent: dict[str, Any] = {**given, "id": given.get("id") or ids.consent(), "checked": given.get("checked", False)}
    if any(other["id"] == consent["id"] for other in order["consents"]):
        raise bad_request(f"{path}.id: the order has a consent with this id already")
    order["consents"].append(consent)
    return str(consent["id"])
