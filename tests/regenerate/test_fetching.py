"""The regeneration accepts only a description from an address or a file."""

import contextlib
import importlib
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.regenerate import running

failure: Any = importlib.import_module("regenerate.failure")
fetch: Any = importlib.import_module("regenerate.fetch")
obtain: Any = importlib.import_module("regenerate.obtain")

ROOT = Path(__file__).parents[2]
Answering = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def serving(answer: Answering, tls: ssl.SSLContext | None = None) -> Generator[int, None, None]:
    """Run a server that answers every GET like this, and yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # The caller may have gone.
            with contextlib.suppress(OSError):
                answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep requests out of the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def redirecting(target: str) -> Answering:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/description":
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(b"openapi: 3.0.3")
            return
        handler.send_response(302)
        handler.send_header("Location", target.replace("PORT", str(handler.server.server_address[1])))  # type: ignore[index]  # pyright: ignore
        handler.end_headers()

    return answer


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ssl.SSLContext:
    """Return a server's TLS context for localhost, which this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


def test_a_redirect_over_https_on_the_same_host_is_followed(trusted: ssl.SSLContext) -> None:
    """A redirect to another path comes when a page moves."""
    with serving(redirecting("/description"), trusted) as port:
        assert fetch.fetch(f"https://localhost:{port}/old") == b"openapi: 3.0.3"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("http://localhost:PORT/description", "redirects to http://"),
        ("https://127.0.0.1:PORT/description", "another host, 127.0.0.1"),
        ("https://localhost.example.com/description", "another host, localhost.example.com"),
        ("file:///etc/passwd", "is not allowed"),
        ("ftp://localhost/description", "redirects to ftp://"),
    ],
)
def test_any_other_redirect_is_refused(trusted: ssl.SSLContext, target: str, says: str) -> None:
    """A redirect down to http, to another host or to another scheme is refused."""
    with serving(redirecting(target), trusted) as port, pytest.raises(failure.RegenerationError, match=says):
        fetch.fetch(f"https://localhost:{port}/old")


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "192.168.0.1"])
def test_a_redirect_from_outside_to_a_private_address_is_refused(inside: str) -> None:
    """A name outside may be changed to mean a private address, so a redirect to the same name is refused too."""
    host = inside.strip("[]")
    handler = fetch.SameSite(host, inside=False)
    with pytest.raises(failure.RegenerationError, match="inside a private network"):
        handler.redirect_request(None, None, 302, "Found", None, f"https://{inside}/latest")


def test_redirects_in_a_circle_end(trusted: ssl.SSLContext) -> None:
    """Redirects in a circle end after a few."""
    with serving(redirecting("/again"), trusted) as port, pytest.raises(failure.RegenerationError, match="302"):
        fetch.fetch(f"https://localhost:{port}/old")


def test_plain_http_is_only_for_this_machine() -> None:
    """Code is made from the answer, so nobody on the way may change it."""
    with pytest.raises(failure.RegenerationError, match="https://"):
        fetch.fetch("http://docs.example.com/openapi.yaml")


def half_a_gigabyte(handler: BaseHTTPRequestHandler, *, told: bool) -> int:
    handler.send_response(200)
    if told:
        handler.send_header("Content-Length", str(500_000_000))
    handler.end_headers()
    sent = 0
    with contextlib.suppress(OSError):
        while sent < 500_000_000:
            sent += handler.wfile.write(b"a" * 1_000_000)
    return sent


@pytest.mark.parametrize("told", [True, False])
def test_half_a_gigabyte_is_refused_without_reading_it(told: bool) -> None:
    """The size is checked with and without a given length."""
    sent: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        sent.append(half_a_gigabyte(handler, told=told))

    with serving(answer) as port, pytest.raises(failure.RegenerationError, match="longer than 5000000 bytes"):
        fetch.fetch(f"http://127.0.0.1:{port}/")
    assert all(one < 50_000_000 for one in sent)


def test_a_file_of_half_a_gigabyte_is_refused_without_reading_it(tmp_path: Path) -> None:
    """The file is sparse, to save space on the disk."""
    big = tmp_path / "big.yaml"
    with big.open("wb") as file:
        file.truncate(500_000_000)
    with pytest.raises(failure.RegenerationError, match="longer than 5000000 bytes"):
        obtain.obtain(str(big))


