"""docs/running.md: each of its programs runs in the real framework, started by the command on the page.

Programs that need an environment of their own (PyInstaller, a notebook's kernel) are tested in ``tests/packaging``, in
a soak.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import ClassVar, TypeAlias

import httpx
import pytest

from norce_order_async.sandbox import Sandbox
from tests.support.plain import NO_TLS
from tests.support.servers import reserved_port

from .shell import blocks, commands, files, paste

Process: TypeAlias = subprocess.Popen[bytes]

PAGE = Path(__file__).parents[2].joinpath("docs/running.md").read_text("utf-8")
FILES = files(PAGE)
COMMANDS = {command[0]: command for command in commands(PAGE)}

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow(group="frameworks")]

PATIENCE = 120.0
"""Seconds until a program that was started has to answer, on a busy machine."""


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """Run an order service with orders, over a socket."""
    with Sandbox(seed=7) as sandbox:
        sandbox.seed_orders(50, merchant="acme")
        yield sandbox


def environment(base_url: str, token: str, **more: str) -> dict[str, str]:
    """Return the environment of a program on the page. Its commands are those of this environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NORCE_", "PYTHON"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NORCE_BASE_URL": base_url,
        "NORCE_TOKEN": token,
        "NORCE_MERCHANT": "acme",
        "NORCE_CHANNEL": "se",
        **more,
    }


def of(service: Sandbox, **more: str) -> dict[str, str]:
    return environment(service.base_url, service.token, **more)


def paid_orders(service: Sandbox, number: int) -> list[str]:
    """Create orders that can be completed, and return their ids."""
    headers = {"authorization": f"Bearer {service.token}", "x-merchant": "acme", "x-channel": "se"}
    with httpx.Client(base_url=f"{service.base_url}/api/v0/checkout", headers=headers, verify=NO_TLS) as plain:
        cart = {"items": [{"sku": "T1", "quantity": 1, "total": {"includingVat": 125, "excludingVat": 100}}]}
        orders: list[str] = [plain.post("/orders", json={"cart": cart}).json()["id"] for _ in range(number)]
        for order in orders:
            assert plain.post(f"/orders/{order}/payments", json={"amount": 125}).is_success
    return orders


def written(folder: Path, *names: str) -> None:
    """Write the page's programs into their files."""
    for name in names:
        folder.joinpath(name).parent.mkdir(exist_ok=True)
        folder.joinpath(name).write_text(FILES[name], "utf-8")


