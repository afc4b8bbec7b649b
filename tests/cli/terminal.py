"""Runs the command as a user does: in a process of its own, in a pipe or on a terminal of 80 columns.

The timeout that every test has ends a command that is stuck.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.warm import OURS, PIPE, Program

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")

_START = "import sys; from norce_order_async.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of a command."""

    code: int
    out: str
    err: str = ""


def started(
    *arguments: str,
    stdout: int = PIPE,
    stderr: int = PIPE,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Program:
    """Start ``norce-order`` with these arguments and empty input."""
    return OURS.start(_START, *arguments, stdout=stdout, stderr=stderr, env=environment(env), cwd=cwd)


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without variables that would change the output, and with ``changes``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NORCE_", "PYTHONIOENCODING")) and name not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS")
    }
    # Without this the profiles and the local services of the user who runs the tests would be used.
    nowhere = {"XDG_CONFIG_HOME": os.devnull, "XDG_RUNTIME_DIR": os.devnull}
    plain = {"TERM": "xterm-256color", "PYTHONUTF8": "1", **nowhere}
    return kept | plain | dict(changes or {})


def piped(*arguments: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run it with its output in pipes and empty input."""
    with started(*arguments, env=env) as program:
        out, err = program.communicate()
    return Ran(program.wait(), out, err)


def from_the_start(*arguments: str, env: Mapping[str, str] | None = None, without: tuple[str, ...] = ()) -> Ran:
    """Run it like :func:`piped`, in an interpreter that has imported nothing and reads its own settings from the
    environment. ``without`` names packages that count as not installed."""
    hidden = "".join(f"sys.modules[{name!r}] = None; " for name in without)
    done = subprocess.run(
        [sys.executable, "-c", _START.replace("from", hidden + "from", 1), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env=environment(env),
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@contextmanager
def local_service(*options: str, env: Mapping[str, str] | None = None) -> Generator[tuple[Program, str]]:
    """Run ``norce-order sandbox`` on a free port, and yield it with its output while it started. It is stopped if it
    still runs."""
    with started("sandbox", "--port", "0", *options, env=env) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("Requests, as they come:\n\n"):
            line = process.stdout.readline()
            assert line, "it ended while it was starting"
            said += line
        try:
            yield process, said
        finally:
            if process.poll() is None:
                interrupt(process)


def address_in(said: str) -> str:
    """Return the service's address from its output."""
    found = re.search(r"address\s+(\S+)", said)
    assert found
    return found[1]


def on_terminal(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    columns: int = 80,
    wait_for: str = "",
    then: bytes = b"",
    on: Mapping[str, Callable[[], object]] | None = None,
) -> Ran:
    """Run it on a terminal. When ``wait_for`` is shown, type ``then``. When a text of ``on`` is shown, call its
    function."""
    calls = dict(on or {})
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = OURS.start(
        _START, *arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(env), terminal=True
    )
    os.close(theirs)
    seen = b""
    try:
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux reports in this way that the other end is closed
                break
            if not chunk:
                break
            seen += chunk
            if then and wait_for.encode() in seen:
                os.write(ours, then)
                then = b""
            for text in [text for text in calls if text.encode() in seen]:
                calls.pop(text)()
        return Ran(process.wait(), seen.decode())
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@contextmanager
def on_path(folder: Path) -> Generator[str]:
    """Yield a PATH on which ``norce-order`` is what :func:`started` starts, for commands of a shell."""
    door = socket.socket(socket.AF_UNIX)
    with door, ThreadPoolExecutor() as threads:
        door.bind(str(folder / "door"))
        door.listen()
        command = folder / "norce-order"
        command.write_text(f"#!{sys.executable} -IS\n{_KNOCK.format(door=str(folder / 'door'))}", "utf-8")
        command.chmod(0o755)
        threads.submit(_answer_the_door, door, threads)
        try:
            yield f"{folder}:{os.environ['PATH']}"
        finally:
            # The only way to end an accept() from outside.
            door.shutdown(socket.SHUT_RDWR)


_KNOCK = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asking:
    asking.connect({door!r})
    socket.send_fds(asking, [b"!"], [0, 1, 2])
    asking.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    asking.shutdown(socket.SHUT_WR)
    sys.exit(int(asking.makefile().read()))
"""


def _answer_the_door(door: socket.socket, threads: ThreadPoolExecutor) -> None:
    while True:
        try:
            asked, _ = door.accept()
        except OSError:
            return
        threads.submit(_run_for, asked)


def _run_for(asked: socket.socket) -> None:
    """Run the command with the streams of the process that asks for it, and pass on the exit code."""
    with asked, asked.makefile() as reader:
        _, streams, _, _ = socket.recv_fds(asked, 1, 3)
        arguments, cwd, env = json.load(reader)
        stdin, stdout, stderr = streams
        process = OURS.start(_START, *arguments, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd)
        for number in streams:
            os.close(number)
        asked.sendall(str(process.wait()).encode())


def interrupt(process: Program, number: signal.Signals = signal.SIGINT) -> Ran:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    out, err = process.communicate()
    return Ran(process.wait(), out, err)
