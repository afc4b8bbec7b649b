"""Runs shards of a job, on any machine. A shard that another run has is left to it until its lease ends."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

import anyio
from anyio import to_thread

from norce_order_async._json import mapping_or_empty
from norce_order_async.bulk.actions.base import Action, action_of
from norce_order_async.bulk.actions.builtin import from_journal
from norce_order_async.bulk.actions.export import Export
from norce_order_async.bulk.job import Job
from norce_order_async.bulk.journal.errors import JournalError, JournalLockedError, JournalUnreachableError
from norce_order_async.bulk.journal.inspect import JournalReport, read_journal
from norce_order_async.bulk.journal.parts import ExportShard
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.journal.store import Store
from norce_order_async.bulk.load.limiters import MAX_IN_FLIGHT, Load
from norce_order_async.bulk.load.shared import Part, Share, Shared, check_load
from norce_order_async.bulk.shards.folder import PartFile, put_manifest
from norce_order_async.bulk.shards.recipe import Recipe, client_of
from norce_order_async.checking import check_kind, check_whole
from norce_order_async.errors import ConfigurationError
from norce_order_async.pipeline.home import running
from norce_order_async.pipeline.session import Session
from norce_order_async.runtime.clock import boottime

AnyAction = Action[Any] | Callable[[Any], Awaitable[Any]]

LOOKED_AT_EVERY = 1.0
"""Seconds between two attempts to take shards that other runs have."""
NOT_NOW = (JournalLockedError, JournalUnreachableError)
"""Errors after which a shard may be taken again: another run has it, or the database was away for too long."""


class ShardJob(Job):
    """A job for the items of one shard. They were listed, and production was allowed, before."""

    def __init__(self, session: Session, journal: PostgresJob, shard: int, load: Load | None) -> None:
        if isinstance(load, Shared):
            load = Part(load.max_in_flight, _part_of(journal, load.max_rate))
        share = load.share if isinstance(load, Part) else None
        super().__init__(session, load=load, allow_production=True)
        self._shard = ExportShard(journal, shard, share=share)
        self._number = shard
        self._shared, self._share = journal, share

    def in_parts(self, action: Action[Any]) -> Action[Any]:
        """Return the action; an export is changed to write this shard's part."""
        if not isinstance(action, Export):
            return action
        return action.into(lambda: PartFile(action, self._shared.job, self._number, self._shard))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            if self._share is not None:
                _leave(self._shared, self._share)

    def _store(self) -> Store | None:
        return self._shard


_LEFT: Final[dict[tuple[int, PostgresJob], list[Share]]] = {}
"""Parts of shared rates that ended runs have left, by process and job. A forked child has copies of its parent's."""


def _part_of(journal: PostgresJob, max_rate: float | None) -> Share:
    """Return a valid part that an earlier run of this process has left, or a new one.

    A run that continues as the same member need not wait until all others have counted it.
    """
    left = _LEFT.get((os.getpid(), journal), [])
    with suppress(IndexError):
        while True:
            # In one step, because runs in other threads take parts too.
            share = left.pop()
            if share.rate:
                share.max_rate = max_rate
                return share
    return Share(max_rate)


def _leave(journal: PostgresJob, share: Share) -> None:
    _LEFT.setdefault((os.getpid(), journal), []).append(share)


async def run(recipe: Recipe, journal: PostgresJob, shard: int, action: AnyAction | None, load: Load | None) -> None:
    """Run one shard until nothing is left to do in it, by this run or another.

    After the last shard of an export, its manifest is written too.

    Raises:
        NorceError: an error ended the run that would occur for the next items too, or the database was lost.
    """
    check_load(load)
    job = await _job_of(journal, action)
    if shard in job.left:
        async with client_of(recipe) as norce:
            while shard in job.left:
                try:
                    await _run_once(norce, journal, shard, job, load)
                except NOT_NOW:
                    await anyio.sleep(LOOKED_AT_EVERY)
                job = await _job_of(journal, job.action)
    await finish(journal, job.action)


async def work_on(
    journal: PostgresJob, recipe: Recipe, *, action: AnyAction | None = None, load: Load | None = None
) -> JournalReport:
    """Take free shards and run them, until nothing is left to do."""
    check_load(load)
    job = await _job_of(journal, action)
    async with client_of(recipe) as norce:
        while job.left:
            took = False
            # In random order: workers that begin at the same time would otherwise all ask for the same shard.
            for shard in random.sample(sorted(job.left), len(job.left)):
                try:
                    await _run_once(norce, journal, shard, job, load)
                except NOT_NOW:
                    continue
                took = True
            if not took:
                await anyio.sleep(LOOKED_AT_EVERY)
            job = await _job_of(journal, job.action)
    await finish(journal, job.action)
    return await to_thread.run_sync(read_journal, journal)


async def finish(journal: PostgresJob, action: Action[Any]) -> None:
    """Write the manifest of an export if all its parts are made, or wait until another run has written it.

    Raises:
        JournalError: a part is gone, the folder can't be written, or the database was away for too long.
        ConfigurationError: the folder is not the one that the job was begun with.
    """
    if not isinstance(action, Export):
        return
    while True:
        report = await _report_of(journal)
        if report.manifest is not None or not all(shard.finished for shard in report.shards):
            return
        action = action.in_order(mapping_or_empty(report.parameters.get("fields")))
        try:
            await to_thread.run_sync(put_manifest, journal, action, len(report.shards))
        except NOT_NOW:
            await anyio.sleep(LOOKED_AT_EVERY)


