# ruff: noqa: E501 - the example is quoted as it stands
"""The example that the adapters were designed with runs against the local order service."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import httpx
import pytest

from norce_order_async import ConfigurationError, NorceOrderClient, TransitionRefusedError
from norce_order_async.adapter import SqliteInbox
from norce_order_async.engines.httpx import HttpxEngine
from norce_order_async.sandbox import IN_PROCESS_URL, Sandbox

from .conversation import ORDER, SECRET

pytestmark = pytest.mark.anyio

EXAMPLE = """
from norce_order_async.adapter import approve, deny, problems

adapter = norce.adapter("erp", public_url="https://erp.example.com/norce", secret=env["ERP_PATH_SECRET"], bearer=env.get("ERP_BEARER"))

@adapter.hook("/state", target="/payments")
async def guard(call):                                   # HookCall
    if call.proposed.status == "completed" and not await in_stock(call.proposed):
        return deny("out-of-stock", "T001 is sold out")
    call.draft.payments[0].amount = 125.0                # the edits become the JSON Patch
    # nothing returned: approved with the edits made

@adapter.validation()
async def check(call):
    return problems(("stock", "none left"))              # or None

@adapter.notification("/state/currentStatus", schema={"const": "completed"})
async def export(call): ...                              # answered 200 after it has returned

@adapter.notification("/cart", ack="first")
async def slow(call): ...                                # stored, answered 200, then worked on with retries

app = Starlette(routes=[Mount("/norce", adapter)])       # FastAPI, Litestar, Django's ASGI, or `uvicorn module:adapter`
"""

REGISTERING = """
await adapter.ensure(order)                              # registers what the decorators say, once, on one order
outcomes = job.run(source, adapter.registration())       # the same as a bulk action
"""

WITH_INBOX = 'bearer=env.get("ERP_BEARER"), inbox=inbox)'


async def test_it_runs(tmp_path: Path) -> None:
    """The test gives the adapter an inbox, which the example leaves out."""
    example = EXAMPLE.replace('bearer=env.get("ERP_BEARER"))', WITH_INBOX)
    from starlette.applications import Starlette
    from starlette.routing import Mount

    sandbox = Sandbox(callback_token="the-bearer")
    engine = HttpxEngine(transport=httpx.ASGITransport(app=sandbox.app))
    stock: list[str] = []

    async def in_stock(_order: Any) -> bool:
        return bool(stock)

    async with NorceOrderClient(
        base_url=IN_PROCESS_URL, token=sandbox.token, merchant="acme", channel="se", engine=engine
    ) as norce:
        order = await norce.orders.create(ORDER)
        other = await norce.orders.create(ORDER)
        await order.payments.create({"amount": 125.0})
        known: dict[str, Any] = {
            "norce": norce,
            "env": {"ERP_PATH_SECRET": SECRET, "ERP_BEARER": "the-bearer"},
            "inbox": SqliteInbox(tmp_path / "inbox.db"),
            "in_stock": in_stock,
            "Starlette": Starlette,
            "Mount": Mount,
            "order": order,
            "job": norce.bulk(journal=None),
            "source": [other.id],
        }
        exec(example, known)
        exec(f"async def register():\n{indent(REGISTERING, '    ')}    return [one async for one in outcomes]", known)
        adapter = known["adapter"]
        sandbox.register_app("erp.example.com", known["app"])
        async with adapter:
            async with known["job"]:
                assert [outcome.verdict for outcome in await known["register"]()] == ["done"]
            assert len((await other.refresh()).hooks) == 1
            assert [problem.code for problem in (await order.validate()).problems] == ["stock"]
            with pytest.raises(TransitionRefusedError):
                await order.transition_to("completed")
            assert adapter.denials[-1].code == "out-of-stock"
            stock.append("T001")
            await order.transition_to("completed")
            await sandbox.deliver_due()
            assert adapter.counts["notification"] == 1
            assert adapter.counts["hook.denied"] == 1
    sandbox.close()


async def test_without_an_inbox_it_is_refused() -> None:
    """An adapter picks no place by itself. A file that its program did not choose may be lost with its container,
    and with it notifications that were answered as stored."""
    async with NorceOrderClient(base_url="http://127.0.0.1:1", token="t", merchant="acme", channel="se") as norce:
        with pytest.raises(ConfigurationError, match="inbox"):
            exec(EXAMPLE, {"norce": norce, "env": {"ERP_PATH_SECRET": SECRET}})
