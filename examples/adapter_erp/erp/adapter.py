"""Between Norce Checkout and the ERP: stock, credit, and the export of completed orders."""

from __future__ import annotations

import os
from typing import Any

import httpx
from norce_order_async import NorceOrderClient
from norce_order_async.adapter import (
    Adapter,
    Deny,
    HookCall,
    NotificationCall,
    Problems,
    SqliteInbox,
    ValidationCall,
    deny,
    problems,
)

LOCAL = {
    "ERP_PUBLIC_URL": "https://erp.example.com/norce",
    "ERP_PATH_SECRET": "only-for-this-machine",
    "ERP_INBOX": "inbox.db",
    "ERP_URL": "http://127.0.0.1:8701",
}
"""The values without a setting in the environment."""


async def erp(path: str, data: dict[str, Any]) -> dict[str, Any]:
    """The ERP's answer."""
    async with httpx.AsyncClient(base_url=_setting("ERP_URL"), timeout=2, trust_env=False) as client:
        answer = await client.post(path, json=data)
    answer.raise_for_status()
    return dict(answer.json())


def make(norce: NorceOrderClient) -> Adapter:
    """The adapter, for a client."""
    adapter = norce.adapter(
        "erp",
        public_url=_setting("ERP_PUBLIC_URL"),
        secret=_setting("ERP_PATH_SECRET"),
        inbox=SqliteInbox(_setting("ERP_INBOX")),
    )

    @adapter.validation()
    async def in_stock(call: ValidationCall) -> Problems:
        order = await call.order()
        wanted = {str(item.sku): item.quantity for item in order.cart.items or []} if order.cart else {}
        missing = (await erp("/stock", wanted))["missing"]
        return problems(*(("out-of-stock", f"{sku} is sold out") for sku in missing))

    @adapter.hook("/payments", target="/payments")
    async def within_credit(call: HookCall) -> Deny | None:
        customer = call.proposed.customer
        buyer = customer.billing.email if customer and customer.billing else None
        limit = float((await erp("/credit", {"buyer": buyer}))["limit"])
        payments = [payment for payment in call.draft.payments or [] if payment.state != "removed"]
        if sum(payment.amount or 0.0 for payment in payments) > limit:
            return deny("credit", f"the credit of this buyer is {limit:.2f}")
        for payment in payments:
            payment.reference = f"credit-{limit:.0f}"
        return None

    @adapter.notification("/state/currentStatus", schema={"const": "completed"}, ack="first")
    async def export(call: NotificationCall) -> None:
        # It may come more than once; the key is the same each time, so that the ERP can recognise it.
        done = await erp("/orders", {"key": call.key, "order": dict(call.committed.plain)})
        await call.norce.orders(call.order_id).set_reference(done["number"])

    return adapter


def app() -> Adapter:
    """For ``uvicorn --factory``."""
    return make(NorceOrderClient.from_env())


def _setting(name: str) -> str:
    return os.environ.get(name, LOCAL[name])
