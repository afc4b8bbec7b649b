"""An adapter with a handler of each kind, and a conversation with the local order service that reaches them all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias, cast

import pytest

from norce_order_async import NorceOrderClient, TransitionRefusedError
from norce_order_async.adapter import (
    Adapter,
    Deny,
    HookCall,
    NotificationCall,
    Problems,
    ValidationCall,
    deny,
    problems,
)
from norce_order_async.models import OrderDataDict
from norce_order_async.sandbox import Sandbox

SECRET = "nobody-can-guess-this"
BEARER = "of-the-callbacks"

ORDER: OrderDataDict = {
    "culture": "sv-SE",
    "currency": "SEK",
    "country": "SE",
    "cart": {"items": [{"sku": "T001", "quantity": 1, "total": {"includingVat": 125.0, "excludingVat": 100.0}}]},
}

Framework: TypeAlias = Literal["alone", "starlette", "fastapi", "litestar"]
FRAMEWORKS: tuple[Framework, ...] = ("alone", "starlette", "fastapi", "litestar")
MOUNT = "/norce"


class Told:
    """Records the calls that the handlers got, and says what they answer."""

    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.validated: list[str] = []
        self.notified: list[str] = []
        self.failures = 0
        self.sold_out = True


def erp(norce: NorceOrderClient, public_url: str, told: Told, **arguments: Any) -> Adapter:
    """The adapter, whose handlers report to ``told``."""
    adapter = norce.adapter("erp", public_url=public_url, secret=SECRET, bearer=BEARER, **arguments)

    @adapter.hook("/state", target="/payments")
    async def guard(call: HookCall) -> Deny | None:
        told.hooks.append(str(call.proposed.status))
        if told.sold_out:
            return deny("out-of-stock", "T001 is sold out")
        call.draft.payments[0].reference = "seen by the ERP"
        return None

    @adapter.hook("/reference")
    async def name(call: HookCall) -> None:
        cast("Any", call.draft).attributes["erp"] = {"named": call.proposed.reference}

    @adapter.validation()
    async def check(call: ValidationCall) -> Problems | None:
        order = await call.order()
        told.validated.append(order.id)
        return problems(("stock", "none left")) if told.sold_out else None

    @adapter.notification("/state/currentStatus", schema={"const": "completed"})
    async def export(call: NotificationCall) -> None:
        if told.failures:
            told.failures -= 1
            raise OSError("the ERP is down")
        # The adapter itself makes this change, so its hook for the reference is not called.
        await call.norce.orders(call.order_id).set_reference("exported")
        told.notified.append(str(call.committed.status))

    return adapter


def mounted(adapter: Adapter, framework: Framework) -> tuple[Any, str]:
    """The application that mounts the adapter, and the path of the adapter in it."""
    match framework:
        case "alone":
            return adapter, ""
        case "starlette":
            from starlette.applications import Starlette
            from starlette.routing import Mount

            return Starlette(routes=[Mount(MOUNT, adapter)]), MOUNT
        case "fastapi":
            from fastapi import FastAPI

            app = FastAPI()
            app.mount(MOUNT, adapter)
            return app, MOUNT
        case "litestar":
            from litestar import Litestar, asgi

            handler: Any = asgi(MOUNT, is_mount=True, copy_scope=True)(_passed_on(adapter))
            return Litestar([handler], logging_config=None), MOUNT


def _passed_on(adapter: Adapter) -> Callable[..., Any]:
    # Litestar takes only functions, and checks the names of their arguments.
    async def norce(scope: Any, receive: Any, send: Any) -> None:
        await adapter(scope, receive, send)

    norce.__annotations__ = {"scope": Any, "receive": Any, "send": Any, "return": None}
    return norce


@asynccontextmanager
async def driver(sandbox: Sandbox, base_url: str, **arguments: Any) -> AsyncGenerator[NorceOrderClient]:
    """A client that calls the sandbox."""
    async with NorceOrderClient(
        base_url=base_url, token=sandbox.token, merchant="acme", channel="se", **arguments
    ) as norce:
        yield norce


async def converse(norce: NorceOrderClient, sandbox: Sandbox, adapter: Adapter, told: Told) -> None:
    """Make the service call the adapter in every way that it can, over one order."""
    order = await norce.orders.create(ORDER)
    await order.payments.create({"amount": 125.0})

    plan = await adapter.ensure(order)
    assert len(plan.add) == 4
    assert SECRET not in str(plan)
    assert (await adapter.ensure(order)).changes == 0

    await order.set_reference("our-1")
    await order.refresh()
    assert order.attributes["erp"] == {"named": "our-1"}

    assert [problem.code for problem in (await order.validate()).problems] == ["stock"]
    with pytest.raises(TransitionRefusedError):
        await order.transition_to("completed")
    assert (await order.refresh()).status == "checkout"

    told.sold_out, told.failures = False, 1
    assert (await order.validate()).ok
    await order.transition_to("completed")
    (payment,) = (await order.refresh()).payments
    assert (order.status, payment.reference) == ("completed", "seen by the ERP")

    while any(delivery.state == "waiting" for delivery in sandbox.deliveries):
        sandbox.advance(5)
        await sandbox.deliver_due()
    (delivery,) = sandbox.deliveries
    assert [attempt.status for attempt in delivery.attempts] == [500, 200]
    assert told.notified == ["completed"]
    await order.refresh()
    assert order.reference == "exported"
    assert told.validated == [order.id] * 2
    assert set(told.hooks) == {"processing", "completed"} or set(told.hooks) == {"completed"}

    other = await norce.orders.create(ORDER)
    assert len((await adapter.ensure(other)).add) == 4
    assert len((await adapter.withdraw(other)).remove) == 4
    await other.refresh()
    assert [*other.hooks, *other.validations, *other.notifications] == []
