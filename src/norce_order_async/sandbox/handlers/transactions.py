"""The log of a payment."""

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.operation import Answer, OrderCall, answer

from .parts import payment


def create(on: OrderCall) -> Answer:
    payment_id = payment(on)["id"]
    transaction: Json = {**on.body, "created": on.now}
    on.world.store.add_transaction(payment_id, transaction)
    on.took_effect(payment_id, transaction.get("event", ""))
    return answer(transaction)


def list_all(on: OrderCall) -> Answer:
    return answer(on.world.store.transactions(payment(on)["id"]))
