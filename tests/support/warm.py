"""Starts Python programs as processes of their own that have imported their libraries already.

A short program spends most of its time on imports. Here a process imports them once, and each program is forked from
it. A program has its own process, streams, signals, environment and exit status, and ends as any interpreter does. It
has no start of an interpreter, so programs about imports, about options of Python or about missing packages must be
started with :mod:`subprocess`.

Run as a program, with the number of a socket and the modules to import, this module is that process. It needs only the
standard library.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

_LENGTH = struct.Struct("!I")
_STATUS = struct.Struct("!i")

PIPE, DEVNULL, STDOUT = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT


class Program:
    """A running program, with the parts of :class:`subprocess.Popen` that tests use and text in UTF-8."""

    def __init__(self, pid: int, told: socket.socket, ends: Sequence[int | None]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        stdin, stdout, stderr = ends
        self.stdin: IO[str] | None = None if stdin is None else open(stdin, "w", encoding="utf-8")  # noqa: SIM115
        self.stdout: IO[str] | None = None if stdout is None else open(stdout, encoding="utf-8")  # noqa: SIM115
        self.stderr: IO[str] | None = None if stderr is None else open(stderr, encoding="utf-8")  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._close()

    def poll(self) -> int | None:
        """Return the exit status, or None while the program runs."""
        return self.returncode if self._ended_within(0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit status, which is minus the signal if a signal ended the program."""
        if not self._ended_within(timeout):
            assert timeout is not None
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, given: str = "", timeout: float | None = None) -> tuple[str, str]:
        """Send this input, wait for the end, and return the rest of both output streams."""
        said = ["", ""]

        def read(number: int, stream: IO[str] | None) -> None:
            if stream is not None and not stream.closed:
                said[number] = stream.read()

        if self.stdin is not None:
            self.stdin.write(given)
            self.stdin.close()
        readers = [threading.Thread(target=read, args=one) for one in enumerate((self.stdout, self.stderr))]
        for reader in readers:
            reader.start()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            for reader in readers:
                reader.join()
            self._close()
        return said[0], said[1]

    def send_signal(self, number: int) -> None:
        """Send a signal unless the program has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended_within(self, timeout: float | None) -> bool:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            self.returncode = _STATUS.unpack(self._told.recv(_STATUS.size, socket.MSG_WAITALL))[0]
            self._told.close()
        return self.returncode is not None

    def _close(self) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                # If the reader is gone, its output is dropped.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class Warm:
    """Starts programs with the same imports. Its process starts with the first of them and ends with this process."""

    def __init__(
        self, *modules: str, python: str = sys.executable, environment: Mapping[str, str] | None = None
    ) -> None:
        self._modules = modules
        self._python = python
        self._environment = environment
        self._control: socket.socket | None = None
        self._lock = threading.Lock()

    def start(
        self,
        code: str,
        *arguments: str,
        stdin: int = DEVNULL,
        stdout: int | None = PIPE,
        stderr: int | None = PIPE,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        terminal: bool = False,
    ) -> Program:
        """Start ``python -c CODE ARGUMENTS``. With ``terminal`` its input is its controlling terminal."""
        ours: list[int | None] = []
        theirs: list[int] = []
        for number, given in enumerate((stdin, stdout, stderr)):
            if given == PIPE:
                read, write = os.pipe()
                ours.append(write if number == 0 else read)
                theirs.append(read if number == 0 else write)
            elif given == STDOUT:
                ours.append(None)
                theirs.append(os.dup(theirs[1]))
            else:
                ours.append(None)
                theirs.append(
                    os.open(os.devnull, os.O_RDWR) if given == DEVNULL else os.dup(number if given is None else given)
                )
        told, tells = socket.socketpair()
        wanted: dict[str, Any] = {
            "code": code,
            "arguments": arguments,
            "env": dict(os.environ if env is None else env),
            "cwd": os.fspath(cwd or os.getcwd()),
            "terminal": terminal,
        }
        try:
            with self._lock:
                _send(self._running(), json.dumps(wanted).encode(), [tells.fileno(), *theirs])
        finally:
            for number in theirs:
                os.close(number)
            tells.close()
        return Program(_STATUS.unpack(told.recv(_STATUS.size, socket.MSG_WAITALL))[0], told, ours)

    def run(
        self, code: str, *arguments: str, given: str = "", timeout: float | None = None, **options: Any
    ) -> tuple[int, str, str]:
        """Run a program to its end, with ``given`` as its input, and return its exit status, output and errors."""
        program = self.start(code, *arguments, stdin=PIPE if given else DEVNULL, **options)
        out, err = program.communicate(given, timeout)
        return program.wait(), out, err

    def _running(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            process = subprocess.Popen(
                [self._python, __file__, str(theirs.fileno()), *self._modules],
                stdin=subprocess.DEVNULL,
                env=self._environment,
                pass_fds=[theirs.fileno()],
            )
            theirs.close()
            atexit.register(self._end, process)
        return self._control

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if self._control is not None:
            self._control.close()
            process.wait()


OURS = Warm(
    *("norce_order_async.cli.app", "norce_order_async.cli.demo", "norce_order_async.client", "norce_order_async.bulk"),
    *("norce_order_async.calibration", "norce_order_async.sandbox", "norce_order_async.testing.plugin"),
    # What the first call imports, and the command line's first table.
    *("norce_order_async.orders.order", "norce_order_async.orders.collection", "norce_order_async.engines.aiohttp"),
    *("norce_order_api.models.order_data", "norce_order_api.api.checkout.get_checkout_order"),
    *("norce_order_api.api.checkout.get_checkout_orders", "norce_order_api.api.checkout.create_checkout_order"),
    *("norce_order_async.cli.options", "norce_order_async.cli.tables", "norce_order_async.bulk.actions"),
    *("httpx", "aiohttp", "trio", "rich.progress", "rich.table", "rich.live"),
    *("pytest", "anyio.pytest_plugin", "pytest_asyncio.plugin", "xdist.plugin", "xdist.remote"),
)
"""Programs with the package, its engines and loops, and the libraries of its tests."""


def module(name: str, warnings: str = "ignore") -> str:
    """Return the code for ``python -W WARNINGS -m NAME``."""
    return (
        f"import runpy, sys, warnings; warnings.resetwarnings(); warnings.simplefilter({warnings!r}); "
        f"sys.path[0] = {os.fspath(Path(__file__).parents[2])!r}; "
        f"runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
    )


def script(path: Path, warnings: str = "ignore") -> str:
    """Return the code for ``python -W WARNINGS PATH``."""
    return (
        f"import runpy, sys, warnings; warnings.resetwarnings(); warnings.simplefilter({warnings!r}); "
        f"sys.path[0] = {os.fspath(path.parent)!r}; "
        f"runpy.run_path({os.fspath(path)!r}, run_name='__main__')"
    )


def _send(control: socket.socket, message: bytes, numbers: list[int]) -> None:
    socket.send_fds(control, [_LENGTH.pack(len(message))], numbers)
    control.sendall(message)


def _received(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return a request and the open files that came with it, or None if there will be no more."""
    begin, numbers, _, _ = socket.recv_fds(control, _LENGTH.size, 4)
    if not begin:
        return None
    rest = control.recv(_LENGTH.unpack(begin)[0], socket.MSG_WAITALL)
    return json.loads(rest), numbers


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Return the code to run in each forked process, and None in this process at its end."""
    running: dict[int, socket.socket] = {}
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    before = signal.signal(signal.SIGCHLD, _nothing)
    watched: list[Any] = [control, woken]
    while True:
        ready = select.select(watched, [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            _tell_of_ends(running)
        if control not in ready:
            continue
        came = _received(control)
        if came is None:
            return None
        wanted, (tells, *streams) = came
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, before)
            control.close()
            for one in running.values():
                one.close()
            for number in (tells, woken, wakes):
                os.close(number)
            _become(wanted, streams)
            return wanted
        for number in streams:
            os.close(number)
        running[pid] = socket.socket(fileno=tells)
        running[pid].sendall(_STATUS.pack(pid))


def _nothing(*_: object) -> None:
    """Do nothing, so that the signal only wakes the process."""


def _tell_of_ends(running: dict[int, socket.socket]) -> None:
    for pid in [*running]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            # The process that requested the program may be gone.
            with running.pop(pid) as tells, contextlib.suppress(OSError):
                tells.sendall(_STATUS.pack(os.waitstatus_to_exitcode(status)))


def _become(wanted: dict[str, Any], streams: list[int]) -> None:
    """Set the program's own environment, folder, streams and arguments."""
    os.environ.clear()
    os.environ.update(wanted["env"])
    os.chdir(wanted["cwd"])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if wanted["terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", newline="\n", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", "\n", closefd=False)  # noqa: SIM115
    sys.argv[:] = ["-c", *wanted["arguments"]]
    sys.path[0] = ""


if __name__ == "__main__":
    # The process's own signals are not those of its program.
    (_number, *_modules) = sys.argv[1:]
    for _name in _modules:
        importlib.import_module(_name)
    gc.collect()
    gc.freeze()
    _wanted = _serve(socket.socket(fileno=int(_number)))
    if _wanted is not None:
        _here = {"__name__": "__main__", "__builtins__": __builtins__}
        exec(compile(_wanted["code"], "<string>", "exec"), _here)
