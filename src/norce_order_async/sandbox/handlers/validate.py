"""Run the validations of an order: so far the service's own."""

from norce_order_async.sandbox.operation import Answer, OrderCall, answer
from norce_order_async.sandbox.rules import basic_findings


def validate(on: OrderCall) -> Answer:
    entries = [
        {"adapterId": "order", "code": found.code, "message": found.message} for found in basic_findings(on.order)
    ]
    return answer(entries, 400 if entries else 200)
