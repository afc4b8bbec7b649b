"""A Dask cluster of processes for tests, each started by Dask's own command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.support.waiting import wait_until

MISSING: Final = (
    "the tests in the group dask need the extra 'spread', and it is not installed: run scripts/test.sh, or leave the "
    "tests out with -m 'not slow(group=\"dask\")'"
)
_COMMON: Final = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file")


def is_available() -> bool:
    """Whether Dask is installed."""
    return find_spec("distributed") is not None


@dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers. The workers go on for a while when the scheduler is gone."""

    scheduler: subprocess.Popen[bytes]
    workers: tuple[subprocess.Popen[bytes], ...]
    address: str


@contextmanager
def cluster(folder: Path, *, workers: int, env: Mapping[str, str]) -> Generator[Cluster]:
    """Start a cluster, and end its processes afterwards."""
    folder.mkdir()
    file = folder / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (folder / name).open("wb") as log:
            command = [sys.executable, "-m", "dask", *arguments, *_COMMON, str(file)]
            process = subprocess.Popen(command, env={**os.environ, **env}, stdout=log, stderr=log, cwd=folder)
        started.append(process)
        return process

    try:
        scheduler = start("scheduler", "scheduler", "--port", "0")
        wait_until(lambda: file.exists() or scheduler.poll() is not None)
        assert file.exists(), folder.joinpath("scheduler").read_text("utf-8")
        own = [start(f"worker {number}", "worker", "--no-nanny", "--nthreads", "1") for number in range(workers)]
        yield Cluster(scheduler, tuple(own), json.loads(file.read_bytes())["address"])
    finally:
        for process in started:
            process.kill()
            process.wait()
