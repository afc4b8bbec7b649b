"""One client in a process and in its forked child, as with gunicorn's preload or multiprocessing with fork."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import ClassVar

import pytest
import trustme

from norce_order_async.runtime.clock import SystemClock
from tests.engines.wire import server_context
from tests.support.warm import OURS, module

from .forked_program import SLOW

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


class _Service(BaseHTTPRequestHandler):
    """Answers each order with its id, and slow ones when the test releases them."""

    protocol_version = "HTTP/1.1"
    lock: ClassVar[Lock] = Lock()
    slow: ClassVar[list[str]] = []
    arrived: ClassVar[Event] = Event()
    release: ClassVar[Event] = Event()
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        order_id = self.path.rpartition("/")[2]
        with self.lock:
            self.seen.append(order_id)
            if order_id.startswith("slow"):
                self.slow.append(order_id)
                if len(self.slow) == SLOW:
                    self.arrived.set()
        if order_id.startswith("slow"):
            assert self.release.wait(60)
        elif order_id == "all-arrived":
            assert self.arrived.wait(60)
        elif order_id == "release":
            self.release.set()
        body = json.dumps({"id": order_id}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service(tmp_path: Path) -> Generator[tuple[str, Path]]:
    """Serve over TLS, because a child that closes a connection sends a closing message on it."""
    for events in (_Service.arrived, _Service.release):
        events.clear()
    _Service.slow.clear()
    _Service.seen.clear()
    authority = trustme.CA()
    context = server_context(authority, "localhost", "127.0.0.1")
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", path
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("engine", "loop"), [("auto", "asyncio"), ("httpx", "asyncio"), ("httpx", "trio")])
def test_parent_and_child_get_their_own_answers(service: tuple[str, Path], engine: str, loop: str) -> None:
    """The parent's calls are in flight over TLS while the child calls, collects garbage and exits."""
    url, authority = service
    status, out, err = OURS.run(
        module("tests.client.forked_program"), url, str(authority), engine, loop, cwd=ROOT, timeout=120
    )
    assert status == 0, err
    told = dict(item for line in out.splitlines() for item in json.loads(line).items())
    children, parents = [f"child-{number}" for number in range(5)], [f"slow-{number}" for number in range(SLOW)]
    assert told["child"] == dict(zip(children, children, strict=True))
    assert told["parent"] == dict(zip(parents, parents, strict=True))
    assert told["child_status"] == 0
    assert "Traceback" not in err
    # Each was requested once, so no process wrote into a connection of the other.
    assert sorted(_Service.seen) == sorted([*children, *parents, "warm", "all-arrived", "release"])


def test_children_draw_their_own_jitter() -> None:
    """Children of one clock draw different waits. Otherwise all of them would repeat at the same moments."""
    clock = SystemClock()
    draws: list[str] = []
    for _ in range(3):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, repr([clock.uniform(0, 1) for _ in range(3)]).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        draws.append(os.read(reading, 1000).decode())
        os.close(reading)
    assert len(set(draws)) == 3
