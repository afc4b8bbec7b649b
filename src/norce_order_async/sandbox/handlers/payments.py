"""Payments: added, listed, fetched, replaced; removed by their state."""

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.operation import DONE, Answer, OrderCall, answer
from norce_order_async.sandbox.rules import defaults_of_payment

from .actions import with_ids
from .parts import owned, payment, replace


def create(on: OrderCall) -> Answer:
    made = _made(on, on.ids.payment(), actions=[])
    on.order["payments"].append(made)
    on.took_effect(made["id"])
    return answer({"id": made["id"]}, 201)


def list_all(on: OrderCall) -> Answer:
    return answer(on.order["payments"])


def fetch(on: OrderCall) -> Answer:
    return answer(payment(on))


def put(on: OrderCall) -> Answer:
    current = payment(on)
    replace(current, _made(on, current["id"], actions=current.get("actions", [])))
    on.took_effect(current["id"])
    return DONE


def _made(on: OrderCall, identifier: str, actions: list[Json]) -> Json:
    """The body as a payment; `actions` are those it has had so far."""
    made: Json = {**on.body, **owned(on, identifier)}
    defaults_of_payment(made)
    if "actions" in made:
        made["actions"] = with_ids(made["actions"], actions, on.ids)
    elif actions:
        made["actions"] = actions
    return made
