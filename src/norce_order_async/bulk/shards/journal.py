"""The journal of a job that several machines share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from norce_order_async.bulk.actions.base import Action
from norce_order_async.bulk.journal.inspect import JournalReport
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.load.limiters import Load
from norce_order_async.bulk.shards.recipe import Recipe
from norce_order_async.bulk.shards.work import work_on


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
