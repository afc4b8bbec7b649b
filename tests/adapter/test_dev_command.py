"""``norce-order adapter dev`` as a process shows calls, reloads code, and prints no secret."""

from __future__ import annotations

import re
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import anyio
import pytest

from norce_order_async.cli.adapter.process import AdapterProcess
from norce_order_async.cli.adapter.served import NEW_ORDER, TargetError, adapter_of
from norce_order_async.testing.fixtures import client_of, sandbox_of
from tests.cli.terminal import ESCAPE, interrupt, on_terminal, started
from tests.docs.shell import ROOT, commands
from tests.support.warm import STDOUT, Program

(PASTED,) = commands(ROOT.joinpath("docs/adapter.md").read_text("utf-8"))
"""The command on the page."""

SECRET, BEARER = "nobody-can-guess-this", "bearer-of-the-callbacks"

PROGRAM = f'''
from norce_order_async import NorceOrderClient
from norce_order_async.adapter import deny, problems

norce = NorceOrderClient.from_env()
adapter = norce.adapter("erp", public_url="https://erp.example.com", secret="{SECRET}", bearer="{BEARER}")


@adapter.hook("/state", target="/payments")
async def guard(call):
    call.draft.payments[0].reference = "erp-1"


@adapter.validation()
async def check(call):
    await call.order()
    return problems(("sold-out", "none left"))


@adapter.notification("/state/currentStatus")
async def told(call):
    await call.norce.orders(call.order_id).set_reference("exported")
'''


@contextmanager
def running(folder: Path, *options: str) -> Generator[Program]:
    with started(
        *PASTED[1:3],
        *options,
        stderr=STDOUT,
        cwd=folder,
        env={"NORCE_SANDBOX_CALLBACK_TOKEN": BEARER, "COLUMNS": "200"},
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                interrupt(process, signal.SIGINT)


def until(process: Program, found: str) -> str:
    """Read the output up to a line that contains this. Returns what was read."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        sys.stdout.write(line)  # shown if nothing more is printed
        if re.search(found, line):
            return said
    raise AssertionError(said)


def test_the_walk_shows_caller_and_callee(tmp_path: Path) -> None:
    tmp_path.joinpath("erp.py").write_text(PROGRAM)
    with running(tmp_path, "erp:adapter", "--once") as process:
        said, _ = process.communicate()
    assert process.returncode == 0, said
    calls = re.findall(r"^ *(\w+) -> (\w+) +(\S+ \S+) +(\d+) .*ms *(.*?) *$", said, re.MULTILINE)
    order = re.findall(r"order +(o\w+), with", said)[0]
    assert ("service", "erp", "validation order", "400", "sold-out") in calls
    assert ("you", "service", f"POST /orders/{order}/validate", "400", "") in calls
    assert ("service", "erp", "hook state-payments", "200", "add /payments/0/reference") in calls
    assert ("erp", "service", f"PUT /orders/{order}/reference", "200", "") in calls
    assert ("service", "erp", "notification state.currentStatus", "200", "") in calls
    assert "The order is completed." in said
    assert len(re.findall(r"^  registered ", said, re.MULTILINE)) == 3
    for secret in (SECRET, BEARER):
        assert secret not in said
    assert "\x1b" not in said


@pytest.mark.parametrize("colourless", [False, True], ids=["colours", "NO_COLOR"])
def test_on_a_narrow_terminal_its_commands_can_be_copied(tmp_path: Path, colourless: bool) -> None:
    """Each command stays one line, and so do the calls. With NO_COLOR nothing is coloured."""
    tmp_path.joinpath("erp.py").write_text(PROGRAM)
    env = {"NORCE_SANDBOX_CALLBACK_TOKEN": BEARER, "PYTHONPATH": str(tmp_path)}
    env |= {"NO_COLOR": "1"} if colourless else {}
    ran = on_terminal("adapter", "dev", "erp:adapter", "--once", "--no-reload", env=env, columns=40)
    assert ran.code == 0, ran.out
    lines = ESCAPE.sub("", ran.out).replace("\r\n", "\n").splitlines()
    assert [line.rpartition("/")[2] for line in lines if line.startswith("curl -H ")] == [
        "payments",
        "validate",
        "state",
    ]
    assert [line for line in lines if re.fullmatch(r" +service -> erp +validation order +400 .* ms +sold-out *", line)]
    assert ("\x1b[3" in ran.out) is not colourless


def test_changed_code_is_loaded_and_registered_again(tmp_path: Path) -> None:
    program = tmp_path / "erp.py"
    program.write_text("adapter = None\n")
    with running(tmp_path, *PASTED[3:]) as process:
        said = until(process, "not an adapter, nor a function")  # it continues until the code is fixed
        program.write_text(PROGRAM)
        said += until(process, r"The order is completed")
        program.write_text(PROGRAM.replace('"/state/currentStatus"', '"/attributes"'))
        again = until(process, r"registered +notification /attributes")
        ended = interrupt(process, signal.SIGINT)
    assert (ended.code, "Traceback" in ended.out) == (0, False), ended.out
    for secret in (SECRET, BEARER):
        assert secret not in said + again + ended.out


def test_a_target_that_is_not_an_adapter_is_named(tmp_path: Path) -> None:
    tmp_path.joinpath("erp.py").write_text("adapter = 5\n")
    with running(tmp_path, "erp:adapter", "--once", "--no-reload") as process:
        said, _ = process.communicate()
    assert process.returncode == 1
    assert "erp:adapter is not an adapter, nor a function that makes one from a client" in said
    assert "the adapter's server ended by itself" in said


def test_another_server_at_its_port_is_not_mistaken_for_the_adapter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.joinpath("erp.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NORCE_SANDBOX_CALLBACK_TOKEN", BEARER)
    process = AdapterProcess("erp:adapter", reload=False)
    other = HTTPServer(("127.0.0.1", int(process.address.rpartition(":")[2])), BaseHTTPRequestHandler)
    answering = Thread(target=other.serve_forever, args=[0.01])
    answering.start()
    try:
        with sandbox_of({}) as sandbox:
            client = client_of(sandbox, {}, over_socket=True)
            process.start(sandbox, anyio.run(client.orders.create, NEW_ORDER).id)
            assert not process.wait_until_ready()
    finally:
        process.stop()
        other.shutdown()
        answering.join()
        other.server_close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port that is reserved can't be listened on")
def test_no_other_program_is_given_its_port() -> None:
    """The port is reserved before the adapter listens, and it is free after ``stop``."""
    process = AdapterProcess("erp:adapter", reload=False)
    at = ("127.0.0.1", int(process.address.rpartition(":")[2]))
    with socket.socket() as another, pytest.raises(OSError, match="Address already in use"):
        another.bind(at)
    process.stop()
    with socket.socket() as another:
        another.bind(at)


def test_an_adapter_is_found_or_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.joinpath("made_here.py").write_text(
        f"def make(norce):\n    return norce.adapter('erp', secret='{SECRET}')\n\n\ndef other(norce):\n    return 5\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with sandbox_of({}) as sandbox:
        norce = client_of(sandbox, {}, over_socket=True)
        assert adapter_of("made_here:make", norce).adapter_id == "erp"
        for target in ("made_here:other", "made_here:absent", "made_here", "no_such_module:x"):
            with pytest.raises(TargetError, match=target.partition(":")[0]):
                adapter_of(target, norce)
