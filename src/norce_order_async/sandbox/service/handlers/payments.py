"""Payments, their actions and their log: added, listed, replaced; actions are executed by calling their address."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox.callbacks.outgoing import CallFailedError
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import EXECUTION_TIMEOUT, Area, defaults_of_payment, refuse_edit
from norce_order_async.sandbox.service.calls import (
    DONE,
    Call,
    CallsOut,
    Changes,
    Handler,
    OrderCall,
    Reads,
    ServiceAnswer,
    World,
    answer,
    load,
)
from norce_order_async.sandbox.service.clock import written
from norce_order_async.sandbox.service.handlers.parts import find, owned, payment, replace
from norce_order_async.sandbox.service.normalise import with_ids
from norce_order_async.sandbox.service.refusals import Refusal


def create_action(on: OrderCall) -> ServiceAnswer:
    on_payment = payment(on)
    added = with_ids(on.body, [], on.ids)
    on_payment.setdefault("actions", []).extend(added)
    for action in added:
        on.took_effect(action["id"])
    return DONE


async def execute_action(world: World, call: Call) -> ServiceAnswer:
    order = load(world, call)
    on_payment = find(order["payments"], "payment", call.ids["payment_id"])
    action = find(on_payment.get("actions", []), "action", call.ids["action_id"])
    refuse_edit(Area.AFTERMATH, order["state"]["currentStatus"])
    try:
        body = world.callbacks.body(order, None)
        reply = await world.callbacks.caller.post(action["url"], body, call.scope, within=EXECUTION_TIMEOUT)
    except CallFailedError as failed:
        raise Refusal(400, "payment-error", f"The action {failed}.") from None
    if not reply.success:
        raise Refusal(400, "payment-error", f"The action's address answered {reply.status}.")
    with world.store.transaction():
        world.store.add_effect(
            written(world.clock.now()), call.scope, order["id"], call.operation, action["id"], action["type"]
        )
    return DONE


def create(on: OrderCall) -> ServiceAnswer:
    made = _made(on, on.ids.payment(), actions=[])
    on.order["payments"].append(made)
    on.took_effect(made["id"])
    return answer({"id": made["id"]}, 201)


def list_all(on: OrderCall) -> ServiceAnswer:
    return answer(on.order["payments"])


def fetch(on: OrderCall) -> ServiceAnswer:
    return answer(payment(on))


def put(on: OrderCall) -> ServiceAnswer:
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


def create_transaction(on: OrderCall) -> ServiceAnswer:
    payment_id = payment(on)["id"]
    transaction: Json = {**on.body, "created": on.now}
    on.world.store.add_transaction(payment_id, transaction)
    on.took_effect(payment_id, transaction.get("event", ""))
    return answer(transaction)


def list_transactions(on: OrderCall) -> ServiceAnswer:
    return answer(on.world.store.transactions(payment(on)["id"]))


HANDLERS: Mapping[str, Handler] = {
    "CreateOrderPayment": Changes(Area.AFTERMATH, create),
    "GetOrderPayments": Reads(list_all),
    "GetOrderPayment": Reads(fetch),
    "UpdateOrderPayment": Changes(Area.AFTERMATH, put, shows=fetch),
    "AddPaymentAction": Changes(Area.AFTERMATH, create_action),
    "ExecutePaymentAction": CallsOut(execute_action),
    "GetTransactionsForOrderPayment": Reads(list_transactions),
    "AddTransactionForOrderPayment": Changes(Area.AFTERMATH, create_transaction),
}
"""By operationId."""
