"""``order.validate``: a report in either published shape, an error otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from norce_order_async import BadRequestError, NorceOrderClient, ValidationFailedError, ValidationProblem
from norce_order_async.sandbox import Sandbox
from tests.support.engine import answer
from tests.support.orders import CART, CONTEXT
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

ENTRIES = [
    {"code": "payment-sum", "adapterId": "order", "message": "Åsa owes 5"},
    {"code": "out-of-stock", "adapterId": "stock"},
]
PROBLEMS = (
    ValidationProblem("payment-sum", "order", "Åsa owes 5"),
    ValidationProblem("out-of-stock", "stock", None),
)


@pytest.mark.parametrize("body", [ENTRIES, {"errors": ENTRIES}], ids=["list", "errors"])
@pytest.mark.parametrize("status", [200, 400])
async def test_both_published_shapes_are_a_report(status: int, body: Any) -> None:
    """A list of failures is a report, bare or under ``errors``, with 200 or with 400."""
    service = stand([answer(status, body)])
    report = await service.client.orders("oAbCdEfG").validate()
    assert report.problems == PROBLEMS
    assert not report.ok
    assert not report
    with pytest.raises(ValidationFailedError, match="order oAbCdEfG did not validate: order: payment-sum") as caught:
        report.raise_for_errors()
    assert caught.value.problems == (("order", "payment-sum"), ("stock", "out-of-stock"))
    assert "Åsa" not in f"{report!r} {caught.value}"


@pytest.mark.parametrize("body", [[], {"errors": []}, None], ids=["list", "errors", "empty"])
async def test_an_empty_report_is_ok(body: Any) -> None:
    """An empty report raises nothing."""
    service = stand([answer(200, body)])
    report = await service.client.orders("oAbCdEfG").validate()
    assert report.ok
    assert report
    report.raise_for_errors()


async def test_an_unreadable_entry_still_counts() -> None:
    """An unreadable entry is a problem without a name, and the order is not valid."""
    service = stand([answer(400, ["no", {"code": 5}])])
    report = await service.client.orders("oAbCdEfG").validate()
    assert report.problems == (ValidationProblem(None, None, None),) * 2
    with pytest.raises(ValidationFailedError, match=r"\?: \?"):
        report.raise_for_errors()


async def test_a_400_with_code_and_message_is_an_error() -> None:
    """A 400 with a code and a message means that the order could not be validated."""
    service = stand([answer(400, {"code": "order-bad-request", "message": "no"})])
    with pytest.raises(BadRequestError, match="Validate of order oAbCdEfG"):
        await service.client.orders("oAbCdEfG").validate()


async def test_it_changes_nothing(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """Over a socket the report follows the order's payments, and validating does not make the handle stale."""
    order = await (await norce.orders.create(CONTEXT | {"cart": CART})).refresh()
    report = await order.validate()
    assert [(problem.adapter_id, problem.code) for problem in report.problems] == [("order", "payment-missing")]
    assert not order.stale
    await order.payments.create({"amount": 125})
    assert (await order.validate()).ok
