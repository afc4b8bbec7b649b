"""The view of a client for one merchant, channel and adapter: its orders, its jobs, and views of other channels.

The client itself is a scope; :meth:`Scope.scoped` makes light ones that share everything else with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from norce_order_async.checking import check_whole
from norce_order_async.context import HeaderValue, Omit
from norce_order_async.errors import ConfigurationError
from norce_order_async.pipeline.response import DriftRecord
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import INHERIT, CallOptions

if TYPE_CHECKING:
    from pathlib import Path

    from norce_order_async._api import Client
    from norce_order_async.bulk.job import Job
    from norce_order_async.bulk.journal.place import PostgresJob
    from norce_order_async.bulk.load.limiters import Load
    from norce_order_async.bulk.shards.recipe import Recipe
    from norce_order_async.orders.collection import OrderCollection


class Scope:
    """A light view of a client for one merchant, channel and adapter.

    It shares everything else with the client::

        norway = norce.scoped(channel="no")
        page = await norway.orders.list(limit=10)
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._orders: OrderCollection | None = None

    @property
    def orders(self) -> OrderCollection:
        """The orders of this merchant and channel."""
        if self._orders is None:
            # Imported here: a third of the modules that calls need, and making a client does not need them.
            from norce_order_async.orders.collection import OrderCollection

            self._orders = OrderCollection(self._session)
        return self._orders

    @property
    def merchant(self) -> str:
        """The merchant that calls are made for, sent as ``x-merchant``."""
        return self._session.context.merchant

    @property
    def channel(self) -> str:
        """The channel that calls are made for, sent as ``x-channel``."""
        return self._session.context.channel

    @property
    def adapter_id(self) -> str | None:
        """The adapter that makes the calls, sent as ``x-adapterid``; None when none is set."""
        return self._session.context.adapter_id

    @property
    def base_url(self) -> str:
        """The address before ``/api/v0``."""
        return self._session.core.base_url

    @property
    def engine(self) -> str:
        """The HTTP engine that sends: ``"aiohttp"``, ``"httpx"``, ``"httpx2"`` or the name of your own.

        With ``engine="auto"`` this is ``"auto"`` until an event loop runs. If you gave a function that makes
        the engine, it is ``"auto"`` until the first call.
        """
        return self._session.core.engine_name

    @property
    def drift(self) -> DriftRecord:
        """Differences between the service's answers and the API description, counted by operation and field."""
        return self._session.core.drift

    @property
    def raw(self) -> Client:
        """The generated client, configured with this address and token, for the generated modules.

        Their functions take ``client=norce.raw`` and the headers as arguments. Calls skip the pipeline: no retries, no
        limiter, no deadline, and failures are plain httpx errors. TLS, certificate and proxy are those of this client;
        your own ``http_client`` is not used. Each access makes a new client; close it with its own ``async with``.
        """
        from norce_order_async.raw import raw_client

        return raw_client(self._session.core)

    def scoped(
        self,
        *,
        merchant: str | None = None,
        channel: str | None = None,
        adapter_id: str | Literal[Omit.OMIT] | None = None,
        headers: Mapping[str, HeaderValue] | None = None,
        options: CallOptions | None = None,
        max_in_flight: int | None = None,
        retry_budget: int | None = None,
    ) -> Scope:
        """A light view with some values changed. None keeps a value; ``OMIT`` leaves an adapter id or a header out.

        The view shares connections, token and drift record with this one. It also shares limiter and retry budget,
        unless you pass ``max_in_flight`` (attempts) or ``retry_budget`` (tokens). A pause that the service asked for
        holds for all views.

        Raises:
            ConfigurationError: a value is empty or can't be a header, or a limit is not a whole number.
            InvalidRequestError: ``options`` is not ``CallOptions``.
        """
        check_limits(max_in_flight, retry_budget)
        session = self._session if options is None else self._session.scoped(options)
        return Scope(
            session.scoped(
                CallOptions(
                    adapter_id=INHERIT if adapter_id is None else adapter_id,
                    headers=INHERIT if headers is None else headers,
                ),
                merchant=merchant,
                channel=channel,
                max_in_flight=max_in_flight,
                retry_budget=retry_budget,
            )
        )

    def bulk(
        self,
        journal: str | Path | PostgresJob | None = None,
        *,
        load: Load | None = None,
        ordered: bool = False,
        failure_limit: float | None = None,
        dry_run: bool = False,
        grace: float = 30.0,
        options: CallOptions | None = None,
        partition: tuple[int, int] | None = None,
        allow_production: bool = False,
        resume: bool = False,
        duplicates: Literal["skip", "allow"] = "skip",
        max_remembered: int = 1_000_000,
    ) -> Job:
        """A job over many orders, for use with ``async with``.

        Its calls have no deadline, wait up to 20 s between attempts, and have a retry budget and a limiter of their
        own. A setting in ``options`` wins over that.

        Args:
            journal: a file that records the items and their outcomes, so that a job that was stopped or killed can
                continue; or a ``PostgresJournal``, with which any machine can go on with it.
            load: ``Adaptive()`` by default; ``Fixed(...)`` for a known concurrency or rate.
            ordered: whether outcomes come in the order of the source.
            failure_limit: refused and unknown items, as a count (an int) or a share (a float), beyond which the job
                ends.
            dry_run: only read each order and report what would be done; the journal is not touched.
            grace: seconds that calls in flight have to end when the job is stopped.
            options: options for the calls of the job.
            partition: ``(index, of)``, counted from 1: only this part of the keys, by a hash of the key.
            allow_production: permission to change orders in production.
            resume: whether a filter may be run again with a finished journal. By default that is an error, because
                nothing would be done for the orders that the filter matches now.
            duplicates: what to do when the source names an order twice with the same row: ``"skip"`` passes it over and
                counts it (``summary.duplicates``), ``"allow"`` does it again. An order that comes again with another
                row is refused.
            max_remembered: how many orders a job without a journal remembers to find duplicates, at about 22 bytes
                each, or 42 where the action has columns. A job with more orders stops.

        Raises:
            ConfigurationError: a value is out of range or of the wrong type.
        """
        from norce_order_async.bulk.job import Job

        return Job(
            self._session,
            journal=journal,
            load=load,
            ordered=ordered,
            failure_limit=failure_limit,
            dry_run=dry_run,
            grace=grace,
            options=options,
            partition=partition,
            allow_production=allow_production,
            resume=resume,
            duplicates=duplicates,
            max_remembered=max_remembered,
        )

    def recipe(self, *, token: str = "env:NORCE_TOKEN") -> Recipe:  # noqa: S107 - where a token is
        """How another process makes this client: address, merchant, channel and adapter. It holds no token.

        Other arguments of this client are not in it: the other client has the defaults.

        Args:
            token: where the other process finds the token: ``"env:NAME"``, or ``"provider:package.module:name"``.

        Raises:
            ConfigurationError: ``token`` is not such a place, or the client has headers of its own, which may be
                secret, or an engine or ``http_client`` that was handed in.
        """
        from norce_order_async.bulk.shards.recipe import Recipe

        context = self._session.context
        if context.headers:
            raise ConfigurationError("a recipe holds no headers, which may be secret: make it of a client without any")
        if not self._session.core.loop_guard.rebuilds:
            raise ConfigurationError(
                "a recipe holds no engine and no http_client, so its workers would send by other ways than this "
                "client: make it of a client without one"
            )
        return Recipe(
            base_url=self._session.core.base_url,
            merchant=context.merchant,
            channel=context.channel,
            adapter_id=context.adapter_id,
            token=token,
        )

    def __repr__(self) -> str:
        if not hasattr(self, "_session"):  # its construction failed, and a tool shows the traceback
            return f"<{type(self).__name__}, not made>"
        context = self._session.context
        adapter = f", adapter_id={context.adapter_id!r}" if context.adapter_id else ""
        scope = f"merchant={context.merchant!r}, channel={context.channel!r}{adapter}"
        return f"<{type(self).__name__} {self.base_url} {scope}>"


def check_limits(max_in_flight: int | None, retry_budget: int | None) -> None:
    """Refuse wrong limits of a client or a scope; None means "not given".

    Raises:
        ConfigurationError: one is not a whole number, or too small.
    """
    if max_in_flight is not None:
        check_whole("max_in_flight", max_in_flight, 1, ConfigurationError)
    if retry_budget is not None:
        check_whole("retry_budget", retry_budget, 0, ConfigurationError)


def session_of(scope: Scope) -> Session:
    """The session that a client or a view of one makes its calls with. Internal: for this package and its tests."""
    return scope._session  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
