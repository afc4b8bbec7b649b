"""Processes on the client's core, so that no measurement is affected by another one's memory or imports."""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import traceback
from collections.abc import Callable, Generator
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar, cast

from benchmarks.machine import CLIENT_CORE, pin

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """A process that runs one function after the other; it starts with the first of them."""

    def __init__(self) -> None:
        self._pipe, there = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_work, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of a module in there and return its result; its exceptions are raised here."""
        self._pipe.send((function, args, kwargs))
        done, result = self._pipe.recv()
        if not done:
            raise cast("BaseException", result)
        return cast("T", result)

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()


@contextlib.contextmanager
def worker() -> Generator[Worker]:
    """A worker until the block ends."""
    made = Worker()
    try:
        yield made
    finally:
        made.close()


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one function in a process of its own."""
    with worker() as made:
        return made.run(function, *args, **kwargs)


@contextlib.contextmanager
def beside(core: int | None) -> Generator[None]:
    """A process that takes as much of a core as the others leave, until the block ends."""
    busy = multiprocessing.get_context("spawn").Process(target=_spin, args=(core,), daemon=True)
    busy.start()
    try:
        yield
    finally:
        busy.kill()
        busy.join()
        busy.close()


def _spin(core: int | None) -> None:
    pin(core)
    while True:
        pass


def _work(pipe: Connection) -> None:
    pin(CLIENT_CORE)
    # Two thousand connections are more than many systems allow by default.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    while True:
        try:
            function, args, kwargs = pipe.recv()
        except EOFError:
            # The process that gave the work has ended.
            return
        try:
            answer = (True, function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the process that asked gets it
            error.add_note(traceback.format_exc())
            answer = (False, error)
        pipe.send(answer)
