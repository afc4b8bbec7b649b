"""The adapter's process: uvicorn, restarted when code changes."""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from norce_order_async.cli.adapter.served import ORDER, READY_PATH, TARGET
from norce_order_async.cli.sandbox.command import CHANNEL, MERCHANT

if TYPE_CHECKING:
    from norce_order_async.sandbox import Sandbox

_HOST = "127.0.0.1"
_TICK = 0.05
_CHECK_FILES_EVERY = 0.25
_ANSWER_WITHIN = 5.0
_STOP_WITHIN = 10.0
_SKIPPED_FOLDERS = frozenset(["__pycache__", "node_modules", "site-packages"])


class AdapterProcess:
    """Runs ``module:adapter`` under uvicorn.

    uvicorn's own ``--reload`` is not used, for two reasons. It first looks at the files a moment after it has started
    the code, and misses a change in between. And its parent process keeps the port open, so that a connection does not
    show whether the code runs.
    """

    def __init__(self, target: str, *, reload: bool) -> None:
        self._target = target
        self._reload = reload
        self._reserved = _reserved_port()
        self._port: int = self._reserved.getsockname()[1]
        if sys.platform != "linux":
            self._reserved.close()
        self._ready_path = f"/{secrets.token_urlsafe(16)}"
        self._environment: Mapping[str, str] = {}
        self._files: Mapping[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The adapter's base URL."""
        return f"http://{_HOST}:{self._port}"

    def start(self, service: Sandbox, order: str) -> None:
        """Start the adapter, with the variables from which `NorceOrderClient.from_env` reaches the local service."""
        others = {name: value for name, value in os.environ.items() if name not in ("NORCE_ENVIRONMENT", "NORCE_SLUG")}
        self._environment = others | {
            TARGET: self._target,
            ORDER: order,
            READY_PATH: self._ready_path,
            "NORCE_BASE_URL": service.base_url,
            "NORCE_TOKEN": service.token,
            "NORCE_MERCHANT": MERCHANT,
            "NORCE_CHANNEL": CHANNEL,
        }
        self._start()

    def wait_until_ready(self) -> bool:
        """Wait until the adapter is registered and accepts calls; if its code is broken, wait until it is mended.

        Returns False if the process ended and is not restarted.
        """
        while self._is_watched():
            if self._answers():
                return True
        return False

    def wait_until_ended(self) -> bool:
        """Restart the adapter whenever its code changes. Returns False when it has ended and is not restarted."""
        while self._is_watched():
            pass
        return False

    def stop(self) -> None:
        """Stop the adapter, or kill it if that takes too long; its port may be used by others then."""
        self._end()
        self._reserved.close()

    def _end(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> None:
        # Looked at before the code is loaded, so that every change from here on is seen.
        self._files = _code_below(os.getcwd()) if self._reload else {}
        # The access log would print the secret in the path of each call.
        command = [sys.executable, "-m", "uvicorn", "--factory", "norce_order_async.cli.adapter.served:app"]
        command += ["--host", _HOST, "--port", str(self._port), "--lifespan", "on"]
        command += ["--no-access-log", "--log-level", "warning"]
        self._process = subprocess.Popen(command, env=self._environment)  # noqa: S603 - our own

    def _is_watched(self) -> bool:
        """Wait a moment, and restart the adapter if its code has changed.

        Returns False if it has ended and is not restarted.
        """
        if not self._reload:
            time.sleep(_TICK)
            return self._process is not None and self._process.poll() is None
        time.sleep(_CHECK_FILES_EVERY)
        files = _code_below(os.getcwd())
        if files != self._files:
            changed = sorted(os.path.relpath(path) for path, _ in files.items() ^ self._files.items())
            print(f"  {changed[0]} has changed: restarting the adapter", flush=True)
            self._end()
            self._start()
        return True

    def _answers(self) -> bool:
        """Whether the adapter answers, and not another program on the same port."""
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=_ANSWER_WITHIN)
        try:
            connection.request("GET", self._ready_path)
            return connection.getresponse().status == 204
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _reserved_port() -> socket.socket:
    """A socket that is bound to a free port.

    The adapter listens a second later, and again after each restart. On Linux no other program is given the port while
    the socket is open, and one that asks for this port, as uvicorn does, may still listen there. Elsewhere an open
    socket would keep uvicorn out as well, so it is closed.
    """
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((_HOST, 0))
    return one


def _code_below(folder: str) -> Mapping[str, int]:
    """The Python files in and below a folder with their times of writing in nanoseconds; installed packages aside."""
    found: dict[str, int] = {}
    for at, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = [one for one in folders if not one.startswith(".") and one not in _SKIPPED_FOLDERS]
        for name in files:
            if name.endswith(".py"):
                path = os.path.join(at, name)
                try:
                    found[path] = os.stat(path).st_mtime_ns
                except OSError:
                    continue  # removed in the meantime
    return found
