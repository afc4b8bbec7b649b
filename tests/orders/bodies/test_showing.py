"""What logs, shells and notebooks show of an order, and the captured answers of any method."""

from __future__ import annotations

import io
import re
from typing import Any, cast

import anyio
import pytest
from rich.console import Console

from norce_order_async import BadRequestError, NorceOrderClient, capture_answers
from tests.support.engine import answer
from tests.support.orders import CART, an_order, unique
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

SECRET: dict[str, Any] = {"givenName": "Sekret", "email": "sekret@example.com", "country": "SE", "phone": "+46sekret"}


def shown(thing: object) -> str:
    """Return what a terminal shows, after checking that a notebook shows the same words."""
    console = Console(file=io.StringIO(), width=100)
    console.print(thing)
    file = console.file
    assert isinstance(file, io.StringIO)
    text = file.getvalue()
    assert cells(in_notebook(thing)) >= {word for word in re.split(r"[│┃\n]| {2,}", text) if word and word.isalpha()}
    return text


def in_notebook(thing: object) -> str:
    html: str = cast("Any", thing)._repr_html_()
    return html


def cells(html: str) -> set[str]:
    return {word for cell in re.findall(r"<(?:td|th)[^>]*>(.*?)</", html) for word in (cell, *cell.split())}


async def test_an_order_is_shown_without_a_customer(norce: NorceOrderClient) -> None:
    """The repr and the table show id, status, age and sums. A part's repr shows only the order's id."""
    order = await an_order(
        norce,
        paid=True,
        customer={"type": "person", "billing": SECRET, "shipping": SECRET},
        attributes={"note": "sekret"},
        reference="sekret",
    )
    await order.transition_to("processing")
    await order.refresh()
    table = shown(order)
    for word in (order.id, "processing", "125.00 SEK", "0.00 SEK", "1 lines", "read", "0 s ago"):
        assert word in table
    rooms = [order.cart, order.customer, order.payments, order.shippings, order.consents, order.hooks]
    rooms += [order.notifications, order.validations, order.attributes]
    assert all(order.id in repr(room) for room in rooms)
    told = f"{table} {in_notebook(order)} {order!r} {rooms!r} {order.transitions!r}"
    assert "sekret" not in told.lower()
    assert repr(order) == f"<Order {order.id} processing, read 0 s ago>"
    await order.attributes.update({"x": 1})
    assert "stale" in shown(order)
    assert "stale" in repr(order)


async def test_an_unloaded_order_is_shown_too() -> None:
    """A handle that was not read, and an order with hardly any data, can be shown too."""
    service = stand([answer(200, {"id": "o1"})])
    order = service.client.orders("o1")
    assert "not loaded" in shown(order)
    assert (order.age, repr(order)) == (None, "<Order o1 not loaded>")
    await order.refresh()
    assert "unknown" in shown(order)
    assert order.age == 0.0


async def test_results_are_shown_without_bodies(norce: NorceOrderClient) -> None:
    """A page, a result of ``ensure``, captured answers and a transition show no personal data."""
    order = await an_order(norce, customer={"type": "person", "billing": SECRET})
    with capture_answers() as answers:
        page = await norce.orders.list(limit=1)
        ensured = await order.payments.ensure({"amount": 1.0, "name": "sekret"}, reference=unique("p"))
    done = await order.transition_to("removed")
    assert "sekret" not in f"{page!r} {shown(page)} {ensured!r} {answers!r} {done!r}".lower()