def ran(*command: str, folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [*command], capture_output=True, text=True, cwd=folder, env=env, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@contextmanager
def running(*command: str, folder: Path, env: dict[str, str], failing: str = "") -> Generator[Process]:
    """Run a server or worker, and end it with SIGTERM as a container would. It must end well and in time.

    Its output has one traceback if an error is meant to fail, and none otherwise.
    """
    told = folder / "told.txt"
    with told.open("wb") as out:
        process = subprocess.Popen([*command], stdout=out, stderr=out, cwd=folder, env=env, start_new_session=True)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        except BaseException as error:
            error.add_note(told.read_text("utf-8"))
            raise
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    said = told.read_text("utf-8")
    assert said.count("Traceback") == (1 if failing else 0), said
    assert failing in said


@contextmanager
def serving(command: list[str], shown: str, folder: Path, service: Sandbox) -> Generator[tuple[str, Process]]:
    """Run a server with a free port in place of the one shown, and yield its address and its process."""
    assert any(shown in word for word in command)
    with reserved_port() as port:
        words = [word.replace(shown, str(port)) for word in command]
        with running(*words, folder=folder, env=of(service)) as process:
            yield f"http://127.0.0.1:{port}", process


def until_it_answers(url: str, process: Process) -> httpx.Response:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return httpx.get(url, timeout=PATIENCE, verify=NO_TLS)
        except httpx.TransportError:
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < end, "it does not answer"
            time.sleep(0.05)


def many(url: str, number: int = 24) -> list[httpx.Response]:
    """Make requests at once, each over a separate connection, so that every worker gets some."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(partial(httpx.get, timeout=PATIENCE, verify=NO_TLS), [url] * number))


def test_every_block_is_run() -> None:
    """Each program and command is run here, or in a test whose name says so."""
    assert FILES.keys() == {
        "app.py",
        "fast.py",
        "function.py",
        "mysite/urls.py",
        "mysite/views.py",
        "nightly.py",
        "service.py",
        "tasks.py",
        "threads.py",
    }
    assert COMMANDS.keys() == {"celery", "gunicorn", "norce-order", "pyinstaller", "uvicorn"}
    assert {language for language, _ in blocks(PAGE)} == {"python", "file", "bash"}


def test_fastapi(service: Sandbox, tmp_path: Path) -> None:
    """Two workers answer for an order and for one that does not exist, and end cleanly."""
    written(tmp_path, "service.py")
    (order,) = paid_orders(service, 1)
    with serving(COMMANDS["uvicorn"], "8000", tmp_path, service) as (address, process):
        url = f"{address}/orders/{order}"
        assert until_it_answers(url, process).json()["id"] == order
        assert {answer.status_code for answer in many(url)} == {200}
        assert httpx.get(f"{address}/orders/oNotThere", timeout=PATIENCE, verify=NO_TLS).status_code == 404


@pytest.mark.parametrize(
    ("server", "path"),
    [
        (["gunicorn", "mysite.wsgi", "--threads", "4", "--bind", "127.0.0.1:8000"], "orders"),
        (["uvicorn", "mysite.asgi:application", "--lifespan", "off", "--port", "8000"], "async/orders"),
        # Under ASGI a view for WSGI runs in a thread beside the loop.
        pytest.param(
            ["uvicorn", "mysite.asgi:application", "--lifespan", "off", "--port", "8000"],
            "orders",
            marks=pytest.mark.soak,
        ),
    ],
    ids=["wsgi", "asgi", "sync-under-asgi"],
)
def test_django(service: Sandbox, tmp_path: Path, server: list[str], path: str) -> None:
    """A new project with the two files answers many requests at once."""
    for shown in ("gunicorn mysite.wsgi --threads 4", "uvicorn mysite.asgi:application"):
        assert f"`{shown}`" in PAGE
    ran("django-admin", "startproject", "mysite", ".", folder=tmp_path, env=of(service))
    written(tmp_path, "mysite/views.py", "mysite/urls.py")
    (order,) = paid_orders(service, 1)
    with serving(server, "8000", tmp_path, service) as (address, process):
        url = f"{address}/{path}/{order}"
        assert until_it_answers(url, process).json()["id"] == order
        assert [answer.json()["id"] for answer in many(url)] == [order] * 24


CELERY_PROGRAM = """\
import sys
from tasks import complete

for order in sys.argv[1:]:
    result = complete.delay(order)
    result.get(timeout=100, propagate=False)
    print(result.status, repr(result.result) if result.failed() else result.result)
"""


def test_celery(tmp_path: Path) -> None:
    """In a worker with the pool that forks, a rejected task is retried and done once, and a task in doubt is not sent
    again."""
    written(tmp_path, "tasks.py")
    for folder in ("data_in", "control", "results"):
        tmp_path.joinpath(folder).mkdir()
    # With a broker of files the worker gets everything that is sent.
    tmp_path.joinpath("data_out").symlink_to("data_in")
    tmp_path.joinpath("ask.py").write_text(CELERY_PROGRAM, "utf-8")
    with Sandbox() as service:
        orders = paid_orders(service, 3)
        away = {"answer": {"status": 429, "retry_after": 0.05, "form": "milliseconds"}}
        service.faults.play({"rules": [{"operations": "UpdateCheckoutOrderState", "first": 4, "fault": away}]})
        env = of(service, CELERY_BROKER_URL="filesystem://", CELERY_RESULT_BACKEND=f"file://{tmp_path}/results")
        with running(*COMMANDS["celery"], folder=tmp_path, env=env, failing="OutcomeUnknownError"):
            told = ran(sys.executable, "ask.py", *orders[:2], folder=tmp_path, env=env)
            assert told == "SUCCESS completed\nSUCCESS completed\n"
            lost: dict[str, object] = {"operations": "UpdateCheckoutOrderState", "fault": {"answer": 500}}
            unreadable: dict[str, object] = {"operations": "GetCheckoutOrder", "fault": {"answer": 500}}
            service.faults.play({"rules": [lost, unreadable]})
            told = ran(sys.executable, "ask.py", orders[2], folder=tmp_path, env=env)
            assert told.startswith("FAILURE "), told
            assert "OutcomeUnknownError" in told
            assert "outcome unknown" in told
        changes = [request for request in service.requests if request.operation == "UpdateCheckoutOrderState"]
        assert [sum(f"/{order}/" in request.path for request in changes) for order in orders] == [5, 1, 1]
        for order in orders[:2]:
            assert len(service.effects.of(order, "UpdateCheckoutOrderState")) == 1


def test_threads(service: Sandbox, tmp_path: Path) -> None:
    written(tmp_path, "threads.py")
    told = ran(sys.executable, "-W", "error", "threads.py", folder=tmp_path, env=of(service))
    assert int(told) > 0
    assert int(told) % 100 == 0


def test_gunicorn_with_preload(service: Sandbox, tmp_path: Path) -> None:
    """The workers answer with a client that the parent has used."""
    written(tmp_path, "app.py")
    with serving(COMMANDS["gunicorn"], "8001", tmp_path, service) as (address, process):
        assert until_it_answers(address, process).status_code == 200
        assert {answer.text for answer in many(address)} == {until_it_answers(address, process).text}


def test_notebooks(tmp_path: Path) -> None:
    told = paste([code for language, code in blocks(PAGE) if language == "python"], tmp_path)
    assert "<Order " in told


class _Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock: ClassVar[Lock] = Lock()
    connections: ClassVar[int] = 0

    def setup(self) -> None:
        super().setup()
        with self.lock:
            type(self).connections += 1

    def do_GET(self) -> None:
        body = json.dumps({"id": self.path.rpartition("/")[2], "state": {"currentStatus": "accepted"}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


LAMBDA_PROGRAM = """\
from function import handler

class Context:
    def get_remaining_time_in_millis(self):
        return 30_000

for event in ("o1", "o2", "o3"):
    print(handler({"order_id": event}, Context()))
"""


def test_lambda(tmp_path: Path) -> None:
    """One process handles several events over one connection."""
    written(tmp_path, "function.py")
    tmp_path.joinpath("runtime.py").write_text(LAMBDA_PROGRAM, "utf-8")
    _Orders.connections = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), _Orders) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            env = environment(f"http://127.0.0.1:{server.server_port}", "t")
            told = ran(sys.executable, "runtime.py", folder=tmp_path, env=env)
        finally:
            server.shutdown()
            thread.join()
    assert told.splitlines() == [f"{{'id': 'o{number}', 'status': 'accepted'}}" for number in (1, 2, 3)]
    assert _Orders.connections == 1


def test_uvloop(service: Sandbox, tmp_path: Path) -> None:
    """The program uses two loops one after the other, with the same result."""
    written(tmp_path, "fast.py")
    told = ran(sys.executable, "-W", "error", "fast.py", folder=tmp_path, env=of(service)).splitlines()
    assert len(told) == 2
    assert told[0] == told[1]
