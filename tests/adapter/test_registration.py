"""An adapter registers its handlers once, replaces them if the secret changes, and removes them again. It leaves
those of other programs alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from norce_order_async import ConfigurationError, NorceOrderClient, Order
from norce_order_async.adapter import Adapter
from norce_order_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

URL = "https://erp.example.com/norce"
OLD, NEW = "the-old-secret-nobody-guesses", "the-new-secret-nobody-guesses"


async def handler(call: Any) -> None: ...


def adapter_of(
    norce: NorceOrderClient, secret: str | list[str] = OLD, const: str = "completed", **more: Any
) -> Adapter:
    adapter = norce.adapter("erp", public_url=f"{URL}/", secret=secret, **more)
    adapter.hook("/state", target="/payments")(handler)
    adapter.validation()(handler)
    adapter.notification("/state/currentStatus", schema={"const": const}, delay=5, reference="erp-1")(handler)
    return adapter


@asynccontextmanager
async def an_order() -> AsyncGenerator[tuple[NorceOrderClient, Order]]:
    with Sandbox() as sandbox:
        async with NorceOrderClient(
            base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se"
        ) as norce:
            yield norce, await norce.orders.create(culture="sv-SE", currency="SEK", country="SE")


def registered(order: Order) -> list[str]:
    return sorted(
        str(address)
        for address in (
            *(one.invoke for one in order.hooks),
            *(one.url for one in order.validations),
            *(one.invoke for one in order.notifications),
        )
    )


def addresses(secret: str) -> list[str]:
    return [
        f"{URL}/{secret}/hook/state-payments/{{order_id}}",
        f"{URL}/{secret}/notification/state.currentStatus/{{order.id}}",
        f"{URL}/{secret}/validation/order/{{order_id}}",
    ]


async def test_a_service_that_starts_twice_registers_once() -> None:
    async with an_order() as (norce, order):
        await order.hooks.create({"adapterId": "other", "subscribeTo": "/cart", "invoke": f"{URL}/x/hook/cart/1"})
        plan = await adapter_of(norce).plan(order)
        assert (len(plan.add), plan.remove, plan.keep) == (3, (), ())
        assert OLD not in f"{plan}{plan!r}"
        assert "/.../hook/state-payments/{order_id}" in str(plan)
        assert registered(await order.refresh()) == [f"{URL}/x/hook/cart/1"]

        assert (await adapter_of(norce).ensure(order)).changes == 3
        again = await adapter_of(norce).ensure(order)
        assert (again.changes, len(again.keep), str(again)) == (0, 3, "nothing to do")
        assert registered(order) == sorted([*addresses(OLD), f"{URL}/x/hook/cart/1"])
        (hook,) = [one for one in order.hooks if one.adapter_id == "erp"]
        assert (hook.subscribe_to, hook.target, hook.version) == ("/state", "/payments", "v0")
        (note,) = order.notifications
        assert (note.schema, note.delay, note.reference) == ({"const": "completed"}, 5, "erp-1")

        withdrawn = await adapter_of(norce).withdraw(order)
        assert len(withdrawn.remove) == 3
        assert registered(order) == [f"{URL}/x/hook/cart/1"]


async def test_another_secret_schema_or_version_replaces_the_registration() -> None:
    async with an_order() as (norce, order):
        await adapter_of(norce).ensure(order)
        rotated = await adapter_of(norce, [NEW, OLD]).ensure(order)
        assert (len(rotated.add), len(rotated.remove)) == (3, 3)
        assert registered(order) == addresses(NEW)

        changed = await adapter_of(norce, NEW, const="accepted").ensure(order)
        assert [str(one.route) for one in changed.add] == ["/state/currentStatus"]
        (note,) = order.notifications
        assert note.schema == {"const": "accepted"}
        assert registered(order) == addresses(NEW)

        changed = await adapter_of(norce, NEW, const="accepted", version="v1").ensure(order)
        assert len(changed.add) == 2
        assert [one.version for one in (*order.hooks, *order.notifications)] == ["v1", "v1"]
        assert (await adapter_of(norce, NEW, const="accepted", version="v1").plan(order)).changes == 0


async def test_doubles_and_registrations_of_removed_handlers_are_removed() -> None:
    async with an_order() as (norce, order):
        await adapter_of(norce).ensure(order)
        for address in (addresses(OLD)[0], f"{URL}/{OLD}/hook/gone/{{order_id}}"):
            await order.hooks.create(
                {"adapterId": "erp", "subscribeTo": "/state", "target": "/payments", "invoke": address, "version": "v0"}
            )
        plan = await adapter_of(norce).ensure(order)
        assert (len(plan.add), len(plan.remove)) == (0, 2)
        assert registered(order) == addresses(OLD)


async def test_a_job_registers_on_many_orders() -> None:
    async with an_order() as (norce, order):
        other = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE")
        action = adapter_of(norce).registration()
        assert OLD not in f"{action.name}{action.parameters}"
        ids = [order.id, other.id]
        async with norce.bulk(dry_run=True) as job:
            previews = [outcome.verdict async for outcome in job.run(ids, action)]
        assert (previews, registered(await order.refresh())) == (["not tried"] * 2, [])
        async with norce.bulk() as job:
            assert [outcome.verdict async for outcome in job.run(ids, action)] == ["done"] * 2
        assert registered(await order.refresh()) == registered(await other.refresh()) == addresses(OLD)
        async with norce.bulk() as job:
            assert [outcome.verdict async for outcome in job.run(ids, action)] == ["already done"] * 2
        assert await action.settle(order, {}) == "done"


async def test_registering_needs_an_address() -> None:
    async with an_order() as (norce, order):
        with pytest.raises(ConfigurationError, match="public_url"):
            await norce.adapter("erp", secret=OLD).ensure(order)
