"""Callers other than the service call an adapter over a socket. None of them reaches a handler or sees a secret, and
all are counted."""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import socket
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.adapter import Adapter, HookCall, NotificationCall, ValidationCall, notifications
from norce_order_async.adapter.bodies import MAX_BODY
from tests.support.asgi import Server, listening, serving_app
from tests.support.waiting import wait_until

NEW, OLD = "new-secret-nobody-guesses", "old-secret-nobody-guesses"
BEARER = "bearer-nobody-guesses"
TOKEN = "client-token-nobody-sees"
PERSON = "eva.personal@example.com"
SECRETS = (NEW, OLD, BEARER, TOKEN, PERSON)

ORDER = {"id": "oAbCdEfG", "state": {"currentStatus": "completed"}, "customer": {"billing": {"email": PERSON}}}
BODY = json.dumps(ORDER).encode()

HEADERS = (
    ("authorization", f"Bearer {BEARER}"),
    ("x-merchant", "acme"),
    ("x-channel", "se"),
    ("content-type", "application/json"),
)


@dataclass
class Victim:
    """An adapter behind a server, and a record of the handlers that ran."""

    adapter: Adapter
    address: tuple[str, int]
    ran: list[str] = field(default_factory=list[str])

    def path(self, kind: str = "hook", order: str = "oAbCdEfG", secret: str = NEW) -> str:
        name = {"hook": "state", "validation": "order", "notification": "cart"}[kind]
        return f"/norce/{secret}/{kind}/{name}/{order}"

    def ask(
        self,
        path: str,
        body: bytes = BODY,
        *,
        method: str = "POST",
        headers: tuple[tuple[str, str], ...] = HEADERS,
        length: bool = True,
        finish: bool = True,
    ) -> tuple[int, bytes]:
        """Send bytes on a connection. Returns the status and body of the answer, or status 0 if the connection was
        closed without one."""
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        head += f"content-length: {len(body)}\r\n\r\n" if length else "transfer-encoding: chunked\r\n\r\n"
        sent = body if length else b"".join(_chunks(body))
        with socket.create_connection(self.address, timeout=60) as line:
            with contextlib.suppress(OSError):  # refused before everything was sent, and the answer may still come
                line.sendall(head.encode("latin-1") + (sent if finish else sent[:-1]))
            return _answer(line)


def _chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65_536):
        chunk = body[start : start + 65_536]
        yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


def _answer(line: socket.socket) -> tuple[int, bytes]:
    received = b""
    with contextlib.suppress(OSError):
        while data := line.recv(65_536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head.startswith(b"HTTP/") else 0), head + b"\r\n\r\n" + body


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def served(request: pytest.FixtureRequest) -> Generator[Victim]:
    server: Server = request.param
    norce = NorceOrderClient(base_url="http://127.0.0.1:1", token=TOKEN, merchant="acme", channel="se")
    adapter = norce.adapter("erp", secret=[NEW, OLD], bearer=BEARER)
    listener, _ = listening()
    victim = Victim(adapter, listener.getsockname())

    @adapter.hook("/state", budget=0.5)
    async def hook(call: HookCall) -> None:
        victim.ran.append(call.route)

    @adapter.validation()
    async def validation(call: ValidationCall) -> None:
        victim.ran.append(call.route)

    @adapter.notification("/cart")
    async def notification(call: NotificationCall) -> None:
        victim.ran.append(call.route)

    with serving_app(adapter, server, on=listener):
        yield victim


@pytest.fixture
def victim(served: Victim, caplog: pytest.LogCaptureFixture) -> Iterator[Victim]:
    """An adapter of whose secrets no log may hold one after a test."""
    served.ran.clear()
    with caplog.at_level(logging.DEBUG):
        yield served
    for secret in SECRETS:
        assert secret not in caplog.text


def refused(victim: Victim, reason: str, *arguments: Any, status: int, **named: Any) -> None:
    """Demand a refusal that is counted, reveals nothing and reaches no handler."""
    before = dict(victim.adapter.counts)
    got, answer = victim.ask(*arguments, **named)
    assert got == status, answer
    for secret in SECRETS:
        assert secret.encode() not in answer
    after = dict(victim.adapter.counts)
    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}.get(
        f"refused.{reason}"
    ) == 1
    assert victim.ran == []


