"""The PostgreSQL for tests."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import PASSWORD, PostgresServer, shared_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow(group="postgres")

_USER = """
import sys
from pathlib import Path
from tests.support.postgres import shared_server
with shared_server(Path(sys.argv[1])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("test", range(2))
def test_a_database_is_empty(postgres: str, test: int) -> None:
    """The table that another test made is gone with its database."""
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TABLE left_by_a_test (number int)")
        assert connection.info.server_version >= 180000


def test_it_demands_the_password(postgres: str) -> None:
    """The address has a real password, so tests find it in places where it must not be."""
    assert PASSWORD in postgres
    with pytest.raises(psycopg.OperationalError, match="password"), psycopg.connect(postgres, password="wrong"):
        pass


def test_what_was_committed_survives_a_kill_of_the_server() -> None:
    """The test has its own server, and no connection outlives it."""
    with PostgresServer() as server:
        with contextlib.closing(psycopg.connect(server.dsn())) as connection:
            connection.execute("CREATE TABLE kept (number int)")
            connection.commit()
            server.kill()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        server.start()
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_processes_share_a_server_that_ends_with_the_last_of_them(tmp_path: Path) -> None:
    """The server ends with its last process, also if that is killed."""
    with shared_server(tmp_path) as address:
        other = subprocess.Popen(
            [sys.executable, "-c", _USER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline().strip() == address
    with psycopg.connect(address.format(database="postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()
    wait_until(lambda: not (tmp_path / "postgres.address").exists())
    with (tmp_path / "postgres.users").open("wb") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
    with pytest.raises(psycopg.OperationalError), psycopg.connect(address.format(database="postgres")):
        pass
