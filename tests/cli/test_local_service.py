"""``norce-order sandbox tail`` and ``norce-order open``, with a local service that is running."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from norce_order_async.sandbox import Sandbox
from tests.support.plain import NO_TLS
from tests.support.warm import Program

from .inside import inside
from .terminal import address_in, interrupt, local_service, on_terminal, started

TOKEN = "T-" + "x" * 30
HEADERS = {"authorization": f"Bearer {TOKEN}", "x-merchant": "demo", "x-channel": "se", "x-correlation-id": "c-1"}
ENV = {"NORCE_SANDBOX_TOKEN": TOKEN}


@pytest.fixture
def service() -> Iterator[Sandbox]:
    with Sandbox(token=TOKEN, inspect=True, keep_requests=3) as running:
        yield running


def orders(sandbox: Sandbox, path: str = "", **query: str) -> None:
    httpx.get(f"{sandbox.base_url}/api/v0/checkout/orders{path}", headers=HEADERS, params=query, verify=NO_TLS)


def next_lines(program: Program, count: int) -> list[str]:
    assert program.stdout is not None
    return [program.stdout.readline() for _ in range(count)]


def test_requests_come_as_they_end_until_interrupted(service: Sandbox) -> None:
    """The last requests come first, then new ones, with the faults that were played. No line shows a query or a control
    character."""
    service.faults.play({"rules": [{"fault": {"answer": 503}, "after": 1, "first": 1}]})
    orders(service)
    orders(service, search="ada@example.com")
    orders(service)
    with started("sandbox", "tail", service.base_url, "-n", "2", env=ENV) as program:
        failed, listed = next_lines(program, 2)
        assert re.fullmatch(r"  GET    /checkout/order/api/v0/checkout/orders 503 \d+\.\d ms  \[.*503.*\]\n", failed)
        assert re.fullmatch(r"  GET    /checkout/order/api/v0/checkout/orders 200 \d+\.\d ms\n", listed)
        orders(service, "/o%1B%5B31m")
        (fresh,) = next_lines(program, 1)
        assert r"orders/o\x1b[31m 404" in fresh
        ended = interrupt(program)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_json_has_a_request_in_a_line(service: Sandbox) -> None:
    orders(service, search="ada@example.com")
    with started("sandbox", "tail", service.base_url, "--json", env=ENV) as program:
        (line,) = next_lines(program, 1)
        assert interrupt(program).code == 0
    shown: dict[str, Any] = json.loads(line)
    assert shown.pop("seconds") > 0
    assert shown.pop("at").startswith("20")
    assert shown == {
        "number": 1,
        "method": "GET",
        "path": "/checkout/order/api/v0/checkout/orders",
        "operation": "GetCheckoutOrders",
        "status": 200,
        "faults": [],
        "correlation_id": "c-1",
    }


def test_requests_that_are_no_longer_kept_are_counted() -> None:
    """If more requests came between two reads than the service keeps, the missing ones are counted. When the service
    stops, the command ends."""
    with Sandbox(token=TOKEN, keep_requests=0) as sandbox:
        program = started("sandbox", "tail", sandbox.base_url, "-n", "0", env=ENV)
        assert program.stderr is not None
        seen = threading.Event()

        def keep_calling() -> None:
            while not seen.is_set():
                orders(sandbox)

        calls = threading.Thread(target=keep_calling)
        calls.start()
        line = program.stderr.readline()
        seen.set()
        calls.join()
        assert re.fullmatch(
            r"\d+ requests? (is|are) missing here: the service has dropped the oldest from its log\n", line
        )
    with program:
        out, err = program.communicate()
        assert (program.wait(), out) == (0, "")
    assert err.endswith("has stopped\n")


def test_a_running_service_is_found_without_address_and_token(tmp_path: Path) -> None:
    """``open`` finds the one running service by a file that only its user can read. With several services one must be
    named."""
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    folder = tmp_path / "norce-order" / "running"
    with local_service("--inspect", env=env) as (process, said):
        (file,) = folder.iterdir()
        assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
        link = inside("open", env=env)
        assert (link.code, link.err) == (0, "")
        entered = httpx.get(link.out.strip(), verify=NO_TLS)
        assert (entered.status_code, "set-cookie" in entered.headers) == (200, True)
        assert httpx.get(link.out.strip(), verify=NO_TLS).status_code == 403
        with local_service(env=env) as (other, other_said):
            several = inside("open", env=env)
            assert several.code == 2
            for each in (said, other_said):
                assert address_in(each).partition("/checkout")[0] in several.err
            plain = inside("open", address_in(other_said), env=env)
            assert (plain.code, plain.out) == (1, "")
            assert plain.err.endswith("is not a local order service, or was started without --inspect\n")
            assert interrupt(other).code == 0
        assert interrupt(process).code == 0
    assert list(folder.iterdir()) == []


def test_a_killed_service_is_not_found(tmp_path: Path) -> None:
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with local_service(env=env) as (process, _):
        process.kill()
        process.wait()
    ran = inside("sandbox", "tail", env=env)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "Error: no local order service runs here: `norce-order sandbox` runs one\n"
    assert list((tmp_path / "norce-order" / "running").iterdir()) == []


def test_a_browser_is_opened_on_a_terminal(service: Sandbox, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    writes = f"import sys, pathlib; pathlib.Path({str(opened)!r}).write_text(sys.argv[1])"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", writes])} "$1"\n')
    browser.chmod(0o700)
    env = ENV | {"BROWSER": f"{browser} %s"}
    ran = on_terminal("open", service.base_url, env=env)
    assert (ran.code, opened.read_text()) == (0, ran.out.strip())
    opened.unlink()
    for quiet in (
        on_terminal("open", service.base_url, "--no-browser", env=env),
        inside("open", service.base_url, env=env),
    ):
        assert quiet.out.strip().startswith(service.base_url.partition("/checkout")[0] + "/__inspect/enter?key=")
        assert not opened.exists()


@pytest.mark.parametrize(
    ("arguments", "env", "code", "said"),
    [
        (("http://example.com:8700",), ENV, 2, "on this machine"),
        (("https://127.0.0.1:8700",), ENV, 2, "on this machine"),
        (("http://127.0.0.1:9",), {}, 2, "NORCE_SANDBOX_TOKEN or --token-file"),
        (("http://127.0.0.1:9",), ENV, 1, "`norce-order sandbox` runs one"),
        (("HERE",), {"NORCE_SANDBOX_TOKEN": "wrong-s3cret"}, 1, "refuses the token"),
        (("HERE", "--token-file", os.devnull), ENV, 2, "the file is empty"),
    ],
)
@pytest.mark.parametrize("command", [("sandbox", "tail"), ("open",)], ids=" ".join)
def test_each_failure_is_one_line(
    service: Sandbox, command: tuple[str, ...], arguments: tuple[str, ...], env: dict[str, str], code: int, said: str
) -> None:
    ran = inside(*command, *(service.base_url if one == "HERE" else one for one in arguments), env=env)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "s3cret" not in ran.err
    assert "Traceback" not in ran.err


def test_a_service_without_its_own_endpoints() -> None:
    with Sandbox(token=TOKEN, admin=False) as sandbox:
        ran = inside("sandbox", "tail", sandbox.base_url, env=ENV)
    assert (ran.code, "--no-admin" in ran.err) == (1, True)


def test_options_of_a_service_are_not_those_of_its_log() -> None:
    ran = inside("sandbox", "--port", "1", "tail")
    assert ran.code == 2
    assert "--port is an option of `norce-order sandbox` without tail" in ran.err