@pytest.mark.parametrize("secret", [NEW, OLD])
@pytest.mark.parametrize("kind", ["hook", "validation", "notification"])
def test_the_service_may_call(victim: Victim, kind: str, secret: str) -> None:
    # A body of its own, because the same notification is not handled twice.
    body = b"" if kind == "validation" else json.dumps({**ORDER, "reference": f"{kind} {secret}"}).encode()
    status, _ = victim.ask(victim.path(kind, secret=secret), body)
    assert (status, len(victim.ran)) == (200, 1)


@pytest.mark.parametrize(
    "secret", ["", "x", NEW[:-1], NEW + "x", NEW.upper(), NEW[:-1] + "%00", "%F0%9F%94%91", "..", "a" * 4000, "%"]
)
def test_a_wrong_secret_is_not_found(victim: Victim, secret: str) -> None:
    refused(victim, "secret", victim.path(secret=secret), status=404)


@pytest.mark.parametrize("path", ["/", "/norce", "/hook/state/o1", f"/{OLD}", f"/norce/{NEW}/hook/state"])
def test_a_path_that_is_too_short_is_not_found(victim: Victim, path: str) -> None:
    refused(victim, "secret", path, status=404)


def test_every_secret_is_compared_in_constant_time_whichever_is_right(
    victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    digest = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return digest(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for given in (NEW, OLD, "wrong-secret-of-somebody"):
        compared.clear()
        victim.ask(victim.path(secret=given), method="GET")
        words = {one for one, _ in compared}
        assert {NEW.encode(), OLD.encode()} <= words, "each is compared, also after one that is right"
        assert (BEARER.encode() in words) == (given in (NEW, OLD))
    compared.clear()
    victim.ask("/")
    assert len(compared) == 2, "a short path takes as long"


@pytest.mark.parametrize(
    "sent",
    [[], ["Bearer wrong"], [f"Basic {BEARER}"], [BEARER], [f"Bearer {BEARER}x"], [f"Bearer {BEARER}", "Bearer wrong"]],
)
def test_a_wrong_bearer_is_unauthorized(victim: Victim, sent: list[str]) -> None:
    headers = (*(("authorization", one) for one in sent), *HEADERS[1:])
    refused(victim, "bearer", victim.path(), headers=headers, status=401)


@pytest.mark.parametrize(
    "headers",
    [
        (("x-merchant", "other"), ("x-channel", "se")),
        (("x-merchant", "acme"), ("x-channel", "no")),
        (("x-merchant", "acme"),),
        (("x-channel", "se"),),
        (("x-merchant", "acme"), ("x-merchant", "other"), ("x-channel", "se")),
        (("x-merchant", "ACME"), ("x-channel", "se")),
        (("x-merchant", "acme\xe9"), ("x-channel", "se")),
    ],
)
@pytest.mark.parametrize("kind", ["hook", "validation", "notification"])
def test_a_foreign_merchant_or_channel_is_forbidden(
    victim: Victim, kind: str, headers: tuple[tuple[str, str], ...]
) -> None:
    refused(victim, "merchant", victim.path(kind), headers=(HEADERS[0], *headers), status=403)


@pytest.mark.parametrize("kind", ["hook", "notification"])
@pytest.mark.parametrize("length", [True, False], ids=["declared", "in chunks"])
def test_a_body_of_one_byte_too_many_is_too_large(victim: Victim, kind: str, length: bool) -> None:
    body = BODY[:-1] + b" " * (MAX_BODY + 1 - len(BODY)) + b"}"
    assert len(body) == MAX_BODY + 1
    refused(victim, "size", victim.path(kind), body, length=length, status=413)


def test_a_body_of_the_largest_size_is_accepted(victim: Victim) -> None:
    body = json.dumps({**ORDER, "reference": "of the largest size"}).encode()
    status, _ = victim.ask(victim.path("notification"), body[:-1] + b" " * (MAX_BODY - len(body)) + b"}")
    assert (status, victim.ran) == (200, ["/cart"])


@pytest.mark.parametrize("kind", ["hook", "notification"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"o"',
        b"null",
        BODY[:-1],
        BODY + BODY,
        b'{"id": "oAbCdEfG", "customer": "\xff"}',
        b'{"id": "oAbCdEfG", "attributes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"id": "oAbCdEfG", "attributes": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b"[" * 2_000_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_not_a_json_object_is_refused(victim: Victim, kind: str, body: bytes) -> None:
    refused(victim, "json", victim.path(kind), body, status=400)


@pytest.mark.parametrize(
    "order",
    ["..", ".", "%2e%2e", "a%00b", "a%0d%0ab", "a" * 4000, "..%5c..", "%20", "%2f"],
)
@pytest.mark.parametrize("kind", ["hook", "validation", "notification"])
def test_an_id_that_no_order_has_is_not_found(victim: Victim, kind: str, order: str) -> None:
    before = victim.adapter.counts["refused.id"] + victim.adapter.counts["refused.secret"]
    status, answer = victim.ask(victim.path(kind, order), b"" if kind == "validation" else BODY)
    assert status in (400, 404), answer
    assert victim.adapter.counts["refused.id"] + victim.adapter.counts["refused.secret"] == before + 1
    assert victim.ran == []


@pytest.mark.parametrize("order", ["../o1", "o1/../o2", "o1%2F..%2Fo2", "o1/x", "%2e%2e%2fo1"])
def test_an_id_that_leaves_its_segment_is_not_found(victim: Victim, order: str) -> None:
    refused(victim, "secret", victim.path("validation", order), b"", status=404)


def test_a_validation_whose_placeholder_was_not_filled_in_has_no_order(victim: Victim) -> None:
    """A hook and a notification find the id in the body instead."""
    refused(victim, "id", victim.path("validation", "%7Border_id%7D"), b"", status=400)
    assert victim.ask(victim.path("hook", "%7Border_id%7D"))[0] == 200
    assert victim.ran == ["/state"]


@pytest.mark.parametrize("kind", ["hook", "notification"])
def test_the_body_of_another_order_is_refused(victim: Victim, kind: str) -> None:
    refused(victim, "id", victim.path(kind, "oOtherOne"), status=400)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_not_allowed(victim: Victim, method: str) -> None:
    refused(victim, "method", victim.path(), method=method, status=405)


def test_an_unknown_route_is_not_found(victim: Victim) -> None:
    refused(victim, "route", f"/norce/{NEW}/hook/payments/oAbCdEfG", status=404)


def test_a_slow_body_is_denied_in_time_and_no_handler_runs(victim: Victim) -> None:
    before = victim.adapter.counts["hook.late"]
    status, answer = victim.ask(victim.path(), finish=False)
    assert (status, b"adapter-late" in answer) == (400, True)
    assert victim.adapter.counts["hook.late"] == before + 1
    assert victim.ran == []


def test_the_slow_body_of_a_notification_is_refused(victim: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "READ_WITHIN", 0.3)
    refused(victim, "slow", victim.path("notification"), finish=False, status=408)


def test_thousands_of_headers_are_too_many(victim: Victim) -> None:
    headers = (*HEADERS, *((f"x-{number}", "1") for number in range(2_000)))
    before = victim.adapter.counts["refused.headers"]
    status, answer = victim.ask(victim.path(), headers=headers)
    # hypercorn's parser refuses them itself, by their size.
    assert status in (431, 400), answer
    assert victim.adapter.counts["refused.headers"] == before + (status == 431 and b"too-many-headers" in answer)
    assert victim.ran == []


def test_a_million_header_lines_do_not_get_through(victim: Victim) -> None:
    flood = b"x-a: 1\r\n" * 1_000_000
    with socket.create_connection(victim.address, timeout=60) as line:
        head = f"POST {victim.path()} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
        with contextlib.suppress(OSError):
            line.sendall(head.encode() + flood + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
        status, answer = _answer(line)
    assert status in (0, 400, 431), answer
    assert victim.ran == []
    assert victim.ask(victim.path())[0] == 200


def test_a_caller_that_disconnects_is_counted(victim: Victim) -> None:

    before = victim.adapter.counts["refused.disconnected"] + victim.adapter.counts["hook.late"]
    with socket.create_connection(victim.address, timeout=60) as line:
        head = f"POST {victim.path()} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n"
        line.sendall((head + "".join(f"{name}: {value}\r\n" for name, value in HEADERS) + "\r\n{").encode())
    wait_until(lambda: victim.adapter.counts["refused.disconnected"] + victim.adapter.counts["hook.late"] == before + 1)
    assert victim.ran == []


def test_no_repr_shows_a_secret(victim: Victim) -> None:
    adapter = victim.adapter
    shown = [
        repr(adapter),
        repr(adapter.simulate),
        repr(adapter.counts),
        repr(vars(adapter)),
    ]
    for secret in SECRETS:
        assert not any(secret in text for text in shown)
