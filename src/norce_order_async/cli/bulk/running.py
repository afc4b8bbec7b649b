"""Runs a job from the command line: asks, runs, shows progress, stops on a signal, and returns an exit code."""

from __future__ import annotations

import re
import shlex
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import click

from norce_order_async.bulk.actions.output import OutExistsError
from norce_order_async.bulk.duplicates import MAX_REMEMBERED, TooManyToRememberError
from norce_order_async.bulk.journal.errors import JournalError, JournalFinishedError
from norce_order_async.bulk.outcome import Summary
from norce_order_async.bulk.signals import stopped_by_signals
from norce_order_async.cli.bulk.display import Display, display
from norce_order_async.cli.bulk.options import How, Which, load_of
from norce_order_async.cli.bulk.rows import KEY, BadInput, order_file
from norce_order_async.cli.connection import Connection
from norce_order_async.cli.failures import cause, one_line
from norce_order_async.cli.filters import PERSONAL
from norce_order_async.cli.production import confirm
from norce_order_async.cli.tables import facts
from norce_order_async.display import printable
from norce_order_async.environments import is_production
from norce_order_async.errors import ConfigurationError, InvalidRequestError
from norce_order_async.orders.filter import OrderFilter

if TYPE_CHECKING:
    from norce_order_async.bulk import JournalReport, PostgresJournal
    from norce_order_async.bulk.actions.base import Action
    from norce_order_async.bulk.job import Job
    from norce_order_async.cli.bulk.rows import OrderFile, Row

DONE, WRONG, SOME_NOT, STOPPED, AT_ONCE = 0, 2, 3, 4, 130

_DASK_RETRIES = 10
"""How often Dask runs a shard again that ended early."""
_DASK_CONNECT_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """A job as the command line describes it."""

    connection: Connection
    action: Action[Any]
    what: str
    """The action in words, for the question before changes in production."""
    how: How


class Rows:
    """The rows of a file after a check; each iteration reads the file again."""

    def __init__(self, file: OrderFile) -> None:
        self._file = file
        self._count = file.check()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return self._file.rows()


def run(request: Request, which: Which) -> int:
    """Run the job on the orders of a file or a filter. Returns the exit code."""
    if which.file is None:
        where = which.where or OrderFilter()
        return go(request, where, lambda: f"{anyio.run(_count, request.connection, where):,}")
    with order_file(which.file, which.column, request.action.columns) as file:
        rows = Rows(file)
        return go(request, rows, lambda: f"{len(rows):,}")


def go(
    request: Request,
    source: Rows | OrderFilter | None,
    count: Callable[[], str],
    *,
    before: Callable[[], None] | None = None,
    split: bool = False,
) -> int:
    """Ask before orders in production are changed, run the job, and return the exit code.

    Args:
        request: The job.
        source: The orders; None for those in the journal.
        count: Returns the number of orders in words; called only if the number is shown.
        before: Called after the question, before the job starts.
        split: Whether to run the free shards of a job that its journal has split.
    """
    how, norce = request.how, request.connection.client()
    if request.action.writes and not how.dry_run and is_production(norce.base_url):
        # Outside the event loop, where Ctrl-C still ends the question.
        part = f", of which part {how.partition[0]} of {how.partition[1]}" if how.partition else ""
        confirm(norce, request.what, count() + part, yes=how.yes_production)
    if before is not None:
        before()
    if split:
        return anyio.run(_work, request)
    if how.shards is None:
        return anyio.run(_run, request, source)
    with nullcontext() if how.dask is None else _dask_cluster(how.dask) as workers:
        return anyio.run(_spread, request, source, workers)


async def _count(connection: Connection, where: OrderFilter) -> int:
    async with connection.client() as norce:
        return await norce.orders.count(where)


async def _run(request: Request, source: Rows | OrderFilter | None) -> int:
    how = request.how
    async with request.connection.client() as norce:
        job = norce.bulk(
            None if how.journal is None else place_of(how.journal),
            failure_limit=how.failure_limit,
            dry_run=how.dry_run,
            grace=how.grace,
            partition=how.partition,
            # The question before production was asked above.
            allow_production=True,
            resume=how.resume,
            duplicates=how.duplicates,
            **load_of(how),
        )
        with display(as_json=how.as_json, dry_run=how.dry_run) as shown:
            try:
                async with job:
                    at_once = await _through(job, request.action, source, shown)
            except Exception as error:
                failure = cause(error)
                if isinstance(failure, JournalFinishedError):
                    raise BadInput(
                        f"{printable(failure.what)}: name a new --journal for the orders that match now, "
                        "or give --resume"
                    ) from error
                if isinstance(failure, TooManyToRememberError):
                    failure = ConfigurationError(_TOO_MANY)
                if isinstance(failure, OutExistsError):
                    raise (_exists(request) if source is not None else _not_its_own(request)) from error
                if not job.summary.finished and isinstance(failure, _NOT_BEGUN):
                    raise BadInput(one_line(failure)) from error
                shown.end(job.summary)
                if not how.as_json:
                    # With --json, standard error has only the error.
                    _say_how_to_continue(how, shown)
                raise failure from error
            shown.end(job.summary)
            code = AT_ONCE if at_once else _code(job.summary, shown, how)
            if job.summary.stopped:
                _say_how_to_continue(how, shown)
                # Calls that are still in flight had their grace, and count as unknown.
                await norce.aclose(0.0)
    return code


