"""The adapter's process: uvicorn, started anew when code changes."""

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
_LOOK_AT_FILES = 0.25
_ANSWER_WITHIN = 5.0
_STOP_WITHIN = 10.0
_NOT_CODE_OF_THE_READER = frozenset(["__pycache__", "node_modules", "site-packages"])


class AdapterProcess:
    """Runs ``module:adapter`` under uvicorn.

    uvicorn can start itself anew as well. It looks at the files a moment after it has started the code, so a change in
    between goes unseen; and its parent process keeps the port open, so that a connection says nothing about the code.
    """

    def __init__(self, target: str, *, reload: bool) -> None:
        self._target = target
        self._reload = reload
        self._port = _free_port()
        self._ready_path = f"/{secrets.token_urlsafe(16)}"
        self._environment: Mapping[str, str] = {}
        self._files: Mapping[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it takes calls."""
        return f"http://{_HOST}:{self._port}"

    def start(self, service: Sandbox, order: str) -> None:
        """Start it, with the local service as the one that `NorceOrderClient.from_env` reaches."""
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

    def wait_until_it_answers(self) -> bool:
        """Wait until the adapter is registered and takes calls; while its code is broken, wait for better code.

        False if it ended, and nothing starts it anew.
        """
        while self._goes_on():
            if self._answers():
                return True
        return False

    def wait_until_it_ends(self) -> bool:
        """Start it anew at each change of code. False, once it has ended and nothing starts it anew."""
        while self._goes_on():
            pass
        return False

    def stop(self) -> None:
        """Stop it, by force if it takes too long."""
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
        # Looked at before the code is loaded: what changes from here on is seen.
        self._files = _code_below(os.getcwd()) if self._reload else {}
        # The access log would print the secret in the path of each call.
        command = [sys.executable, "-m", "uvicorn", "--factory", "norce_order_async.cli.adapter.served:app"]
        command += ["--host", _HOST, "--port", str(self._port), "--lifespan", "on"]
        command += ["--no-access-log", "--log-level", "warning"]
        self._process = subprocess.Popen(command, env=self._environment)  # noqa: S603 - our own

    def _goes_on(self) -> bool:
        """Let a moment pass; start it anew if the code has changed. False if it has ended and stays so."""
        if not self._reload:
            time.sleep(_TICK)
            return self._process is not None and self._process.poll() is None
        time.sleep(_LOOK_AT_FILES)
        files = _code_below(os.getcwd())
        if files != self._files:
            changed = sorted(os.path.relpath(path) for path, _ in files.items() ^ self._files.items())
            print(f"  {changed[0]} has changed: the adapter is started anew", flush=True)
            self.stop()
            self._start()
        return True

    def _answers(self) -> bool:
        """Whether this very adapter answers, and not what else may have the port."""
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=_ANSWER_WITHIN)
        try:
            connection.request("GET", self._ready_path)
            return connection.getresponse().status == 204
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((_HOST, 0))
        port: int = one.getsockname()[1]
        return port


def _code_below(folder: str) -> Mapping[str, int]:
    """The Python files in a folder and below, with when they were written (nanoseconds), but not installed packages."""
    found: dict[str, int] = {}
    for at, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = [one for one in folders if not one.startswith(".") and one not in _NOT_CODE_OF_THE_READER]
        for name in files:
            if name.endswith(".py"):
                path = os.path.join(at, name)
                try:
                    found[path] = os.stat(path).st_mtime_ns
                except OSError:
                    continue  # gone in the meantime
    return found
