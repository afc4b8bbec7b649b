"""A job over many orders: the class that callers use.

``async with client.bulk(...) as job`` opens the journal; ``async for outcome in job.run(source, action)`` works
through the source; leaving the ``async with``, for whatever reason, stops the job and closes the journal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sized
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args

import anyio

from norce_order_async.auth.providers import StaysInProcess
from norce_order_async.bulk.actions.base import Action, action_of
from norce_order_async.bulk.duplicates import MAX_REMEMBERED
from norce_order_async.bulk.journal.journal import Journal
from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.journal.postgres import PostgresStore
from norce_order_async.bulk.journal.sqlite import SqliteStore
from norce_order_async.bulk.journal.store import Store
from norce_order_async.bulk.load.limiters import Adaptive, Fixed, Load
from norce_order_async.bulk.load.shared import Part, check_load
from norce_order_async.bulk.outcome import Summary
from norce_order_async.bulk.prepare import Plan
from norce_order_async.bulk.run import Run
from norce_order_async.bulk.source import Key, Partition, Source
from norce_order_async.checking import as_given, check_number, path_of
from norce_order_async.engines.base import Engine, asks_before_first_byte
from norce_order_async.environments import is_production
from norce_order_async.errors import ConfigurationError
from norce_order_async.pipeline.home import Home, Permits, forks
from norce_order_async.pipeline.limiter import Limiter
from norce_order_async.pipeline.retry import RetryBudget
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.pipeline.tasks import SendTasks

if TYPE_CHECKING:
    from norce_order_async.bulk.report.page import HtmlReport

T = TypeVar("T")

Duplicates = Literal["skip", "allow"]
"""What to do with an order that a source names again: skip it, or run the action on it each time."""

GRACE = 30.0
MAX_DELAY = 20.0
OTHER_LOAD = 50
"""Items that are worked on at once under a load without a known limit."""
OPERATION = "bulk"
"""The operation that an error names when a job can't be entered."""
_END_WITHIN = 5.0


