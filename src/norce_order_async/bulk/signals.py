"""Ctrl-C and SIGTERM while a job runs: the first lets calls in flight finish, the second cancels them."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio

from norce_order_async.bulk.job import Job
from norce_order_async.checking import check_kind
from norce_order_async.errors import ConfigurationError
from norce_order_async.pipeline.tasks import SendTasks

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def stopped_by_signals(
    job: Job, on_signal: Callable[[signal.Signals, bool], None] | None = None
) -> AsyncGenerator[None]:
    """Inside, Ctrl-C and SIGTERM stop the job instead of the program.

    The first signal begins nothing new and lets calls in flight finish within the job's ``grace``; the second cancels
    them. Use it in the main thread: Python delivers signals only there. Leaving the client still waits for a write in
    flight, 25 s at most; ``await norce.aclose(grace=0)`` does not.

    Args:
        job: the job to stop.
        on_signal: called with each signal, and with True if it is not the first.

    Raises:
        ConfigurationError: ``job`` is not a job, or ``on_signal`` can't be called.
    """
    check_kind("job", job, Job, "a job", ConfigurationError)
    if on_signal is not None and not callable(on_signal):
        raise ConfigurationError(f"on_signal must be a function, not {type(on_signal).__name__}")
    tasks = SendTasks()
    scope = anyio.CancelScope()
    ready = anyio.Event()

    async def watch() -> None:
        with scope, anyio.open_signal_receiver(*_SIGNALS) as signals:
            ready.set()
            again = False
            async for each in signals:
                job.stop(now=again, why=each.name)
                if on_signal is not None:
                    on_signal(each, again)
                again = True

    tasks.start(watch)
    await ready.wait()
    try:
        yield
    finally:
        scope.cancel()
        with anyio.CancelScope(shield=True):
            await tasks.drain(1.0)
