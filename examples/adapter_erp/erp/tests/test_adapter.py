"""The adapter as the order service calls it, within the process, and an ERP that is a local server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from norce_order_async import BadRequestError, Order
from norce_order_async.adapter import Adapter
from norce_order_async.sandbox import Sandbox
from norce_order_async.testing import ConnectAdapter

from ..adapter import make
from ..fake import FakeErp


@pytest.fixture
def erp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeErp]:
    with FakeErp() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("ERP_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("ERP_INBOX", str(tmp_path / "inbox.db"))
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def adapter(erp: FakeErp, norce_adapter: ConnectAdapter) -> Adapter:
    return norce_adapter(make)


async def test_a_sold_out_item_is_a_problem(adapter: Adapter, erp: FakeErp, norce_order: Order) -> None:
    await adapter.ensure(norce_order)
    await norce_order.payments.create({"amount": 175.0})
    erp.sold_out.add("MUG-01")
    assert [problem.code for problem in (await norce_order.validate()).problems] == ["out-of-stock"]
    erp.sold_out.clear()
    assert (await norce_order.validate()).ok


async def test_a_payment_stays_within_the_credit(adapter: Adapter, erp: FakeErp, norce_order: Order) -> None:
    await adapter.ensure(norce_order)
    erp.limit = 100.0
    with pytest.raises(BadRequestError):
        await norce_order.payments.create({"amount": 175.0})
    assert adapter.denials[-1].code == "credit"
    erp.limit = 200.0
    await norce_order.payments.create({"amount": 175.0})
    (payment,) = (await norce_order.refresh()).payments
    assert payment.reference == "credit-200"


async def test_a_payment_is_denied_while_the_erp_is_down(adapter: Adapter, erp: FakeErp, norce_order: Order) -> None:
    await adapter.ensure(norce_order)
    erp.is_down = 1
    with pytest.raises(BadRequestError):
        await norce_order.payments.create({"amount": 175.0})
    assert adapter.denials[-1].cause == "error"


async def test_a_completed_order_is_exported_even_if_the_erp_was_down(
    adapter: Adapter, erp: FakeErp, norce_order: Order, norce_sandbox: Sandbox
) -> None:
    await adapter.ensure(norce_order)
    await norce_order.payments.create({"amount": 175.0})
    async with adapter:
        erp.is_down = 1
        await norce_order.transition_to("completed")
        await norce_sandbox.deliver_due()
        assert norce_sandbox.deliveries[0].state == "delivered"
        with anyio.fail_after(60):
            while (await norce_order.refresh()).reference is None:
                await anyio.sleep(0.05)
    assert norce_order.reference == "erp-1"
    assert len(erp.orders) == 1
