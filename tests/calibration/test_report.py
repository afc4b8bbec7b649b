"""Files for others hold no token and no personal data, whatever the service answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from norce_order_async.calibration.description import differences
from norce_order_async.calibration.masking import Masking
from norce_order_async.calibration.probes.base import CouldNotTell, Follows, Neither
from norce_order_async.calibration.report import as_markdown, as_yaml
from norce_order_async.calibration.wire import NOTHING, ORDER, Exchange
from norce_order_async.engines.base import WireRequest, WireResponse
from norce_order_async.sandbox import Readings, Sandbox

from .support import calibrated, named, plan_for, reports

PERSONAL = {
    "email": "anna.andersson@example.com",
    "name": "Anna Andersson",
    "street": "Storgatan 1",
    "number": "19121212-1212",
    "digits": 191212121212,
    "fraction": 0.191212121212,
    "phone": "+46 70 123 45 67",
}


def _hostile(token: str) -> Any:
    """Puts personal data and the token into every place of an answer."""

    def change(_request: WireRequest, response: WireResponse) -> WireResponse:
        headers = {
            **response.headers,
            "x-served-for": "anna.andersson@example.com",
            "x-token": token,
            f"x-{token.lower()}"[:60]: "1",
            f"x-limit-{token[2:11].lower()}": "1",
            "x-ratelimit-limit": "100",
            "x-limit-of": "19121212",
            "x-version": "Anna 1.2 19121212-1212",
        }
        try:
            data: Any = json.loads(response.body)
        except ValueError:
            return replace(response, headers=headers)
        if not hasattr(data, "keys"):
            return replace(response, headers=headers)
        data |= {
            "person": PERSONAL,
            "anna.andersson@example.com": True,
            "Anna Andersson": {"Storgatan 1": token},
            token: token,
            "echo": f"Bearer {token}",
            "traceId": token[:12],
        }
        if "code" in data:
            data |= {"code": token, "message": f"{token} {PERSONAL['name']} {PERSONAL['number']}"}
        if "state" in data:
            data["state"]["transitions"].append({"status": "Anna Andersson", "timeStamp": PERSONAL["number"]})
        return replace(response, headers=headers, body=json.dumps(data).encode())

    return change


def _holds_nothing(text: str, token: str) -> None:
    folded = text.lower()
    for secret in (token, token[:12], "andersson", "anna", "storgatan", "19121212", "1212", "70 123", "example.com"):
        assert secret.lower() not in folded, secret


@pytest.mark.parametrize("token", ["T0kenOfAcme-" + "q7" * 16, "sEcReT0planted"])
def test_a_report_on_hostile_answers(token: str, tmp_path: Path) -> None:
    with Sandbox(token=token) as sandbox:
        result = calibrated(sandbox, tmp_path, change=_hostile(sandbox.token))
        assert len(named(result)) >= 15, "there is something in the report"
        text = reports(sandbox, tmp_path, result)
        _holds_nothing(text, sandbox.token)
        assert "`x-ratelimit-limit: 100`" in text
        assert "`Order.person`" in text
        assert repr(result).lower().count("andersson") == 0
        assert sandbox.token not in repr(plan_for(sandbox, tmp_path))


def test_the_output_of_the_command_on_hostile_answers(tmp_path: Path) -> None:
    """Verdicts have words of our own, and quote nothing of an answer."""
    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, change=_hostile(sandbox.token))
        for verdict in result.verdicts.values():
            match verdict:
                case Follows(words) | Neither(words) | CouldNotTell(words):
                    _holds_nothing(words, sandbox.token)


_JUNK: list[Any] = [
    None, 1, 1.5, "text", "", [], [[]], [1], {}, {"id": 5}, {"id": None}, {"data": {}}, {"data": [1, None, "x"]},
    {"state": "checkout"}, {"state": {"currentStatus": 5, "transitions": "x"}}, {"cart": [], "attributes": 1},
    {"pagination": "x"}, {"pagination": {"size": "1", "limit": None}}, {"created": 5, "lastModified": "yesterday"},
    {"errors": 5}, {"code": {}}, {"id": "a/../b"},
]  # fmt: skip


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("junk", _JUNK, ids=repr)
@pytest.mark.in_turn("every")
def test_junk_never_makes_it_fail(every: int, junk: Any, tmp_path: Path) -> None:
    """The junk replaces each answer, or every third. A calibration may refuse to run, but no other error leaves it."""
    from norce_order_async.calibration.run import CalibrationError

    count = 0

    def change(_request: WireRequest, response: WireResponse) -> WireResponse:
        nonlocal count
        count += 1
        hit = count % every == 0 and count > 3
        return replace(response, body=json.dumps(junk).encode()) if hit else response

    with Sandbox() as sandbox:
        try:
            result = calibrated(sandbox, tmp_path, change=change)
        except CalibrationError:
            return
        reports(sandbox, tmp_path, result)


def test_the_readings_are_loaded_again(tmp_path: Path) -> None:
    """A local service with these readings behaves as the observed one did, and says that they were observed."""
    chosen = {"dates": "last-modified", "pagination-size": "matches"}
    with Sandbox(readings=chosen) as sandbox:
        result = calibrated(sandbox, tmp_path)
        file = tmp_path / "calibration.yaml"
        file.write_text(as_yaml(result, Masking([sandbox.token])))
    readings = Readings.load(file)
    assert {rule: readings[rule] for rule in chosen} == chosen
    assert readings.certainty("dates") == "observed"
    assert readings.certainty("offset") == "assumed"
    assert dict(readings) == {**Readings(), **named(result)}


def test_neither_is_written_with_the_answer(tmp_path: Path) -> None:
    """When such a file is loaded, the rule is assumed."""

    def no_times(_request: WireRequest, response: WireResponse) -> WireResponse:
        return replace(response, body=response.body.replace(b'Z","lastModified"', b'+00:00","lastModified"'))

    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, ("times",), change=no_times)
        text = as_yaml(result, Masking([sandbox.token]))
        report = as_markdown(plan_for(sandbox, tmp_path), result, Masking([sandbox.token]))
    assert named(result) == {"times": "neither"}
    assert '  reading: "neither"\n  observed: "times have 6 decimals and several forms of offsets"' in text
    assert "GET /api/v0/checkout/orders/{order_id} -> 200" in text
    assert "## Follows none of the readings" in report
    file = tmp_path / "calibration.yaml"
    file.write_text(text)
    assert Readings.load(file).certainty("times") == "assumed"


def test_a_file_without_results_loads(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, ("nulls",), most_orders=0)
        text = as_yaml(result, Masking([sandbox.token]))
    assert named(result) == {}
    file = tmp_path / "calibration.yaml"
    file.write_text(text)
    assert Readings.load(file) == Readings()


# ------------------------------------------------------------------------------------------------------- masking


def _exchange(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Exchange:
    return Exchange("GET", ORDER, {}, NOTHING, status, headers or {}, b"x", data, began=0.0, took=0.0)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"currentStatus": "Checkout"}, '{"currentStatus":"Checkout"}'),
        ({"code": "order-not-found"}, '{"code":"order-not-found"}'),
        ({"code": "anna@example.com"}, '{"code":"<text of 16>"}'),
        ({"message": "order-not-found"}, '{"message":"<text of 15>"}'),
        ({"created": "2026-11-27T10:00:00.123456Z"}, '{"created":"2026-11-27T10:00:00.123456Z"}'),
        ({"amount": 12.5, "phone": 191212121212}, '{"amount":12.5,"phone":"<number>"}'),
        ({"a b": 1}, '{"<name>":1}'),
        ([1, 2, 3, 4], '[1,2,"<2 more>"]'),
        ([None, True], "[null,true]"),
        ("oaAaAaAA", '"<text of 8>"'),
    ],
)
def test_a_body_is_masked(data: Any, shown: str) -> None:
    assert Masking(["a-token-of-some-length"]).body(data) == shown


def test_a_long_body_is_cut() -> None:
    assert len(Masking([]).body({f"member{number % 100}x": {"a" * 30: 1} for number in range(100)})) < 1000


# --------------------------------------------------------------------------------------------------- differences


def test_answers_with_more_than_the_description_are_listed() -> None:
    order = {"id": "o1", "novelty": 1, "state": {"currentStatus": "frozen"}, "cart": {"items": [{"colour": 1}]}}
    found = differences(
        [_exchange(order, headers={"x-trace-id": "abc", "server": "x"}), _exchange({}, 418)], Masking([])
    )
    assert found.members == {"Order.novelty", "Order.cart.items[].colour"}
    assert found.words == {"Order.state.currentStatus: frozen"}
    assert found.statuses == {f"GET {ORDER}: 418"}
    assert found.headers == {"x-trace-id"}


def test_an_answer_as_described_is_not_listed(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        found = calibrated(sandbox, tmp_path, reachable=True, allow_completing=True).differences
    assert (found.members, found.words, found.statuses, found.headers) == (set(), set(), set(), set())
