"""Shared by the tests of tokens: a provider in virtual time, and a small token service over a socket."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from norce_order_async import ClientCredentials
from norce_order_async.auth.oauth import (
    LIMIT_BURST,
    LIMIT_PER_SECOND,
    ClientCredentialsProvider,
    RequestRate,
)
from norce_order_async.engines.base import WireRequest
from norce_order_async.pipeline.tasks import SendTasks
from tests.support.clock import START, FakeClock, Uniform, lowest
from tests.support.engine import Script, ScriptedEngine, Step, answer

TOKEN_URL = "https://id.example/connect/token"
SECRET = "s3cret/with&signs=ä"


def account(**changes: Any) -> ClientCredentials:
    """An account whose token service has an address of its own by default."""
    given: dict[str, Any] = {
        "client_id": "shop",
        "client_secret": SECRET,
        "scope": "playground",
        "token_url": TOKEN_URL,
    }
    return ClientCredentials(**{**given, **changes})


def granted(token: str = "tok-1", life: Any = 3600, takes: float = 0.0, **members: Any) -> Step:
    """An answer of the identity service with a token."""
    data = {"access_token": token, "token_type": "Bearer", "expires_in": life, **members}
    return answer(200, data, takes=takes)


def numbered(*, life: Any = 3600, takes: float = 0.0) -> Callable[[WireRequest], Step]:
    """A service that gives out tok-1, tok-2, ... without end."""
    numbers = itertools.count(1)
    return lambda _: granted(f"tok-{next(numbers)}", life, takes)


@dataclass(frozen=True)
class Bank:
    """A provider with its clock, engine and script."""

    provider: ClientCredentialsProvider
    engine: ScriptedEngine
    clock: FakeClock
    owned: SendTasks

    @property
    def times(self) -> list[float]:
        """The times of requests for tokens, counted from the start."""
        return [time - START for time in self.engine.times]


def bank(script: Script, *, uniform: Uniform = lowest, rate: RequestRate | None = None) -> Bank:
    """A provider over a script, with a limit of its own."""
    clock = FakeClock(uniform)
    engine = ScriptedEngine(script, clock)
    owned = SendTasks(clock)
    rate = rate or RequestRate(LIMIT_PER_SECOND, LIMIT_BURST)
    provider = ClientCredentialsProvider(account(), send=engine.send, spawn=owned.start, clock=clock, rate=rate)
    return Bank(provider, engine, clock, owned)


@dataclass
class TokenService:
    """Records the requests that the services over a socket got. The one for tokens waits for ``open`` before it
    answers. The one for orders has none."""

    url: str
    base_url: str
    forms: list[dict[str, list[str]]] = field(default_factory=list[dict[str, list[str]]])
    authorized: list[str] = field(default_factory=list[str])
    open: threading.Event = field(default_factory=threading.Event)


@contextmanager
def token_service() -> Generator[TokenService, None, None]:
    """A token service over a loopback socket, in threads of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            service.forms.append(parse_qs(body, strict_parsing=True))
            service.open.wait(5.0)
            self.say({"access_token": f"tok-{len(service.forms)}", "expires_in": 3600})

        def do_GET(self) -> None:
            service.authorized.append(self.headers["authorization"])
            self.say({"data": []})

        def say(self, answer: Any) -> None:
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    service = TokenService(f"{address}/connect/token", address)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        service.open.set()
        server.shutdown()
        thread.join()
        server.server_close()