class Job(StaysInProcess):
    """A job runs one action on each order and yields one outcome per order. Made by ``client.bulk(...)``.

    For example::

        async with norce.bulk("close.journal") as job:
            async for outcome in job.run(order_ids, actions.transition("completed")):
                print(outcome.key, outcome.verdict)
    """

    def __init__(
        self,
        session: Session,
        *,
        journal: str | Path | PostgresJob | None = None,
        load: Load | None = None,
        ordered: bool = False,
        failure_limit: float | None = None,
        dry_run: bool = False,
        grace: float = GRACE,
        options: CallOptions | None = None,
        partition: tuple[int, int] | None = None,
        allow_production: bool = False,
        resume: bool = False,
        duplicates: Duplicates = "skip",
        max_remembered: int = MAX_REMEMBERED,
    ) -> None:
        check_load(load, alone=True)
        load = load or Adaptive()
        _check_failure_limit(failure_limit)
        check_number("grace", grace, "0 s or more", ConfigurationError)
        core = session.core
        changed = session.scoped(CallOptions(deadline=None, max_delay=MAX_DELAY))
        changed = changed if options is None else changed.scoped(options)
        permits = Permits(lambda pause: load.limiter(core.clock, pause))
        self._session = Session(core, changed.context, changed.settings, permits, RetryBudget())
        self._home: Home | None = None
        self._tasks = SendTasks(core.clock)
        self._workers = _at_once(load)
        self._place: Path | PostgresJob | None = None if journal is None else place_of(journal)
        self._journal: Journal | None = None
        self._ordered = ordered
        self._failure_limit = failure_limit
        self._dry_run = dry_run
        self._grace = grace
        self._partition = Partition.create(partition)
        self._allow_production = allow_production
        self._resume = resume
        self._allow_duplicates = _check_duplicates(duplicates, journaled=journal is not None) == "allow"
        # A journal finds duplicates without a bound. Its dry run opens no journal, but has no bound either.
        self._max_remembered = None if journal is not None else _check_max_remembered(max_remembered)
        self._entered = False
        self._run: Run[Any] | None = None
        self._stopped_before = ""
        """Why the job was stopped before it had a run; empty if it was not."""

    @property
    def limiter(self) -> Limiter:
        """The limiter of the job's calls: how many are in flight, the rate, and the seconds it was throttled."""
        return self._session.limiter

    @property
    def summary(self) -> Summary:
        """The counts of the job, also while it runs."""
        return Summary() if self._run is None else self._run.summary

    @property
    def journal(self) -> Path | PostgresJob | None:
        """Where the journal is; None without one."""
        return self._place

    def report(self) -> HtmlReport:
        """Return a report of what the job's journal holds: one HTML page, which a notebook shows.

        It can be called while the job runs. It reads the journal and blocks until it is done.

        Raises:
            ConfigurationError: the job has no journal.
            JournalError: the journal can't be read.
        """
        from norce_order_async.bulk.report.page import html_report

        if self._place is None:
            raise ConfigurationError("a job without a journal has no report: give it one, norce.bulk('close.journal')")
        return html_report(self._place)

    def run(
        self,
        source: Source | None,
        action: Action[T] | Callable[[Any], Awaitable[T]],
        *,
        key: Key = "order_id",
    ) -> Run[T]:
        """Run an action on every order of a source, and yield one outcome per order as it ends.

        With a journal, and for an ``OrderFilter``, the whole source is listed first. Otherwise it is read as the work
        goes on. Items that an earlier run of the journal finished are not yielded again.

        A journal that is not finished is continued. Its action, merchant, channel and filter must be the same, except
        ``date_from`` and ``date_to``: "up to two days ago" is another moment each night, so the job first finishes what
        the earlier run listed (stated in ``summary.note``). A list is compared with the journal; a filter, or a walk of
        ``norce.orders.iterate``, is not read again.

        Args:
            source: ids, handles, rows or an ``OrderFilter``; None continues with what is in the journal.
            action: one of ``norce_order_async.bulk.actions``, your own, or an async function that takes an order.
            key: the column of a row that holds the order's id, or a function that returns the id of an entry.

        Raises:
            ConfigurationError: the job was not entered or has a run already, a function without a name is used with a
                journal, or orders in production would be changed without ``allow_production``.

        The iteration raises ``ConfigurationError`` and ``InvalidRequestError`` for a source that can't be used,
        ``JournalError`` for its journal, and whatever ends the job as a whole, such as a token that is refused.
        Errors of single orders are in their outcomes.
        """
        if not self._entered or self._home is None:
            raise ConfigurationError("use the job with 'async with'")
        if self._run is not None:
            raise ConfigurationError("a job has one run: make another with client.bulk(...)")
        if source is None and self._journal is None:
            raise ConfigurationError("give a source; continuing without one needs a journal that was begun")
        # An item that waits for the journal's disk is not in flight: half as many more workers make up for it.
        workers = self._workers if self._journal is None else self._workers * 3 // 2
        chosen: Action[T] = action_of(action, journaled=self._journal is not None)
        guard_production(self._session, chosen, source, allowed=self._allow_production or self._dry_run)
        run = Run(
            Plan(
                session=self._session,
                action=chosen,
                source=source,
                key=key,
                partition=self._partition,
                workers=workers,
                ordered=self._ordered,
                failure_limit=self._failure_limit,
                dry_run=self._dry_run,
                resume=self._resume,
                allow_duplicates=self._allow_duplicates,
                max_remembered=self._max_remembered,
            ),
            self._journal,
            self._tasks,
            self._home,
        )
        self._run = run
        if self._stopped_before:
            run.stop(None, self._stopped_before)
        return run

    def stop(self, *, now: bool = False, why: str = "stopped") -> None:
        """Begin nothing new. Calls in flight may finish within the job's ``grace``; with ``now`` they are cancelled.

        The journal stays correct either way. Call it on the job's event loop.

        Args:
            now: whether to cancel calls in flight at once.
            why: the text for ``summary.stopped``.
        """
        if self._run is None:
            self._stopped_before = self._stopped_before or why
        else:
            self._run.stop(None if now else self._grace, why)

    async def __aenter__(self) -> Self:
        """Open the journal.

        Raises:
            NotSentError: this is not the client's event loop.
            ConfigurationError: another run may take over the journal, and the client's engine does not check for that
                right before it sends.
            JournalError: the journal can't be opened.
        """
        self._home = self._session.core.loop_guard.check(OPERATION, {})
        forks().watch(self)
        if not self._dry_run and (store := self._store()) is not None:
            if store.kept_back is not None:
                check_engine(self._home.engine)
            self._journal = await Journal.open(store, self._tasks)
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        if self._home is not None and not self._may_go_on(self._home):
            return
        try:
            if self._run is not None:
                self._run.leave()
                self.stop(now=error is not None, why="left early")
                await self._run.ended()
        finally:
            # Even when cancelled, write the journal's last lines, for a few seconds at most.
            if self._run is not None:
                self._run.stop(None, "left early")
            with anyio.CancelScope(shield=True):
                await self._tasks.drain(_END_WITHIN)
            if self._journal is not None:
                self._journal.close()

    def forked(self) -> None:
        """Called in a forked child, where the job can't be used: it runs on in the parent."""
        if self._journal is not None:
            self._journal.forked()

    def _store(self) -> Store | None:
        """A store for the journal, not taken yet; None without one."""
        if self._place is None:
            return None
        return PostgresStore(self._place) if isinstance(self._place, PostgresJob) else SqliteStore(self._place)

    def _may_go_on(self, home: Home) -> bool:
        """Whether the job may be left in the usual way.

        If its loop has ended, only its journal is closed; in a forked child, nothing.

        Raises:
            NotSentError: the job runs on another event loop.
        """
        if home.is_inherited:
            return False
        if home.is_over:
            if self._journal is not None:
                self._journal.close()
            return False
        self._session.core.loop_guard.check_same(home, "this job", OPERATION)
        return True


