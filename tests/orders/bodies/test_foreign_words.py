"""Words from the service, whatever they contain, control no terminal, break no line and fill no screen when they are
shown."""

from __future__ import annotations

import logging
import re
import traceback
import unicodedata
from collections.abc import AsyncIterator
from typing import Any

import pytest

from norce_order_async import (
    NorceError,
    OutcomeUnknownError,
    RefusedError,
    StatusUnreachableError,
    ValidationProblem,
    WaitTimeoutError,
)
from norce_order_async.bulk import actions
from norce_order_async.display import LONGEST, shown
from norce_order_async.orders.lifecycle import explain
from tests.support.engine import answer
from tests.support.orders import order_body
from tests.support.pipeline import Stand, stand

pytestmark = pytest.mark.anyio

WORDS = {
    "escape": "\x1b[31mred\x1b]0;title\x07",
    "line": "a\r\nINFO norce_order_async: all is well",
    "direction": "\u202egnp.exe\u2066\u200f\u2028",
    "c1": "\x9b31m",
    "markup": "[/nope][bold red]x[/]",
    "script": "</td><script>alert('x')</script><img src=x onerror=alert(1)>",
    "link": "[link=https://evil.example]click[/link]",
    "long": "y" * 100_000,
    "surrogate": "\ud800",
}
LONG = 1_000
"""The longest text of ours about one order."""


@pytest.fixture(params=WORDS)
def word(request: pytest.FixtureRequest) -> str:
    return WORDS[request.param]


def harmless(text: str, *, lines: bool = False) -> None:
    """Check that a text has only visible characters, on one line unless tables are meant."""
    odd = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - ({"\n"} if lines else set())
    assert not odd, text[:200]
    assert len(text) <= LONG * (10 if lines else 1)


def rich_shown(thing: Any) -> str:
    """Return what rich shows in a terminal, where it adds only its styles."""
    console = pytest.importorskip("rich.console").Console(width=200, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(thing)
    text: str = captured.get()
    return text


def in_notebook(thing: Any) -> str:
    """Return what a notebook shows, after checking that only our own tags are in it."""
    html: str = thing._repr_html_()
    tags = set(re.findall(r"<(/?\w+)", html))
    assert {tag.strip("/") for tag in tags} <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert set(re.findall(r"<\w+ ([^>]*)>", html)) == {'style="text-align: left"'}
    return html


def body(word: str, **more: Any) -> dict[str, Any]:
    """Build an order with the word in every place for a text."""
    total = {"includingVat": 125.0, "excludingVat": 100.0}
    log = [{"status": word, "created": "2026-01-02T03:04:05Z"}]
    return {
        "id": word,
        "currency": word,
        "culture": word,
        "reference": word,
        "state": {"currentStatus": word, "transitions": log},
        "total": total,
        "cart": {"reference": word, "items": [{"sku": word, "total": total}], "total": total},
        **more,
    }


def order_stand(*answers: Any) -> Stand:
    return stand([*answers])


async def test_listed_orders(word: str) -> None:
    page = await order_stand(answer(200, {"data": [body(word)]})).client.orders.list()
    (order,) = page.orders
    for text in (repr(page), repr(order), str(order), repr(order.payments), repr(order.cart)):
        harmless(text)
    for thing in (page, order):
        table = rich_shown(thing)
        harmless(table, lines=True)
        harmless(in_notebook(thing), lines=True)
        if word.startswith("["):
            # Square brackets are shown as they are and not read as rich's markup.
            assert word[:12] in table


async def test_the_refusals(word: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "norce_order_async")
    said = {"code": word, "message": word, "type": word, "title": word, "errors": {word: [word]}}
    service = order_stand(answer(200, {"data": [body(word)]}), answer(404, said), answer(409, said), answer(400, said))
    page = await service.client.orders.list()
    order = service.client.orders("o1")
    with pytest.raises(RefusedError) as refused:
        await order.refresh()
    assert refused.value.message
    harmless(str(refused.value))
    with pytest.raises(RefusedError) as refused:
        await order.set_reference("x")
    harmless(str(refused.value))
    with pytest.raises(NorceError) as failed:
        await order.transition_to("completed")
    harmless(str(failed.value))
    harmless("".join(traceback.format_exception_only(failed.value)).strip())
    assert page
    for record in caplog.records:
        harmless(record.getMessage())


async def test_an_unknown_status(word: str) -> None:
    harmless(explain(word, "completed"))
    harmless(str(StatusUnreachableError(word, word, word)))
    harmless(str(WaitTimeoutError(word, "completed", word, 1.0)))
    harmless(repr(ValidationProblem(word, word, word)))
    lost = order_stand(answer(200, order_body("checkout", id="o1")), answer(500), answer(200, body(word, id="o1")))
    order = await lost.client.orders.get("o1")
    with pytest.raises(NorceError) as failed:
        await order.transition_to("completed")
    harmless(str(failed.value))


async def test_reports(word: str) -> None:
    problems = {"errors": [{"code": word, "adapterId": word, "message": word}]}
    service = order_stand(answer(400, problems), answer(200, {"errors": []}))
    order = service.client.orders("o1")
    report = await order.validate()
    harmless(repr(report))
    harmless(rich_shown(report), lines=True)
    harmless(in_notebook(report), lines=True)
    with pytest.raises(NorceError) as failed:
        report.raise_for_errors()
    harmless(str(failed.value))
    harmless(rich_shown(await order.validate()), lines=True)


async def test_the_id_of_a_new_order(word: str) -> None:
    """The handle keeps the id unchanged as data, and every text that shows it is harmless."""
    service = order_stand(answer(201, {"id": word}), answer(404))
    order = await service.client.orders.create(culture="sv-SE")
    assert order.id == word
    harmless(repr(order))
    harmless(rich_shown(order), lines=True)
    with pytest.raises(NorceError) as failed:
        await order.refresh()
    harmless(str(failed.value))
    with pytest.raises(NorceError) as failed:
        _ = order.status
    harmless(str(failed.value))


async def test_errors_with_a_word_in_every_place(word: str) -> None:
    error = OutcomeUnknownError(
        shown(word), operation="CreateCheckoutOrder", order_id=word, correlation_id="c-1", advice=shown(word)
    )
    harmless(str(error))
    harmless(repr(error))


async def test_texts_of_a_job(word: str) -> None:
    """The notes of outcomes in a dry run are harmless."""
    from norce_order_async.bulk.outcome import ItemOutcome

    service = order_stand(*[answer(200, body(word, id="o1"))] * 4)
    async for outcome in dry_run(service, actions.transition("completed")):
        harmless(outcome.note)
        assert isinstance(outcome, ItemOutcome)
    async for outcome in dry_run(service, actions.delete()):
        harmless(outcome.note)


async def dry_run(service: Stand, action: Any) -> AsyncIterator[Any]:
    async with service.client.bulk(dry_run=True) as job:
        async for outcome in job.run(["o1"], action):
            yield outcome


async def test_the_function_itself(word: str) -> None:
    harmless(shown(word))
    assert len(shown("y" * 1000)) == LONGEST
    assert shown("y" * 1000).endswith("y…")
    assert (shown("processing"), shown(None), shown("Åsa 日本")) == ("processing", "None", "Åsa 日本")
    assert shown("a\tb\x1b\u202e\U000e0001") == r"a\tb\x1b\u202e\U000e0001"
