"""A service or a proxy before it answers wrongly now and then. No wrong reading is named, and every order that is
left is."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from norce_order_async.calibration.run import CalibrationError
from norce_order_async.calibration.state import StateFile, StateFileError
from norce_order_async.engines.base import WireRequest, WireResponse
from norce_order_async.sandbox import Readings, Sandbox

from .support import Change, calibrated, left_in, made_in, named, plan_for

ONLY = ("cart-total", "nulls", "state-answer", "delete-order", "errors", "validate-failed", "cart-reference-unique")
REFUSED = b'{"code":"order-not-found","message":"no"}'


def _with(answer: WireResponse, **what: Any) -> WireResponse:
    return dataclasses.replace(answer, **what)


def _not_there_yet(request: WireRequest, answer: WireResponse) -> WireResponse:
    return _with(answer, status=404, body=REFUSED) if request.method == "GET" else answer


def _made_and_refused(request: WireRequest, answer: WireResponse) -> WireResponse:
    """The answer of a gateway that has sent a creation twice."""
    made = request.method == "POST" and request.url.endswith("/orders")
    return _with(answer, status=409, body=REFUSED) if made else answer


def _another_id(request: WireRequest, answer: WireResponse) -> WireResponse:
    made = request.method == "POST" and request.url.endswith("/orders")
    return _with(answer, body=b'{"id":"another"}') if made else answer


def _no_id(request: WireRequest, answer: WireResponse) -> WireResponse:
    made = request.method == "POST" and request.url.endswith("/orders")
    return _with(answer, body=b'{"id":"no id \\u00e5"}') if made else answer


def _no_list(request: WireRequest, answer: WireResponse) -> WireResponse:
    return _with(answer, body=b"{}") if "?" in request.url else answer


def _html(_: WireRequest, answer: WireResponse) -> WireResponse:
    return _with(answer, body=b"<html>")


def _vast_total(_: WireRequest, answer: WireResponse) -> WireResponse:
    try:
        order = json.loads(answer.body)
        order["cart"]["total"] = {"includingVat": 10**400}
    except (ValueError, KeyError, TypeError):
        return answer
    return _with(answer, body=json.dumps(order).encode())


def _after_the_first(change: Change, chance: Callable[[], bool]) -> Change:
    answers = 0

    def changed(request: WireRequest, answer: WireResponse) -> WireResponse:
        nonlocal answers
        answers += 1
        return change(request, answer) if answers > 1 and chance() else answer

    return changed


@pytest.mark.parametrize(
    "lie",
    [_not_there_yet, _made_and_refused, _another_id, _no_id, _no_list, _html, _vast_total],
    ids=lambda lie: lie.__name__,
)
@pytest.mark.parametrize("seed", range(2))
def test_one_answer_in_ten_is_a_lie(lie: Change, seed: int, tmp_path: Path) -> None:
    chances = random.Random(seed)
    with Sandbox() as sandbox:
        change = _after_the_first(lie, lambda: chances.random() < 0.1)
        result = calibrated(sandbox, tmp_path, ONLY, change=change)
        assert left_in(sandbox) <= len(result.left)
        assert made_in(sandbox) <= 20
    told = named(result)
    assert told == {rule: Readings()[rule] for rule in told}


@pytest.mark.parametrize("lie", [_made_and_refused, _another_id, _no_id], ids=lambda lie: lie.__name__)
def test_the_answer_to_every_creation_is_a_lie(lie: Change, tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, ["cart-put", "cart-total"], change=lie)
        assert made_in(sandbox) > 0
        assert (left_in(sandbox), result.left) == (0, [])
    assert named(result) == {}


def test_a_token_that_expires(tmp_path: Path) -> None:
    """No rule gets a result from then on, and the orders that are left are named. The next run removes them."""
    answers = 0

    def expired(_: WireRequest, answer: WireResponse) -> WireResponse:
        nonlocal answers
        answers += 1
        return _with(answer, status=401, body=b"{}") if answers > 12 else answer

    with Sandbox() as sandbox:
        result = calibrated(sandbox, tmp_path, change=expired)
        assert result.stopped == "the token is not accepted any more (HTTP 401)"
        assert 0 < left_in(sandbox) <= len(result.left)
        assert "neither" not in named(result).values()
        with pytest.raises(CalibrationError, match="could not be removed"):
            calibrated(sandbox, tmp_path, change=lambda _, answer: _with(answer, status=401), clean_only=True)
        assert calibrated(sandbox, tmp_path, clean_only=True).left == []
        assert left_in(sandbox) == 0


def test_a_state_file_that_is_too_large(tmp_path: Path) -> None:
    """If it were read up to the limit, the rest would be forgotten."""
    with Sandbox() as sandbox:
        plan = plan_for(sandbox, tmp_path)
        plan.state.write_bytes(json.dumps({"format": 1, **plan.service}).encode() + b"\n" * (1024 * 1024))
        with pytest.raises(StateFileError, match="larger than any"):
            StateFile.open(plan.state, plan.service)