def for_shards(action: AnyAction) -> Action[Any]:
    """Return an action in the form in which the workers of a split job run it.

    Raises:
        ConfigurationError: it makes a single file, or has no name for a journal.
    """
    chosen: Action[Any] = action_of(action, journaled=True)
    if isinstance(chosen, Export):
        return chosen.into_folder()
    if chosen.output() is not None:
        raise ConfigurationError(f"{chosen.name!r} makes one file, and can't be spread: run it with norce.bulk(...)")
    return chosen


async def _run_once(norce: Any, journal: PostgresJob, shard: int, listed: _Listed, load: Load | None) -> None:
    session: Session = norce._session  # noqa: SLF001 - a view's jobs are made of it, in bulk() as here
    if load is None and listed.max_rate is not None:
        load = Part(MAX_IN_FLIGHT, _part_of(journal, None))
    async with ShardJob(session, journal, shard, load) as job:
        async for _ in job.run(None, job.in_parts(listed.action)):
            pass


@dataclass(frozen=True, slots=True)
class _Listed:
    """A job as its database has it."""

    action: Action[Any]
    left: frozenset[int]
    """The shards that are not finished."""
    max_rate: float | None
    """The rate that all its workers share, in attempts a second; None without such a limit."""


async def _job_of(journal: PostgresJob, action: AnyAction | None) -> _Listed:
    """Read which shards of a job are left.

    Raises:
        JournalError: the job is not listed yet, or not split into shards.
        ConfigurationError: its action is not a ready one, and was not given.
    """
    report = await _report_of(journal)
    if not report.listed:
        raise JournalError(f"journal {journal} is not listed yet: begin it with spread(...)")
    if not report.shards:
        raise JournalError(f"journal {journal} is not split into shards: continue it with norce.bulk(...)")
    left = frozenset(shard.number for shard in report.shards if not shard.finished)
    chosen = from_journal(report.action, report.parameters) if action is None else action
    chosen = for_shards(chosen)
    if isinstance(chosen, Export):
        chosen = chosen.in_order(mapping_or_empty(report.parameters.get("fields")))
    return _Listed(chosen, left, report.max_rate)


async def _report_of(journal: PostgresJob) -> JournalReport:
    """Read the report of the journal. A database that is away is waited for, as long as a lease."""
    until = boottime() + journal.lease
    while True:
        try:
            return await to_thread.run_sync(lambda: read_journal(journal, reasons=False))
        except JournalUnreachableError:
            if boottime() >= until:
                raise
        await anyio.sleep(LOOKED_AT_EVERY)


@dataclass(frozen=True, slots=True)
class PostgresJournal(PostgresJob):
    """A journal in a PostgreSQL database, so that any machine can continue its job. Needs the extra ``postgres``.

    For example::

        job = norce.bulk(PostgresJournal("postgresql://app@db.example/jobs", job="close-2026-11"))

    The tables are made when they are first needed. One database may hold many jobs.

    Args:
        dsn: the address of the database, ``postgresql://...``. It is never shown. Leave its password out and set
            ``PGPASSWORD`` or a ``.pgpass`` file if other programs show it.
        job: the name of the job in the database.
        lease: seconds after which another run may take the job, or a shard of it, from one that does not renew it.

    Raises:
        ConfigurationError: ``dsn`` is not a ``postgresql://`` address, or another argument can't be used.
    """

    async def work(
        self,
        recipe: Recipe,
        *,
        action: Action[Any] | Callable[[Any], Awaitable[Any]] | None = None,
        load: Load | None = None,
    ) -> JournalReport:
        """Take free shards of the job and run them, until none is left. For a worker that takes shards by itself.

        It waits for shards that other runs have. If one of them does not renew its lease, its shard is taken.

        Args:
            recipe: how to make the client.
            action: the action that the job was listed with, if it is not one of ``norce_order_async.bulk.actions``.
            load: the limits of this worker, or ``Shared``. By default, the rate that the job's workers share, or
                ``Adaptive()``.

        Returns:
            The report of the journal in the end.

        Raises:
            ConfigurationError: the client or the action can't be made here.
            JournalError: there is no such job, it was not split into shards, or the database was away for too long.
        """
        return await work_on(self, recipe, action=action, load=load)


def run_shard(
    recipe_json: str, journal_url: str, shard: int, *, action: AnyAction | None = None, load: Load | None = None
) -> None:
    """Run one shard of a job that :func:`spread` or ``norce-order bulk`` has listed. Blocking, for any worker.

    It may run any number of times, also at the same time: it waits for a shard that another run has, and does nothing
    if the shard is done. For example, as a task of Celery::

        @app.task(acks_late=True)
        def shard_of(number: int) -> None:
            run_shard(os.environ["RECIPE"], os.environ["JOURNAL"], number)

    Args:
        recipe_json: ``norce.recipe().to_json()``.
        journal_url: ``PostgresJournal(...).url``.
        shard: the number of the shard, from 1 to the number of shards.
        action: the action that the job was listed with, if it is not one of ``norce_order_async.bulk.actions``.
        load: the limits of this run, or ``Shared``. By default, the rate that the job's workers share, or
            ``Adaptive()``.

    Raises:
        ConfigurationError: an argument can't be used, the client can't be made here, or an event loop runs in this
            thread.
        JournalError: there is no such job, it is not listed yet, or the database was away for too long.
    """
    recipe = Recipe.from_json(recipe_json)
    check_kind("journal_url", journal_url, str, "a string", ConfigurationError)
    journal = PostgresJob.from_url(journal_url)
    check_whole("shard", shard, 1, ConfigurationError)
    check_load(load)
    if running() is not None:
        raise ConfigurationError(
            "run_shard(...) blocks: in async code, call it in a thread, or await journal.work(...)"
        )
    anyio.run(run, recipe, journal, shard, action, load)
