"""The receiver of callbacks on its own."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from norce_order_async.testing import CallbackCall, CallbackReceiver, Reply
from tests.support.plain import NO_TLS
from tests.support.waiting import wait_until


@pytest.fixture
def receiver() -> Iterator[CallbackReceiver]:
    receiver = CallbackReceiver()
    yield receiver
    receiver.close()


def test_it_answers_in_turn_and_the_last_stays(receiver: CallbackReceiver) -> None:
    """A path without answers gets a 200 without a body."""
    address = receiver.answer("/hook", Reply(403), Reply(200, [{"op": "remove", "path": "/reference"}]))
    answers = [httpx.post(address, json={"id": "o1"}, verify=NO_TLS, trust_env=False) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 200, 200]
    assert answers[2].json() == [{"op": "remove", "path": "/reference"}]
    silent = httpx.post(f"{receiver.url}/elsewhere?a=b", verify=NO_TLS, trust_env=False)
    assert (silent.status_code, silent.content) == (200, b"")
    assert [call.path for call in receiver.calls] == ["/hook", "/hook", "/hook", "/elsewhere"]
    assert (receiver.at("/hook")[0].json, receiver.at("/elsewhere")[0].query) == ({"id": "o1"}, "a=b")


def test_it_answers_by_a_function(receiver: CallbackReceiver) -> None:
    """The function gets the call."""

    def by_total(call: CallbackCall) -> Reply:
        return Reply(200 if call.json["total"] < 100 else 403)

    address = receiver.answer("/hook", by_total)
    statuses = [
        httpx.post(address, json={"total": total}, verify=NO_TLS, trust_env=False).status_code for total in (50, 200)
    ]
    assert statuses == [200, 403]


def test_a_function_that_fails_is_reported_at_the_end() -> None:
    """The caller gets a 500, and closing raises the function's exception."""
    receiver = CallbackReceiver()
    address = receiver.answer("/hook", lambda call: Reply(call.json["status"]))
    assert httpx.post(address, json={}, verify=NO_TLS, trust_env=False).status_code == 500
    with pytest.raises(KeyError, match="status"):
        receiver.close()


@pytest.mark.parametrize("leaves", [True, False])
def test_closing_does_not_wait_for_a_delay(leaves: bool) -> None:
    """Closing does not wait for a delay of an hour, whether or not the caller has left."""
    receiver = CallbackReceiver()
    address = receiver.answer("/hook", Reply(delay=3600))
    parts = urlsplit(address)
    caller = http.client.HTTPConnection(parts.hostname or "", parts.port)
    caller.request("POST", parts.path)
    wait_until(lambda: receiver.calls)
    if leaves:
        caller.close()
    receiver.close()
    caller.close()
    assert len(receiver.calls) == 1


def test_nothing_personal_is_shown(receiver: CallbackReceiver) -> None:
    """Neither bodies nor headers are in a repr."""
    address = receiver.answer("/hook", Reply(200, {"name": "Testsson"}))
    httpx.post(
        f"{address}?name=Testsson", json={"name": "Testsson"}, headers={"x": "Testsson"}, verify=NO_TLS, trust_env=False
    )
    assert "Testsson" not in repr(receiver.calls) + repr(Reply(200, {"name": "Testsson"}))


def test_impossible_answers_are_refused(receiver: CallbackReceiver) -> None:
    """A path without its slash and a call without an answer are refused."""
    with pytest.raises(ValueError, match="begins with a slash"):
        receiver.answer("hook", Reply())
    with pytest.raises(ValueError, match="at least one answer"):
        receiver.answer("/hook")


def test_a_function_that_returns_no_reply() -> None:
    """The caller gets a 500, and the error at the end of the test names the returned type."""
    receiver = CallbackReceiver()
    address = receiver.answer("/hook", lambda call: 409)  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]
    assert httpx.post(address, verify=NO_TLS, trust_env=False).status_code == 500
    with pytest.raises(TypeError, match="answers /hook must return a Reply, not int"):
        receiver.close()
