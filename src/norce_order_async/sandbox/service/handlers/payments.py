"""Payments with their actions and transactions. An action is executed by a call to its address."""

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
from norce_order_async.sandbox.service.handlers.parts import Part, find
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.normalise import with_ids
from norce_order_async.sandbox.service.refusals import Refusal


def _complete(on: OrderCall, entry: Json, current: Json) -> None:
    defaults_of_payment(entry)
    actions: list[Json] = current.get("actions", [])
    if "actions" in entry:
        entry["actions"] = with_ids(entry["actions"], actions, on.ids)
    elif actions:
        entry["actions"] = actions


_PAYMENTS = Part("payment", Ids.payment, _complete)


def create_action(on: OrderCall) -> ServiceAnswer:
    payment = _PAYMENTS.named(on)
    added = with_ids(on.body, [], on.ids)
    payment.setdefault("actions", []).extend(added)
    for action in added:
        on.took_effect(action["id"])
    return DONE


async def execute_action(world: World, call: Call) -> ServiceAnswer:
    order = load(world, call)
    payment = find(order["payments"], "payment", call.ids["payment_id"])
    action = find(payment.get("actions", []), "action", call.ids["action_id"])
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


def create_transaction(on: OrderCall) -> ServiceAnswer:
    payment_id = _PAYMENTS.named(on)["id"]
    transaction: Json = {**on.body, "created": on.now}
    on.world.store.add_transaction(payment_id, transaction)
    on.took_effect(payment_id, transaction.get("event", ""))
    return answer(transaction)


def list_transactions(on: OrderCall) -> ServiceAnswer:
    return answer(on.world.store.transactions(_PAYMENTS.named(on)["id"]))


HANDLERS: Mapping[str, Handler] = {
    "CreateOrderPayment": Changes(Area.AFTERMATH, _PAYMENTS.create),
    "GetOrderPayments": Reads(_PAYMENTS.list_all),
    "GetOrderPayment": Reads(_PAYMENTS.fetch),
    "UpdateOrderPayment": Changes(Area.AFTERMATH, _PAYMENTS.put, shows=_PAYMENTS.fetch),
    "AddPaymentAction": Changes(Area.AFTERMATH, create_action),
    "ExecutePaymentAction": CallsOut(execute_action),
    "GetTransactionsForOrderPayment": Reads(list_transactions),
    "AddTransactionForOrderPayment": Changes(Area.AFTERMATH, create_transaction),
}
"""By operationId."""