def test_a_body_that_drips_runs_into_the_time_limit() -> None:
    """A body that sends a byte at a time never exceeds the timeout of a single read."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:  # it continues until the caller has gone
            time.sleep(0.05)
            handler.wfile.write(b"a")
            handler.wfile.flush()

    with serving(answer) as port, pytest.raises(failure.RegenerationError, match=r"within 0\.5 seconds"):
        fetch.fetch(f"http://127.0.0.1:{port}/", limit=0.5)


def test_headers_that_never_come_run_into_the_time_limit() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(1)  # nothing more comes until the caller has gone

    with serving(answer) as port, pytest.raises(failure.RegenerationError, match=r"within 0\.5 seconds"):
        fetch.fetch(f"http://127.0.0.1:{port}/", limit=0.5)


def test_a_connection_that_breaks_is_not_a_shorter_description() -> None:
    """A body that ends before its length is refused."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"openapi: 3.0.3\n")

    with serving(answer) as port, pytest.raises(failure.RegenerationError, match="connection broke"):
        fetch.fetch(f"http://127.0.0.1:{port}/")


def test_a_compressed_body_is_not_unpacked() -> None:
    """Compression was not asked for, and a small body can hold a large one."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()

    with serving(answer) as port, pytest.raises(failure.RegenerationError, match="compressed"):
        fetch.fetch(f"http://127.0.0.1:{port}/")


READING = r"""
import signal, sys, time
from regenerate import document, limits
from regenerate.failure import RegenerationError

bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 30)
)
for text, says in (
    (bomb.encode(), "through its aliases"),
    (b"a: &a [*a]", "points to what holds it"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a":' * 100_000, "nested too deeply"),
    (b'{"a": NaN}', "what JSON can't"),
    (b"\xff\xfe\x00", "neither YAML nor JSON"),
    (b'{"a": {"b": ["x\\ud800y"]}}', "half a character, a lone surrogate (at a/b/0): x\\ud800y"),
    (b'{"a": {"\\udfff": 1}}', "half a character, a lone surrogate (at a/"),
    (b'a: "x\\ud800y"', "half a character, a lone surrogate (at a)"),
    (b'{"a": ' * 101 + b"1" + b"}" * 101, "nested too deeply"),
    (b"a" * 200_000 + b": [", "neither YAML nor JSON"),
    (b'{"\x1b[31m": 1}', "neither YAML nor JSON"),
):
    try:
        document.read(text, "the description")
    except RegenerationError as error:
        told = str(error)
    else:
        raise AssertionError(says)
    assert says in told, (says, told)
    assert "\x1b" not in told and len(told) < 600, told

assert document.read(b'{"a": "\\ud83d\\ude00"}', "a whole pair") == {"a": "\U0001f600"}
same = {"openapi": "3.1.0", "n": [1, 1.5, None, "0123", True]}
assert document.read(b'{\n\t"openapi": "3.1.0", "n": [1, 1.5, null, "0123", true]}', "JSON with tabs") == same
assert document.read(b"\xef\xbb\xbf" + b"openapi: 3.1.0\nn: [1, 1.5, null, '0123', true]", "YAML with a mark") == same
assert document.read(b"{openapi: 3.1.0, n: [1, 1.5, ~, '0123', true]}", "YAML that begins with a brace") == same
assert document.read(b"a: &a {b: 1}\nc: *a\n", "an honest alias") == {"a": {"b": 1}, "c": {"b": 1}}

whole = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}}
for version in ("3.0.3", "3.1.0"):
    document.validate({**whole, "openapi": version}, "the description")
for wrong, says in (
    ({**whole, "openapi": "3.2.0"}, "3.0 and 3.1"),
    ({**whole, "openapi": "2.0"}, "no OpenAPI 3"),
    ({**whole, "components": {"schemas": {"A": {"$ref": "http://127.0.0.1:9/a.yaml"}}}}, "points outside itself"),
    ({**whole, "components": {"schemas": {"A": {"$ref": "file:///etc/passwd"}}}}, "points outside itself"),
    ({**whole, "components": {"schemas": {"A": {"$ref": "other.yaml#/A"}}}}, "points outside itself"),
):
    try:
        document.validate(wrong, "the description")
    except RegenerationError as error:
        assert says in str(error), (says, str(error))
    else:
        raise AssertionError(says)

