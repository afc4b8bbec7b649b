"""The requests as they come, one of them in full, and the stream that reports changes."""

from __future__ import annotations

import re

import httpx
import pytest

from norce_order_async.sandbox import Sandbox

from .support import Caller, entered, text_of


def shown(page: httpx.Response) -> list[str]:
    """The numbers of the requests on a page, in their order."""
    assert page.status_code == 200
    return re.findall(r'id="r(\d+)"', page.text)


def test_each_request_is_shown_newest_first(caller: Caller, visitor: httpx.Client) -> None:
    assert "There are no requests yet" in visitor.get("/").text
    order = caller.order()
    caller.send("GET", f"/orders/{order}", headers={"x-correlation-id": "job-17"})
    caller.send("GET", "/orders/none")
    page = visitor.get("/")
    assert shown(page) == ["3", "2", "1"]
    text = text_of(page.text)
    assert re.search(rf"GetCheckoutOrder GET /orders/{order} .* 200 [\d.]+ ms job-17", text)
    assert re.search(r"GetCheckoutOrder GET /orders/none .* 404 ", text)
    assert "00:00:00.000" in text, "the sandbox's time, which stands still here"


def test_requests_can_be_filtered(inspected: Sandbox, caller: Caller, visitor: httpx.Client) -> None:
    order = caller.order()
    caller.send("GET", f"/orders/{order}", headers={"x-correlation-id": "job-17"})
    caller.send("GET", "/orders/none")
    inspected.faults.play({"rules": [{"fault": {"answer": 503}}]})
    caller.send("GET", "/orders")
    inspected.faults.play({"rules": [{"fault": "lose-answer"}]})
    with pytest.raises(httpx.HTTPError):
        caller.send("POST", f"/orders/{order}/validate")
    picked = {
        "?find=JOB-17": ["2"],
        f"?find={order}": ["5", "2"],
        "?operation=GetCheckoutOrder": ["3", "2"],
        "?outcome=good": ["2", "1"],
        "?outcome=refused": ["3"],
        "?outcome=failed": ["4"],
        "?outcome=lost": ["5"],
        "?outcome=fault": ["5", "4"],
        "?outcome=fault&operation=Validate": ["5"],
        "?before=3": ["2", "1"],
        "?before=no-number": ["5", "4", "3", "2", "1"],
    }
    assert {query: shown(visitor.get(f"/{query}")) for query in picked} == picked
    assert "No request matches" in visitor.get("/?find=nothing").text


def test_older_ones_are_a_page_further(caller: Caller, visitor: httpx.Client) -> None:
    for _ in range(101):
        caller.send("GET", "/orders")
    newest = visitor.get("/?operation=GetCheckoutOrders")
    assert shown(newest) == [str(number) for number in range(101, 1, -1)]
    (older,) = re.findall(r'href="/__inspect/([^"]*)" rel="next"', newest.text)
    page = visitor.get("/" + older.replace("&amp;", "&"))
    assert shown(page) == ["1"]
    assert 'rel="next"' not in page.text


def test_only_the_first_page_updates(caller: Caller, visitor: httpx.Client) -> None:
    """Later pages don't move while a visitor reads them. The first page can be paused."""
    assert "sse-connect" in visitor.get("/").text
    assert "sse-connect" not in visitor.get("/?before=5").text
    assert "sse-connect" not in visitor.get("/?still=1").text


def test_a_request_in_full(caller: Caller, visitor: httpx.Client) -> None:
    order = caller.order(attributes={"gift": True})
    page = visitor.get("/requests/1")
    text = text_of(page.text)
    assert "CreateCheckoutOrder 201 POST /checkout/order/api/v0/checkout/orders" in text
    assert "authorization Bearer ***" in text
    assert "sandbox-token" not in page.text
    assert '{ "attributes": { "gift": true } }' in text
    assert f'{{ "id": "{order}" }}' in text
    assert f"location /api/v0/checkout/orders/{order}" in text
    assert visitor.get("/requests/2").status_code == 404
    assert visitor.get("/requests/x").status_code == 404


def test_an_answer_that_a_fault_dropped_is_shown(inspected: Sandbox, caller: Caller, visitor: httpx.Client) -> None:
    inspected.faults.play("lost-answers")
    for number in range(2):
        caller.order(attributes={"number": number})
    with pytest.raises(httpx.HTTPError):
        caller.order()
    text = text_of(visitor.get("/requests/3").text)
    assert "no answer" in text
    assert "answer lost" in text
    assert "The sender got no answer" in text
    assert "status 201" in text


def test_no_more_is_kept_than_the_limit() -> None:
    with Sandbox(inspect=True, keep_requests=3) as sandbox, Caller(sandbox) as caller, entered(sandbox) as visitor:
        for _ in range(5):
            caller.send("GET", "/orders")
        assert shown(visitor.get("/")) == ["5", "4", "3"]
        assert visitor.get("/requests/2").status_code == 404
        assert "Earlier" not in visitor.get("/requests/3").text
    sandbox.close()


def test_a_reset_empties_it(inspected: Sandbox, caller: Caller, visitor: httpx.Client) -> None:
    caller.order()
    inspected.reset()
    assert shown(visitor.get("/")) == []
    assert visitor.get("/requests/1").status_code == 404
    caller.order()
    assert shown(visitor.get("/")) == ["2"], "a link to what is gone leads nowhere and not to another"


def test_the_stream_reports_changes(inspected: Sandbox, caller: Caller, visitor: httpx.Client) -> None:
    with visitor.stream("GET", "/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        caller.order()
        assert "event: changed" in (line for line in lines)
        # The stream ends with the server, which does not wait for it.
        inspected.stop()
        assert list(lines)[-1:] in ([], [""])
