"""The actions on the pages: sending again, playing faults, moving the clock, seeding, snapshots, reset."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from norce_order_async.sandbox import READY, FaultPlan, Sandbox
from norce_order_async.testing import CallbackReceiver, Reply
from tests.support.waiting import wait_until

from .support import Caller, entered, text_of


def test_a_notification_is_shown_with_its_attempts_and_sent_again(
    inspected: Sandbox, caller: Caller, visitor: httpx.Client
) -> None:
    receiver = CallbackReceiver()
    told = receiver.answer("/told", Reply(500), Reply(200))
    assert "No notification has been sent yet" in visitor.get("/callbacks").text
    order = caller.order()
    caller.send("POST", f"/orders/{order}/notifications", {"adapterId": "erp", "scope": "/reference", "invoke": told})
    caller.send("PUT", f"/orders/{order}/reference", "r-1")
    wait_until(lambda: len(inspected.deliveries[0].attempts) == 1)
    text = text_of(visitor.get("/callbacks?state=waiting").text)
    assert re.search(rf"waiting erp {order} created 2026-01-01 00:00:00, next attempt 2026-01-01 00:00:01", text)
    assert "500 not accepted" in text
    inspected.advance(1)
    wait_until(lambda: inspected.deliveries[0].state == "delivered")
    assert "200 accepted" in text_of(visitor.get("/callbacks").text)
    (given,) = set(re.findall(r'name="id" value="([^"]+)"', visitor.get("/callbacks").text))
    sent = visitor.post("/callbacks", data={"id": given})
    assert (sent.status_code, sent.headers["location"]) == (303, "/__inspect/callbacks?done=sent")
    wait_until(lambda: len(receiver.at("/told")) == 3)
    assert "is being sent again" in text_of(visitor.get("/callbacks?done=sent").text)
    receiver.close()


@pytest.mark.parametrize("name", [*READY, "none"])
def test_a_plan_is_switched_on_and_off(inspected: Sandbox, visitor: httpx.Client, name: str) -> None:
    inspected.faults.play({"rules": [{"fault": {"delay": 0.001}}]})
    # A plan may refuse the connection for the next page, as for any other request.
    assert visitor.post("/faults", data={"plan": name}).status_code == 303
    assert inspected.faults.plan == (READY[name] if name != "none" else FaultPlan())
    page = visitor.get("/faults").text
    pressed = re.findall(r'value="([\w-]+)" type="submit" aria-pressed="true"', page)
    assert pressed == [name]
    assert text_of(page).count("Rules of the current plan") == (name != "none")


def test_the_plan_of_the_start_can_be_played_again() -> None:
    plan = {"rules": [{"operations": "Validate", "fault": {"answer": {"status": 503, "retry_after": 1}}}]}
    with Sandbox(inspect=True, faults=plan) as sandbox, entered(sandbox) as visitor:
        first = sandbox.faults.plan
        visitor.post("/faults", data={"plan": "none"})
        assert "The plan it was started with" in visitor.get("/faults").text
        visitor.post("/faults", data={"plan": "first"})
        assert sandbox.faults.plan == first
    sandbox.close()


def test_an_own_plan_is_played_and_shown_for_another_send(inspected: Sandbox, visitor: httpx.Client) -> None:
    plan = {
        "rules": [
            {"operations": ["Validate", "reads"], "share": 0.5, "fault": {"delay": {"low": 0.1, "high": 0.2}}},
            {"every": 3, "after": 2, "first": 9, "window": {"length": 2.0, "every": 5.0}, "fault": "lose-answer"},
        ]
    }
    assert visitor.post("/faults", data={"plan": "own", "data": json.dumps(plan)}).status_code == 303
    playing = inspected.faults.plan
    page = visitor.get("/faults").text
    assert "Validate, reads 50% of them" in text_of(page)
    assert "one in 3, after 2, the first 9, for 2 s from 0 s, every 5 s" in text_of(page)
    (again,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    inspected.faults.stop()
    assert visitor.post("/faults", data={"plan": "own", "data": again.replace("&#34;", '"')}).status_code == 303
    assert inspected.faults.plan == playing


def test_played_faults_are_listed(inspected: Sandbox, caller: Caller, visitor: httpx.Client) -> None:
    inspected.faults.play({"rules": [{"fault": {"answer": 500}}]})
    caller.send("GET", "/orders")
    assert "answer 500 GetCheckoutOrders 1" in text_of(visitor.get("/faults").text)


def test_the_clock_is_moved(inspected: Sandbox, visitor: httpx.Client) -> None:
    assert visitor.post("/state/clock", data={"seconds": "3600"}).status_code == 303
    assert inspected.clock.now().hour == 1
    assert "2026-01-01 01:00:00 UTC" in text_of(visitor.get("/state").text)


def test_orders_are_seeded_and_everything_is_forgotten(inspected: Sandbox, visitor: httpx.Client) -> None:
    assert visitor.post("/state/seed", data={"orders": "7", "merchant": "acme", "seed": "3"}).status_code == 303
    assert "7 orders of all merchants" in text_of(visitor.get("/orders").text)
    assert visitor.post("/state/seed", data={"orders": "7", "merchant": "acme", "seed": "3"}).status_code == 400
    assert visitor.post("/state/reset").status_code == 303
    assert "There are no orders yet" in visitor.get("/orders").text


def test_a_snapshot_is_taken_and_restored(inspected: Sandbox, visitor: httpx.Client) -> None:
    inspected.seed_orders(3)
    assert visitor.post("/state/take").status_code == 303
    visitor.post("/state/reset")
    assert "Snapshot 1 2026-01-01 00:00:00, 3 orders" in text_of(visitor.get("/state").text)
    assert visitor.post("/state/restore", data={"snapshot": "1"}).status_code == 303
    assert "3 orders of all" in text_of(visitor.get("/orders").text)
    file = visitor.get("/state/sandbox.sqlite")
    assert file.headers["content-disposition"].startswith("attachment")
    visitor.post("/state/reset")
    inspected.restore(file.content)
    assert "3 orders of all" in text_of(visitor.get("/orders").text)
    for _ in range(10):
        visitor.post("/state/take")
    assert visitor.post("/state/forget", data={"snapshot": "11"}).status_code == 303
    assert re.findall(r"Snapshot (\d+)", text_of(visitor.get("/state").text)) == [str(one) for one in range(10, 1, -1)]


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("/faults", {"plan": "nobody's"}, "There is no such plan"),
    ("/faults", {"plan": "own", "data": "{ no json"}, "must be JSON"),
    ("/faults", {"plan": "own", "data": '{"rules": [{"fault": "<i>"}]}'}, "rules[0].fault: must be one of"),
    ("/faults", {"plan": "own", "data": "[" * 50_000}, "must be JSON"),
    ("/faults", {"plan": "own", "data": "x" * 300_000}, "too long"),
    ("/callbacks", {"id": "none"}, "no such notification"),
    ("/callbacks", {}, "no such notification"),
    ("/state/clock", {"seconds": "-1"}, "whole number"),
    ("/state/clock", {"seconds": "٣"}, "whole number"),
    ("/state/clock", {"seconds": "1e9"}, "whole number"),
    ("/state/clock", {}, "whole number"),
    ("/state/seed", {"orders": "0", "merchant": "m"}, "whole number"),
    ("/state/seed", {"orders": "1", "merchant": " "}, "name"),
    ("/state/seed", {"orders": "1", "merchant": "a\nb"}, "name"),
    ("/state/restore", {"snapshot": "9"}, "no such snapshot"),
    ("/state/forget", {"snapshot": ""}, "no such snapshot"),
]


def test_an_impossible_action_is_refused_with_a_reason(inspected: Sandbox, visitor: httpx.Client) -> None:
    before = inspected.faults.plan
    for path, fields, words in REFUSED:
        answer = visitor.post(path, data=fields)
        assert answer.status_code == 400, fields
        assert words in text_of(answer.text)
        assert '<p class="refusal" role="alert">' in answer.text
    assert visitor.post("/state/anything").status_code == 404
    assert visitor.post("/faults", content=b"\xff=%ff&" + b"a=&" * 100).status_code == 400
    assert inspected.faults.plan == before


def test_a_clock_that_can_not_be_moved_is_reported() -> None:
    class Still:
        def now(self) -> object:
            from datetime import UTC, datetime

            return datetime(2026, 1, 1, tzinfo=UTC)

    with Sandbox(inspect=True, clock=Still()) as sandbox, entered(sandbox) as visitor:  # type: ignore[arg-type]
        assert "can't be moved" in text_of(visitor.get("/state").text)
        assert visitor.post("/state/clock", data={"seconds": "1"}).status_code == 400
    sandbox.close()


def test_rules_show_their_readings_and_whether_they_were_touched(caller: Caller, visitor: httpx.Client) -> None:
    everything = visitor.get("/rules").text
    assert everything.count('<section class="card rule"') > 80
    assert "No request has touched a rule" in visitor.get("/rules?only=touched").text
    caller.order()
    touched = visitor.get("/rules?only=touched").text
    (request,) = re.findall(r'href="/__inspect/rules#([\w-]+)"', visitor.get("/requests/1").text)[:1]
    assert f'id="{request}"' in touched
    assert "touched by 1" in text_of(touched)
    assert touched.count("in force") == touched.count('<section class="card rule"')