def check_engine(engine: Engine) -> None:
    """Reject an engine that does not check, right before it sends, whether its run still has the journal.

    Raises:
        ConfigurationError: the engine has no such check.
    """
    if not asks_before_first_byte(engine):
        raise ConfigurationError(
            f"the engine {engine.name} can't be held back right before it sends, which a journal in PostgreSQL needs: "
            "use httpx or aiohttp as a client makes them"
        )


def guard_production(session: Session, action: Action[Any], source: Source | None, *, allowed: bool) -> None:
    """Reject an action that would change orders in production, unless that is allowed.

    Raises:
        ConfigurationError: it would, and it is not allowed.
    """
    core, context = session.core, session.context
    if not action.writes or allowed or not is_production(core.base_url):
        return
    count = f"{len(source)} orders" if isinstance(source, Sized) else "orders"
    raise ConfigurationError(
        f"{action.name or 'this'} would change {count} of merchant {context.merchant}, channel {context.channel} "
        "in production: give allow_production=True if that is meant"
    )


def place_of(journal: object) -> Path | PostgresJob:
    """Return where the journal is, from what the user gave.

    Raises:
        ConfigurationError: it is neither a path nor a journal in a database. The error does not show an address, which
            may hold a password.
    """
    if isinstance(journal, PostgresJob):
        return journal
    if isinstance(journal, str) and journal.startswith(("postgresql:", "postgres:")):
        raise ConfigurationError("journal must be a path; for a database, give PostgresJournal(address, job=...)")
    return path_of("journal", journal)


def _at_once(load: Load) -> int:
    if isinstance(load, Adaptive | Part):
        return load.max_in_flight
    return load.in_flight if isinstance(load, Fixed) else OTHER_LOAD


def _check_failure_limit(limit: float | None) -> None:
    if limit is None:
        return
    words = "a count (an int), or a share from 0.0 to 1.0"
    check_number("failure_limit", limit, words, ConfigurationError)
    if isinstance(limit, float) and limit > 1:
        raise ConfigurationError(f"failure_limit must be {words}; got {limit}")


def _check_duplicates(duplicates: object, *, journaled: bool) -> object:
    if not isinstance(duplicates, str) or duplicates not in get_args(Duplicates):
        raise ConfigurationError(f"duplicates must be 'skip' or 'allow'; got {as_given(duplicates)}")
    if journaled and duplicates == "allow":
        raise ConfigurationError("a journal holds each order once: duplicates='allow' goes without one")
    return duplicates


def _check_max_remembered(most: object) -> int:
    if not isinstance(most, int) or most < 1:
        raise ConfigurationError(f"max_remembered must be a count of at least 1; got {as_given(most)}")
    return most
