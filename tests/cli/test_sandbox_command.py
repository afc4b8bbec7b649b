"""``norce-order sandbox``: what it prints, how it serves, and how it stops."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.plain import NO_TLS
from tests.support.warm import Program

from .inside import inside
from .terminal import Ran, address_in, interrupt, local_service


@pytest.fixture
def running() -> Iterator[tuple[Program, str]]:
    """Run a sandbox in a process of its own, and yield it with its output while it started."""
    with local_service("--seed", "7", env={"NORCE_SANDBOX_TOKEN": "T"}) as started:
        yield started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_and_stops(running: tuple[Program, str], number: signal.Signals) -> None:
    """Each request has a line without its query, and either signal ends the command cleanly."""
    process, said = running
    url = f"{address_in(said)}/api/v0/checkout/orders"
    headers = {"authorization": "Bearer T", "x-merchant": "demo", "x-channel": "se"}
    assert httpx.get(url, params={"search": "ada@example.com"}, headers=headers, verify=NO_TLS).status_code == 200
    assert httpx.get(url + "/o%1B%5B31m", headers=headers, verify=NO_TLS).status_code == 404
    ended = interrupt(process, number)
    assert (ended.code, ended.err) == (0, "")
    first, second, last = ended.out.splitlines()
    assert re.fullmatch(r"  GET    /checkout/order/api/v0/checkout/orders 200 \d+\.\d ms", first)
    assert r"orders/o\x1b[31m 404" in second
    assert last == "stopped"


def test_it_serves_on_if_its_output_is_not_read(running: tuple[Program, str]) -> None:
    """A reader that leaves (``| head``) does not stop the service."""
    process, said = running
    assert process.stdout
    process.stdout.close()
    for _ in range(3):
        assert httpx.get(address_in(said), verify=NO_TLS).status_code == 404
    process.terminate()
    assert process.stderr
    assert process.stderr.read() == ""


def test_it_prints_what_it_is_and_how_to_use_it(running: tuple[Program, str]) -> None:
    """The command calls the service an imitation, and both of its examples work when pasted."""
    process, said = running
    assert "local imitation" in said
    assert "not the real one" in said
    curl, python = said.split("Create an order with Python:")
    pasted = subprocess.run([sys.executable, "-c", python.partition("Requests")[0]], capture_output=True, check=False)
    assert re.fullmatch(rb"<Order o\w+ checkout, read 0 s ago>\s*", pasted.stdout), pasted.stderr
    line = curl[curl.index("curl ") :].replace("curl ", "curl --silent ", 1)
    answered = subprocess.run(["bash", "-c", line], capture_output=True, check=False)
    assert b'"totalSize":1' in answered.stdout, answered.stderr
    assert interrupt(process).code == 0


def test_port_in_use() -> None:
    """The error is one line that names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = inside("sandbox", "--port", str(port))
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(rf"Error: can't listen on 127\.0\.0\.1 port {port}: .+\n", ran.err)


@pytest.mark.parametrize("token", ["", "two words", "ä", "line\nbreak"])
def test_a_token_that_can_not_be_a_header(token: str, tmp_path: Path) -> None:
    """A token that no header can carry is a usage error, from the environment or from a file; it is not shown."""
    ran = inside("sandbox", "--port", "0", env={"NORCE_SANDBOX_TOKEN": token})
    assert ran.code == 2
    assert "NORCE_SANDBOX_TOKEN" in ran.err
    (tmp_path / "token").write_text(token, encoding="utf-8")
    ran = inside("sandbox", "--port", "0", "--token-file", str(tmp_path / "token"))
    assert ran.code == 2
    assert "--token-file" in ran.err
    assert not token or token not in ran.err


def started(*options: str, env: dict[str, str] | None = None) -> Ran:
    """Return the output of a sandbox until it was stopped."""
    with local_service(*options, env=env) as (process, said):
        ended = interrupt(process)
    return Ran(ended.code, said + ended.out, ended.err)


def token_of(ran: Ran) -> str:
    found = re.search(r"token\s+(\S+)", ran.out)
    assert found
    return found[1]


def test_a_token_is_never_an_argument_and_is_a_new_one_unless_given(tmp_path: Path) -> None:
    """The list of processes shows arguments, so a token is never one. A fixed default token would protect nothing."""
    assert "no such option" in inside("sandbox", "--token", "T").err.lower()
    assert "no such option" in inside("sandbox", "--callback-token", "T").err.lower()
    first, second = token_of(started()), token_of(started())
    assert first != second
    assert len(first) == len(second) == 32

    file = tmp_path / "token"
    made = token_of(started("--token-file", str(file)))
    assert file.read_text("utf-8") == f"{made}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert token_of(started("--token-file", str(file), env={"NORCE_SANDBOX_TOKEN": "other"})) == made
    assert token_of(started(env={"NORCE_SANDBOX_TOKEN": "other"})) == "other"


def test_a_token_file_that_can_not_be_made_is_a_usage_error(tmp_path: Path) -> None:
    """A missing folder is reported without a traceback."""
    ran = inside("sandbox", "--token-file", str(tmp_path / "no" / "token"))
    assert ran.code == 2
    assert "--token-file" in ran.err
    assert "Traceback" not in ran.err


def test_a_link_to_the_inspector_is_printed_and_works_once() -> None:
    with local_service("--inspect", "--host", "0.0.0.0") as (_, said):
        printed = r"^  inspector  (http://127\.0\.0\.1:\d+/__inspect/enter\?key=\S+) \(works once\)$"
        (link,) = re.findall(printed, said, re.MULTILINE)
        assert [httpx.get(link, verify=NO_TLS).status_code for _ in range(2)] == [200, 403]
    with local_service() as (_, said):
        assert "inspect" not in said