async def _spread(request: Request, source: Rows | OrderFilter | None, workers: Executor | None) -> int:
    from norce_order_async.bulk import PostgresJournal, spread
    from norce_order_async.bulk.shards.driver import ShardsLostError

    how, place = request.how, place_of(request.how.journal or "")
    assert isinstance(place, PostgresJournal)  # noqa: S101 - the options were checked
    assert how.shards is not None  # noqa: S101
    recipe = request.connection.recipe()
    given = load_of(how)
    try:
        report = await spread(
            recipe,
            source,
            request.action,
            journal=place,
            shards=how.shards,
            on=workers,
            key=KEY,
            allow_production=True,
            **given,
        )
    except ShardsLostError:
        click.echo(f"to continue:\n  {again(sys.argv[1:])}", err=True)
        raise
    except OutExistsError as error:
        raise _exists(request) from error
    except _NOT_BEGUN as error:
        raise BadInput(one_line(error)) from error
    return _end(report)


@contextmanager
def _dask_cluster(address: str) -> Generator[Executor]:
    """The executor of the Dask cluster with this scheduler; its workers run the shards of a job.

    Raises:
        BadInput: Dask is not installed, or the scheduler can't be reached.
    """
    try:
        from distributed import Client as UntypedClient
    except ImportError:
        raise BadInput("--dask needs the extra 'spread': install norce-order-async with [spread]") from None
    make: Any = UntypedClient
    try:
        client = make(address, timeout=_DASK_CONNECT_WITHIN, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        why = type(error).__name__
        raise BadInput(f"there is no Dask scheduler at {printable(address)} ({why})") from error
    with client:
        yield client.get_executor(retries=_DASK_RETRIES)


async def _work(request: Request) -> int:
    from norce_order_async.bulk import PostgresJournal

    place = place_of(request.how.journal or "")
    assert isinstance(place, PostgresJournal)  # noqa: S101 - only those are split
    return _end(await place.work(request.connection.recipe(), **load_of(request.how)))


def _exists(request: Request) -> BadInput:
    what = "exists" if request.how.shards is None else "holds an export"
    return BadInput(f"{printable(request.action.parameters['out'])} {what}: name another --out, or give --force")


def _not_its_own(request: Request) -> BadInput:
    """The error of ``bulk retry``, which can't name another file or replace one."""
    out = printable(request.action.parameters["out"])
    return BadInput(f"{out} is not as the job made it: move it away, and give the same command again")


def _end(report: JournalReport) -> int:
    lines = [(state, f"{count:,}") for state, count in report.counts.items()]
    if report.manifest is not None:
        lines.append(("manifest", printable(str(report.manifest))))
    facts(lines)
    if not all(shard.finished for shard in report.shards):
        return STOPPED
    return SOME_NOT if report.counts["refused"] or report.counts["unknown"] else DONE


_PASSWORD = re.compile(r"(?<=://)[^/?#]*(?=@)|(?<=[?&]password=)[^&#]*")
"""The user and the password in the address of a database."""
_TOO_MANY = (
    f"more than {MAX_REMEMBERED:,} orders are too many to find duplicates in memory: give --journal FILE, or "
    "--duplicates allow"
)
_NOT_BEGUN = (ConfigurationError, InvalidRequestError, JournalError)
"""Errors that may end a job before it does anything."""


async def _through(job: Job, action: Action[Any], source: Rows | OrderFilter | None, shown: Display) -> bool:
    """Run the job to its end, or until a signal stops it. Returns whether a second signal stopped it at once."""
    at_once = False

    def on_signal(_signal: signal.Signals, again: bool) -> None:
        nonlocal at_once
        if not again:
            shown.note("stopping: waiting for requests in flight; press Ctrl-C again to stop at once")
            return
        at_once = True
        # The job may be reading its source, or waiting for the service.
        tasks.cancel_scope.cancel()

    async def show_progress() -> None:
        while True:
            await anyio.sleep(shown.every)
            shown.tick(job.summary, job.limiter.in_flight)

    async with anyio.create_task_group() as tasks, stopped_by_signals(job, on_signal):
        tasks.start_soon(show_progress)
        async for outcome in job.run(source, action, key=KEY):
            shown.outcome(outcome)
        tasks.cancel_scope.cancel()
    return at_once


def _code(summary: Summary, shown: Display, how: How) -> int:
    if summary.stopped or (summary.left and not how.dry_run):
        return STOPPED
    before = summary.before["refused"] + summary.before["unknown"]
    return SOME_NOT if before or shown.to_look_at else DONE


def _say_how_to_continue(how: How, shown: Display) -> None:
    if how.journal is None:
        shown.note("progress was not recorded; with --journal FILE the same command can continue")
        return
    shown.note(f"to continue:\n  {again(sys.argv[1:])}")


def place_of(journal: str) -> str | PostgresJournal:
    """The journal that the user names: a file, or ``postgresql://HOST/DATABASE#JOB``.

    Raises:
        BadInput: The address names no job. The text does not show it, because it may hold a password.
    """
    from norce_order_async.bulk import PostgresJournal

    if not journal.startswith(("postgresql://", "postgres://")):
        return journal
    try:
        return PostgresJournal.from_url(journal)
    except ConfigurationError as error:
        raise BadInput(one_line(error)) from error


def again(arguments: list[str]) -> str:
    """The command line, to be used again, without personal data and passwords."""
    words: list[str] = []
    for before, word in zip(["", *arguments], arguments, strict=False):
        name, parted, _ = word.partition("=")
        if before in PERSONAL:
            words.append("...")
        elif parted and name in PERSONAL:
            words.append(f"{name}=...")
        else:
            words.append(_PASSWORD.sub("...", word))
    return shlex.join(["norce-order", *words])
