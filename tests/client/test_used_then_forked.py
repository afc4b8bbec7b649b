"""A client is used or made before a fork. The child can use it, and the parent is not affected.

The programs are in :mod:`.forking`. The service is in this process, over TLS. It holds back the answers to slow
requests until it is told to give them, so that no test depends on time.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.engines.wire import server_context
from tests.support.warm import OURS, module

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

ROOT = Path(__file__).parents[2]


class Service:
    """A service that answers each order with its own id. Ids with ``slow`` wait until the test releases them."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.certificate = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.certificate))
        self.release = threading.Event()
        self.held = 0
        self.connections = 0
        self.ended = 0
        """The number of connections that ended after a request for an ``order-``."""
        self.tokens = 0
        self.lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # With two writes for one answer, the second one would wait for the client's acknowledgement.
            wbufsize = -1

            def setup(self) -> None:
                with service.lock:
                    service.connections += 1
                super().setup()

            def finish(self) -> None:
                if self.path.rpartition("/")[2].startswith("order-"):
                    with service.lock:
                        service.ended += 1
                super().finish()

            def do_GET(self) -> None:
                self.say(service.answer(self.path.rpartition("/")[2]))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                with service.lock:
                    service.tokens += 1
                    number = service.tokens
                self.say({"access_token": f"token-{number}", "expires_in": 3600})

            def say(self, answer: Any) -> None:
                data = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 100

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Ignore that a client dropped its connection."""

        self._server = Server(("127.0.0.1", 0), Handler)
        context = server_context(authority, "127.0.0.1")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(self, what: str) -> Any:
        match what:
            case "held":
                return self.held
            case "connections":
                return self.connections
            case "ended":
                return self.ended
            case "tokens":
                return self.tokens
            case "release":
                self.release.set()
                return True
            case _:
                pass
        if what.startswith("slow"):
            with self.lock:
                self.held += 1
            assert self.release.wait(60)
        return {"id": what, "state": {"currentStatus": "checkout"}}

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.close()


WIRES = [("asyncio", "auto"), ("asyncio", "httpx"), ("trio", "auto")]


@pytest.fixture(params=WIRES, ids="-".join)
def wire(request: pytest.FixtureRequest) -> tuple[str, str]:
    loop, engine = request.param
    return loop, engine


def run(scenario: str, service: Service, wire: tuple[str, str]) -> Any:
    """Return the result of a program, after checking that it wrote no warning and no traceback to stderr."""
    arguments = [scenario, *wire, service.address, str(service.certificate)]
    # Python 3.12 and later warns of forks in a process with threads, which these programs test.
    program = module("tests.client.forking", "default").replace(
        "runpy.run_module", "warnings.simplefilter('ignore', DeprecationWarning); runpy.run_module"
    )
    status, out, err = OURS.run(program, *arguments, timeout=120, cwd=ROOT)
    assert status == 0, err
    assert err.splitlines() == []
    return json.loads(out)


SLOW = [f"slow-{number}" for number in range(10)]
WRONG_LOOP = ["NotSentError", "wrong-loop", False]


def test_requests_in_flight_are_answered_in_the_parent(service: Service, wire: tuple[str, str]) -> None:
    """Each request gets its own order over the same connections, while children call, collect garbage and end."""
    found = run("in_flight", service, wire)
    assert found["parent"] == found["after"] == SLOW
    assert found["children"] == [["child-1", "child-2", "child-3", "child-4"], []]
    assert found["new connections"] == 0


@pytest.mark.parametrize("engine", ["auto", "httpx"])
def test_idle_connections_stay_the_parents(service: Service, engine: str) -> None:
    """The child holds no reference to them, so neither its garbage collection nor its end closes them."""
    found = run("paused", service, ("asyncio", engine))
    assert found["parent"] == found["after"] == [f"order-{number}" for number in range(10)]
    assert found["children"] == [["child-1", "child-2"], [], "forgotten"]
    assert found["ended"] == 0


def test_a_fork_inside_a_coroutine(service: Service, wire: tuple[str, str]) -> None:
    """The child gets an error on the parent's loop, and works on a loop of its own."""
    found = run("inside", service, wire)
    assert found["parent"] == found["after"] == SLOW
    refused, answers = found["child"]
    assert refused[:3] == WRONG_LOOP
    assert answers == ["child-1", "child-2"]


# No send is in flight when these programs fork, so all of them use the same parts of loop and engine.
@pytest.mark.in_turn("wire", over="module")
def test_a_client_made_before_the_fork(service: Service, wire: tuple[str, str]) -> None:
    """The client works in each child, and no two children draw the same waits."""
    found = run("unused", service, wire)
    assert found["parent"] == "parent"
    assert [order for order, _ in found["children"]] == ["child"] * 4
    assert len({tuple(draws) for _, draws in found["children"]}) == 4


# No send is in flight when these programs fork, so all of them use the same parts of loop and engine.
@pytest.mark.in_turn("wire", over="module")
def test_a_pool_of_processes(service: Service, wire: tuple[str, str]) -> None:
    """A module's client works in multiprocessing with fork."""
    found = run("pool", service, wire)
    assert found == {"parent": ["parent", "parent"], "pool": [f"child-{number}" for number in range(12)]}


# No send is in flight when these programs fork, so all of them use the same parts of loop and engine.
@pytest.mark.in_turn("wire", over="module")
def test_workers_of_a_preloaded_master(service: Service, wire: tuple[str, str]) -> None:
    """The client works in workers that fork after the master's loop has ended."""
    assert run("preloaded", service, wire) == [
        [f"worker{worker}-{number}" for number in range(3)] for worker in range(3)
    ]


# No send is in flight when these programs fork, so all of them use the same parts of loop and engine.
@pytest.mark.in_turn("wire", over="module")
def test_the_token_is_the_childs_too(service: Service, wire: tuple[str, str]) -> None:
    """The token is fetched once for parent and child."""
    assert run("token", service, wire) == {"child": "child", "tokens": 1}


def test_an_object_of_the_user_is_not_used_in_the_child(service: Service) -> None:
    """The child is refused the user's object. If the user gave a function that makes it, the child works."""
    found = run("handed_in", service, ("asyncio", "auto"))
    for name in ("http_client", "engine"):
        refused, parent = found[name]
        assert refused[:3] == WRONG_LOOP
        assert "handed in" in refused[3]
        assert parent == "parent"
    assert found["makes http_client"] == found["makes engine"] == ["child", "parent"]


# No send is in flight when these programs fork, so all of them use the same parts of loop and engine.
@pytest.mark.in_turn("wire", over="module")
def test_closing_in_parent_or_child(service: Service, wire: tuple[str, str]) -> None:
    """A closed client is closed in the child too. Closing in the child closes nothing of the parent's."""
    closed = ["NotSentError", "closed", False]
    assert run("closed", service, wire) == [[closed, closed], "parent"]


def test_a_running_job_is_the_parents(service: Service) -> None:
    """The child can leave the job but not use it, and the journal is free as soon as the parent has ended."""
    found = run("job", service, ("asyncio", "auto"))
    refused, order = found["child"]
    assert (refused[:3], order) == (WRONG_LOOP, "child")
    assert found["parent"] == [f"order-{number}" for number in range(6)]
    assert (found["again"], found["before"]) == ([], {"done": 6})