# A pattern that goes back and forth over its text for ever, at each place where a text is held against it.
schema = {"type": "string", "pattern": "^(a+)+$"}
for hung in ({"default": "a" * 40 + "!"}, {"enum": ["a" * 40 + "!"], "default": "a" * 40 + "!"}):
    described = {**whole, "components": {"schemas": {"A": {**schema, **hung}}}}
    try:
        document.validate(described, "the description", limit=0.2)
    except RegenerationError as error:
        assert "perhaps over a pattern or its size, within 0.2 seconds" in str(error), str(error)
    else:
        raise AssertionError("a pattern without end")

# The time limit of whoever calls goes on afterwards, and a library can't take the end for an error of its own.
for timer, waits, act in (
    (signal.ITIMER_REAL, True, lambda: time.sleep(10)),
    (signal.ITIMER_PROF, False, lambda: sum(range(10_000))),
):
    signal.setitimer(timer, 100)
    try:
        with limits.within(0.1, "it is not done", waits=waits):
            while True:
                try:
                    act()
                except Exception:
                    pass
    except RegenerationError as error:
        assert str(error) == "it is not done within 0.1 seconds", str(error)
    assert 50 < signal.setitimer(timer, 0)[0] < 100
"""


def test_a_description_is_plain_and_of_limited_size() -> None:
    """Alias bombs, cycles, depth, values that JSON lacks and outside references are refused. YAML and JSON of 3.0 and
    3.1 are read."""
    done = running.in_its_environment(READING)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "null"])
def test_a_path_that_is_not_a_file_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    """A pipe without a writer, an endless device and a folder are refused at once."""
    source = {"pipe": tmp_path / "pipe", "device": Path("/dev/zero"), "folder": tmp_path, "null": Path("a\0b")}[kind]
    if kind == "pipe":
        os.mkfifo(source)
    with pytest.raises(failure.RegenerationError, match=r"is no file|can't be read"):
        obtain.obtain(str(source))


@pytest.mark.parametrize(
    ("noted", "address"),
    [
        (
            b"https://{slug}.api-se.stage.norce.tech/docs/v0/openapi.yaml\n",
            "https://{slug}.api-se.stage.norce.tech/docs/v0/openapi.yaml",
        ),
        (b"file:///etc/passwd", "file own.yaml"),
        (b"https://a b", "file own.yaml"),
        (b"https://a\n## heading", "file own.yaml"),
        (b"https://" + b"a" * 600, "file own.yaml"),
        (b"\xff", "file own.yaml"),
        (None, "file own.yaml"),
    ],
)
def test_the_address_that_a_calibration_noted_is_recorded(noted: bytes | None, address: str, tmp_path: Path) -> None:
    source = tmp_path / "own.yaml"
    source.write_bytes(b"openapi: 3.0.3")
    if noted is not None:
        (tmp_path / "own.yaml.address").write_bytes(noted)
    assert obtain.obtain(str(source)).address == address


def test_without_an_address_it_reports_what_is_missing() -> None:
    """`--from` by itself uses NORCE_OPENAPI_URL, because the vendor's own address is not known."""
    script = [str(ROOT / "scripts" / "regenerate.sh"), "--check", "--from"]
    outside = {**os.environ, "NORCE_REGENERATE_ENV": str(ROOT / ".venv-regenerate")}
    outside.pop("NORCE_OPENAPI_URL", None)
    done = subprocess.run(script, capture_output=True, text=True, check=False, env=outside)
    assert done.returncode == 1
    assert "NORCE_OPENAPI_URL" in done.stderr
    assert "docs.norce.io" in done.stderr
    done = running.regenerated(ROOT, "--check", "--from", NORCE_OPENAPI_URL="http://127.0.0.1:9/openapi.yaml")
    assert done.returncode == 1
    assert "can't be reached" in done.stderr
