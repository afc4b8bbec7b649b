"""The receiver is behind a tunnel, so anyone may call it. Only calls of this run count."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from norce_order_async.calibration.receiver import Receiver
from norce_order_async.runtime.clock import SystemClock
from tests.support.plain import NO_TLS


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver(0, "", SystemClock())
    opened.public_url = f"http://127.0.0.1:{opened.port}"
    yield opened
    opened.close()


def test_a_call_of_the_service(receiver: Receiver) -> None:
    receiver.answer("hook", 400, {"a": 1})
    answer = httpx.post(receiver.url("hook"), json={"id": "o1"}, headers={"authorization": "Bearer x"}, verify=NO_TLS)
    assert (answer.status_code, answer.json()) == (400, {"a": 1})
    [call] = receiver.calls("hook")
    assert (call.authorization, call.data) == ("Bearer x", {"id": "o1"})
    assert receiver.calls("other") == []


@pytest.mark.parametrize("path", ["/", "/hook", "/guess/hook", "/guess", "//hook", "/?a/hook"])
def test_strangers_get_nothing(path: str, receiver: Receiver) -> None:
    assert httpx.post(f"{receiver.public_url}{path}", verify=NO_TLS).status_code == 404
    assert receiver.calls("hook") == []


@pytest.mark.parametrize("length", ["-1", "99999999999", "x", "²"])
def test_an_invalid_length_is_refused(length: str, receiver: Receiver) -> None:
    """The receiver refuses it before it reads a body, and it answers the next call."""
    host, port = "127.0.0.1", receiver.port
    with socket.create_connection((host, port)) as connection:
        head = f"POST {urlsplit(receiver.url('hook')).path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(1000)
    assert receiver.calls("hook") == []
    assert httpx.post(receiver.url("hook"), verify=NO_TLS).status_code == 200


def test_held_calls_end_with_the_receiver() -> None:
    receiver = Receiver(0, "", SystemClock())
    receiver.hold("hook")
    with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        path = urlsplit(receiver.url("hook")).path
        connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
        while not receiver.calls("hook"):
            pass
        receiver.close()
        assert b" 200 " in connection.recv(1000)