async def test_a_page_is_shown_with_one_line_for_each_order() -> None:
    """A page shows the service's figures for each order, and no customer."""
    told = {
        "state": {"currentStatus": "processing"},
        "created": "2026-01-02T03:04:05Z",
        "total": {"includingVat": 125.5, "excludingVat": 100.4},
        "currency": "SEK",
        "customer": {"type": "person", "billing": SECRET},
    }
    page = await stand([answer(200, {"data": [{"id": "o1", **told}, {"id": "o2"}]})]).client.orders.list()
    lines = shown(page).splitlines()
    assert [line.strip("│┃ ").split() for line in lines if "o1" in line or "o2" in line] == [
        ["o1", "│", "processing", "│", "2026-01-02", "03:04:05", "UTC", "│", "125.50", "SEK"],
        ["o2", "│", "unknown", "│", "│", "unknown"],
    ]
    assert "sekret" not in f"{shown(page)} {in_notebook(page)}".lower()


async def test_drift_is_shown_with_one_line_for_each_kind() -> None:
    """Drift shows the names of fields and no values, the most frequent first."""
    odd = {"id": "o1", "surprise": "sekret", "state": {"currentStatus": "Sekret"}}
    service = stand([answer(200, odd), answer(200, {"id": "o1", "surprise": 1})])
    for _ in range(2):
        assert (await service.client.orders.get("o1")).data.id == "o1"
    lines = [line.strip("│┃ ").split() for line in shown(service.client.drift).splitlines() if "Get" in line]
    assert lines == [
        ["GetCheckoutOrder", "│", "OrderData.surprise", "│", "extra", "│", "2"],
        ["GetCheckoutOrder", "│", "State.currentStatus", "│", "unknown-word", "│", "1"],
    ]


async def test_a_report_is_shown_with_one_line_for_each_problem() -> None:
    """A report shows codes and their adapters. It hides explanations and codes that are free text, because they may
    name a person."""
    odd = {"code": "blocked: sekret@example.com", "adapterId": "risk", "message": "sekret is blocked"}
    missing = {"code": "payment-missing", "adapterId": "norce", "message": "sekret has not paid"}
    service = stand([answer(400, {"errors": [missing, odd]}), answer(200, {"errors": []})])
    order = service.client.orders("o1")
    table = shown(await order.validate())
    for word in ("Order o1", "payment-missing", "norce", "not shown", "risk"):
        assert word in table
    assert "sekret" not in table.lower()
    report = await order.validate()
    assert shown(report) == "Order o1: nothing is wrong\n"
    assert "<td" in in_notebook(report)
    assert "nothing is wrong" in in_notebook(report)


async def test_the_answers_of_a_method(norce: NorceOrderClient) -> None:
    """Captured answers have status, headers, bytes and attempts, in the order of the calls."""
    with capture_answers() as answers:
        order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=CART)
        report = await order.validate()
        await order.refresh()
    created, validated, read = answers
    assert (created.status, created.id) == (201, order.id)
    assert created.headers["location"].endswith(order.id)
    assert (validated.status, report.ok) == (400, False)
    assert b"payment-missing" in validated.body
    assert [attempt.outcome for attempt in read.attempts] == ["succeeded"]
    assert read.parsed is order.data
    assert read.correlation_id
    await order.refresh()
    assert len(answers) == 3


@pytest.mark.every_loop
async def test_answers_of_tasks_started_inside_are_collected(norce: NorceOrderClient) -> None:
    """Answers of tasks that start inside are collected. An inner collection has its own, and a refusal adds no
    answer."""
    order = await an_order(norce)
    with capture_answers() as outer:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(order.validate)
            tasks.start_soon(order.validate)
        with capture_answers() as inner:
            await order.validate()
        with pytest.raises(BadRequestError):
            await order.payments.create({"state": "no such state"})
    assert (len(outer), len(inner)) == (2, 1)


async def test_answers_of_pages_read_ahead(norce: NorceOrderClient) -> None:
    """Answers of pages that are read ahead are collected too, on both event loops."""
    scope = norce.scoped(channel=unique("c"))
    for _ in range(15):
        await scope.orders.create(culture="sv-SE", currency="SEK", country="SE")
    with capture_answers() as answers:
        assert len([order async for order in scope.orders.iterate(page_size=10)]) == 15
    assert len(answers) >= 3
