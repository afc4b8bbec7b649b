"""Lists a job once, and hands its shards to an executor."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any
from uuid import uuid4

import anyio
from anyio import to_thread

from norce_order_async.bulk.actions.base import Action
from norce_order_async.bulk.actions.export import Export
from norce_order_async.bulk.job import OPERATION, OTHER_LOAD, check_engine, guard_production
from norce_order_async.bulk.journal.errors import JournalError
from norce_order_async.bulk.journal.inspect import JournalReport, read_journal
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.journal.parts import ExportShard
from norce_order_async.bulk.load.limiters import Load
from norce_order_async.bulk.load.shared import Shared, check_load
from norce_order_async.bulk.prepare import Plan, list_source
from norce_order_async.bulk.shards.folder import Folder
from norce_order_async.bulk.shards.recipe import Recipe, client_of
from norce_order_async.bulk.shards.work import AnyAction, PostgresJournal, finish, for_shards, run
from norce_order_async.bulk.source import Key, Partition, Source, check_source
from norce_order_async.checking import check_kind, check_whole
from norce_order_async.errors import ConfigurationError, NorceError
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.tasks import SendTasks
from norce_order_async.runtime.clock import boottime

MOST_SHARDS = 100_000
_LOOKED_AT_EVERY = 0.5
JOURNAL_READ_EVERY = 5.0
_END_WITHIN = 5.0
_SHOWN = 3
_AGAIN = "run the same program again"


class ShardsLostError(JournalError):
    """Shards ended before all of their items were done, and can be run again."""


@dataclass(frozen=True, slots=True)
class ShardTask:
    """The task of an executor: it can be pickled, and shows no address when it is logged."""

    recipe: Recipe
    journal: PostgresJournal
    shard: int
    action: AnyAction | None = field(default=None, repr=False)
    load: Load | None = None
    once: str = field(default_factory=lambda: uuid4().hex, repr=False)
    """Makes each task unique: Dask runs equal tasks only once, and would return the result of the first."""

    def __call__(self) -> NorceError | None:
        """Run the shard, in the process of the executor.

        Returns:
            An error that would occur again, such as a token that was refused. It is returned and not raised, because
            executors repeat a task that raises.

        Raises:
            JournalError: the shard can be run again.
        """
        try:
            anyio.run(run, self.recipe, self.journal, self.shard, self.action, self.load)
        except JournalError:
            raise
        except NorceError as error:
            return error
        return None


async def spread(
    recipe: Recipe,
    source: Source | None,
    action: AnyAction,
    *,
    journal: PostgresJournal,
    shards: int,
    on: Executor | None = None,
    load: Load | None = None,
    key: Key = "order_id",
    allow_production: bool = False,
) -> JournalReport:
    """Run an action on every order of a source, on several machines or processes.

    The source is listed into the journal once, split into shards by a hash of the order's id. Each shard is a task of
    the executor. If a worker dies, the executor runs its task again, here or elsewhere, and because of the journal no
    order is done twice. If this program dies, run it again: orders that are done stay done.

    Args:
        recipe: how each worker makes its client, of ``norce.recipe()``.
        source: ids, handles, rows or an ``OrderFilter``; None continues with what is in the journal.
        action: one of ``norce_order_async.bulk.actions``, or one of your own that the workers can import. An export
            names a folder that all workers see, and its format.
        journal: where the job is kept.
        shards: the number of shards, best several times the number of workers. It can't be changed later.
        on: any executor, such as ``dask_client.get_executor(retries=10)`` or a ``ProcessPoolExecutor``. By default,
            processes of this machine, one for each processor; a program needs ``if __name__ == "__main__":`` for them.
        load: ``Shared`` for one rate of all workers, or the limits of each; ``Adaptive()`` by default.
        key: the column of a row that holds the order's id, or a function that returns the id of an entry.
        allow_production: permission to change orders in production.

    Returns:
        The report of the journal in the end: ``report.left`` is 0 if nothing is left to do. For an export,
        ``report.manifest`` is the file that names its parts.

    Raises:
        ConfigurationError: an argument can't be used, an export names a file or a folder that can't be used, or the
            client's engine does not check right before it sends whether the worker still has its shard.
        JournalError: the journal can't be used, or workers or the executor were lost; run the same program again.
        NorceError: an error that ended a shard, such as a token that was refused.
    """
    if on is not None and not callable(getattr(on, "submit", None)):
        raise ConfigurationError(f"on must be an executor, not {type(on).__name__}")
    chosen = for_shards(action)
    report = await list_shards(
        recipe, source, chosen, journal=journal, shards=shards, load=load, key=key, allow_production=allow_production
    )
    tasks = [ShardTask(recipe, journal, shard.number, chosen, load) for shard in report.shards if not shard.finished]
    if tasks:
        async with _executor(on) as executor:
            await _through(journal, await to_thread.run_sync(_submit, executor, tasks))
    await finish(journal, chosen)
    return await to_thread.run_sync(read_journal, journal)


async def list_shards(
    recipe: Recipe,
    source: Source | None,
    action: AnyAction,
    *,
    journal: PostgresJournal,
    shards: int,
    load: Load | None = None,
    key: Key = "order_id",
    allow_production: bool = False,
) -> JournalReport:
    """List a job into its journal, split into shards, and run nothing: for workers that :func:`spread` does not start.

    The workers call :func:`run_shard` or ``await journal.work(recipe)``. If the job is listed already, its list is
    compared with the source. For example::

        report = await list_shards(norce.recipe(), order_ids, actions.remove(), journal=journal, shards=64)
        for shard in report.shards:
            queue.put(shard.number)

    Args:
        recipe: how each worker makes its client, of ``norce.recipe()``.
        source: ids, handles, rows or an ``OrderFilter``; None for the orders in the journal.
        action: one of ``norce_order_async.bulk.actions``, or one of your own that the workers can import. An export
            names a folder that all workers see, and its format.
        journal: where the job is kept.
        shards: the number of shards. It can't be changed later.
        load: a ``Shared`` rate, which is kept in the journal for all workers. Other loads are not used.
        key: the column of a row that holds the order's id, or a function that returns the id of an entry.
        allow_production: permission to change orders in production.

    Returns:
        The report of the journal: ``report.shards`` has the items that are left in each shard.

    Raises:
        ConfigurationError: an argument can't be used, an export names a file or a folder that can't be used, or the
            client's engine does not check right before it sends whether the worker still has its shard.
        JournalError: the journal can't be used, or belongs to another job.
    """
    check_kind("recipe", recipe, Recipe, "a recipe, of norce.recipe()", ConfigurationError)
    check_kind("journal", journal, PostgresJournal, "a PostgresJournal", ConfigurationError)
    check_whole("shards", shards, 1, ConfigurationError)
    if shards > MOST_SHARDS:
        raise ConfigurationError(f"shards must be at most {MOST_SHARDS}; got {shards}")
    if source is not None:
        check_source(source)
    check_load(load)
    chosen = for_shards(action)
    async with client_of(recipe) as norce:
        session: Session = norce._session  # noqa: SLF001 - a view's jobs are made of it, in bulk() as here
        check_engine(session.core.loop_guard.check(OPERATION, {}).engine)
        guard_production(session, chosen, source, allowed=allow_production)
        max_rate = load.max_rate if isinstance(load, Shared) else None
        await _list(session, journal, shards, source, chosen, key, max_rate)
    return await to_thread.run_sync(lambda: read_journal(journal, reasons=False))


async def _list(
    session: Session,
    journal: PostgresJournal,
    shards: int,
    source: Source | None,
    action: Action[Any],
    key: Key,
    max_rate: float | None,
) -> None:
    tasks = SendTasks(session.core.clock)
    store = ExportShard(journal, shards=shards)
    listing = await Journal.open(store, tasks)
    try:
        plan: Plan[Any] = Plan(
            session=session,
            action=action,
            source=source,
            key=key,
            partition=Partition(1, 1),
            workers=OTHER_LOAD,
            ordered=False,
            failure_limit=None,
            dry_run=False,
        )
        is_new = not await listing.is_listed()
        if isinstance(action, Export) and is_new:
            # Before the source is read, so that a wrong folder is an error at once.
            await to_thread.run_sync(_begin_folder, store, action, journal.job)
        await list_source(plan, listing)
        if isinstance(action, Export) and not is_new:
            # Only now is it certain that the journal belongs to this job.
            await to_thread.run_sync(_begin_folder, store, action, journal.job)
        await listing.set_max_rate(max_rate)
    finally:
        with anyio.CancelScope(shield=True):
            await tasks.drain(_END_WITHIN)
        listing.close()


def _begin_folder(store: ExportShard, export: Export, job: str) -> None:
    """Begin the folder of an export, unless it is finished: the files of a finished one may have been moved.

    Raises:
        ConfigurationError: the folder can't be used, or another job has replaced the finished export.
    """
    folder = Folder(export.out, store.mark(), job)
    if store.is_finished():
        folder.check_manifest()
    else:
        folder.begin(overwrite=export.overwrite, begun=store.is_begun())


@asynccontextmanager
async def _executor(on: Executor | None) -> AsyncGenerator[Executor]:
    if on is not None:
        yield on
        return
    # Spawned: a fork would copy the locks of threads, and not the threads.
    executor = ProcessPoolExecutor(mp_context=get_context("spawn"))
    try:
        yield executor
    except BaseException:
        # A shard can't be stopped from here, but its process may be ended at any time: the journal stays correct.
        for process in (executor._processes or {}).values():  # noqa: SLF001 - public from Python 3.14 on
            process.terminate()
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(lambda: executor.shutdown(cancel_futures=True))


ShardFuture = Future[NorceError | None]


def _submit(executor: Executor, tasks: Sequence[ShardTask]) -> dict[ShardFuture, int]:
    """Submit all shards; returns their numbers. Blocking, because an executor may call other machines.

    Raises:
        ShardsLostError: the executor does not accept them.
    """
    futures: dict[ShardFuture, int] = {}
    try:
        for task in tasks:
            futures[executor.submit(task)] = task.shard
    except Exception as error:
        for future in futures:
            future.cancel()
        raise ShardsLostError(f"the executor takes no shards ({type(error).__name__}): {_AGAIN}") from error
    return futures


async def _through(journal: PostgresJournal, futures: Mapping[ShardFuture, int]) -> None:
    """Wait until all shards have ended.

    Raises:
        NorceError: an error that ended a shard and would occur again.
        ShardsLostError: a worker or the executor was lost.
    """
    silent = _Silent(journal, futures)
    try:
        left: set[ShardFuture] = set(futures)
        while left:
            # In a thread and in short steps: the futures end in other threads, and this wait may be cancelled.
            await to_thread.run_sync(partial(wait, left, _LOOKED_AT_EVERY))
            left = {future for future in left if not future.done()}
            left -= await silent.of(left)
    finally:
        for future in futures:
            future.cancel()
    failed = [error for future in futures if future not in silent.finished and (error := _failure(future)) is not None]
    for error in failed:
        if isinstance(error, NorceError) and not isinstance(error, JournalError):
            raise error
    if failed:
        why = ", ".join(sorted({_in_words(error) for error in failed})[:_SHOWN])
        raise ShardsLostError(f"{len(failed)} of {len(futures)} shards ended early ({why}): {_AGAIN}")


class _Silent:
    """Finds futures that will never end. Dask leaves one like that if it loses its scheduler while it fetches the
    result of a shard that has ended; the futures of the other shards are cancelled then."""

    def __init__(self, journal: PostgresJournal, futures: Mapping[ShardFuture, int]) -> None:
        self.finished: set[ShardFuture] = set()
        """Those of shards that are finished."""
        self._journal = journal
        self._shards = futures
        self._read_at = boottime()
        self._before: set[ShardFuture] = set()

    async def of(self, left: set[ShardFuture]) -> set[ShardFuture]:
        """Those of ``left`` whose shards are finished by the journal; if the executor has cancelled another, also those
        whose shards no process has.

        Only if it was so when the journal was read before too: until then, their results may be on their way.
        """
        if boottime() < self._read_at + JOURNAL_READ_EVERY:
            return set()
        self._read_at = boottime()
        try:
            report = await to_thread.run_sync(lambda: read_journal(self._journal, reasons=False))
        except JournalError:  # the database may be back next time
            return set()
        finished = {shard.number for shard in report.shards if shard.finished}
        had = {shard.number for shard in report.shards if shard.owner}
        is_lost = any(future.cancelled() for future in self._shards)
        now = {
            future
            for future in left
            if not future.running()
            and (self._shards[future] in finished or (is_lost and self._shards[future] not in had))
        }
        silent, self._before = now & self._before, now
        self.finished |= {future for future in silent if self._shards[future] in finished}
        return silent


def _failure(future: ShardFuture) -> BaseException | None:
    """The error that ended a shard early: of its run, or of an executor that lost or cancelled it; None if none did."""
    try:
        # At once: if it could not be cancelled in this moment, its shard is as good as lost.
        return future.result(0)
    except BaseException as error:  # noqa: BLE001 - it comes from another process, and must not end this one
        return error


def _in_words(error: BaseException) -> str:
    # The texts of other errors may hold parts of an address.
    return str(error) if isinstance(error, JournalError) else type(error).__name__
