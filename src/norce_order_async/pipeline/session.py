"""What calls need: the parts a client shares with all its scopes, and one scope's view of them."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from norce_order_async.auth.providers import StaysInProcess, Tokens
from norce_order_async.context import Context
from norce_order_async.engines.base import Engine
from norce_order_async.errors import InvalidRequestError
from norce_order_async.pipeline.answer import Answer
from norce_order_async.pipeline.call import Call
from norce_order_async.pipeline.creations import Creation, Creations, Flight, lasts
from norce_order_async.pipeline.events import CallEvent, Reporter
from norce_order_async.pipeline.home import Door, Home, Permits
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.pipeline.middleware import AttemptMiddleware, CallMiddleware, through_call
from norce_order_async.pipeline.operations import Operation
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.request import Prepared, Requests
from norce_order_async.pipeline.response import DriftRecord
from norce_order_async.pipeline.retry import RetryBudget
from norce_order_async.pipeline.settings import CallOptions, Settings
from norce_order_async.pipeline.tasks import SendTasks
from norce_order_async.runtime.clock import Clock
from norce_order_async.runtime.deadline import Deadline

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How connections are made, for the engine and for the generated client alike."""

    verify: ssl.SSLContext | bool = True
    cert: str | tuple[str, str] | None = None
    proxy: str | None = None
    trust_env: bool = False


Answers = list[Answer]

CAPTURED: ContextVar[Answers | None] = ContextVar("norce_order_async.captured", default=None)
"""Where the answers of calls are collected, when somebody asked for them."""


@dataclass(frozen=True, slots=True)
class Core:
    """Shared by a client and everything scoped from it."""

    base_url: str
    door: Door
    auth: Tokens
    clock: Clock
    creations: Creations
    drift: DriftRecord
    product: str
    http: HttpOptions
    telling: Reporter
    call_middleware: tuple[CallMiddleware, ...] = ()
    attempt_middleware: tuple[AttemptMiddleware, ...] = ()

    @property
    def engine(self) -> Engine:
        """What sends, at the client's home of this moment; so are the two below."""
        return self.door.home.engine

    @property
    def owned(self) -> SendTasks:
        """The sends that are made there."""
        return self.door.home.owned

    @property
    def pause(self) -> Pause:
        """The pause that the service asked for there."""
        return self.door.home.pause

    @property
    def user_agent(self) -> str:
        """Product and engine; an engine that is chosen by the loop has its name once one runs."""
        return f"{self.product} {self.engine.name}"

    @property
    def engine_name(self) -> str:
        """The engine's, when there is one already."""
        home = self.door.home
        return home.engine.name if home.has_engine else "auto"


def permits_for(max_in_flight: int, clock: Clock) -> Permits:
    """The permits of a client or a scope."""
    return Permits(lambda pause: Limiter(max_in_flight, clock, pause))


class Session(StaysInProcess):
    """Makes calls for one context with one set of numbers."""

    __slots__ = ("_requests", "_requests_for", "budget", "context", "core", "permits", "settings", "timeouts")

    def __init__(self, core: Core, context: Context, settings: Settings, permits: Permits, budget: RetryBudget) -> None:
        self.core = core
        self.context = context
        self.settings = settings
        self.permits = permits
        self.budget = budget
        self.timeouts = settings.timeouts
        self._requests: Requests | None = None
        self._requests_for: Home | None = None
        """The home whose engine they name."""

    @property
    def limiter(self) -> Limiter:
        """The limiter, at the client's home of this moment."""
        return self.permits.at(self.core.door.home)

    def scoped(
        self,
        options: CallOptions,
        *,
        merchant: str | None = None,
        channel: str | None = None,
        max_in_flight: int | None = None,
        retry_budget: int | None = None,
    ) -> Session:
        """A view with some of it changed; everything else is shared. With a limit or a budget given it has its own."""
        if not isinstance(options, CallOptions):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRequestError(f"options must be CallOptions, not {type(options).__name__}")
        headers = options.header_changes()
        context = self.context.changed(
            merchant=merchant, channel=channel, adapter_id=options.adapter_id, headers=headers
        )
        scoped = Session(
            self.core,
            context,
            self.settings.changed(options),
            self.permits if max_in_flight is None else permits_for(max_in_flight, self.core.clock),
            self.budget if retry_budget is None else RetryBudget(retry_budget),
        )
        if context is self.context:
            scoped._requests, scoped._requests_for = self._requests, self._requests_for
        return scoped

    def deadline(self, options: CallOptions | None = None) -> Deadline:
        """A deadline for several calls that belong together; not started yet."""
        settings = self.settings if options is None else self.settings.changed(options)
        return Deadline(self.core.clock, settings.deadline)

    def creation(
        self, operation: Operation, order_id: str | None, body: object, options: CallOptions | None
    ) -> Creation | None:
        """What a call is to create in this scope; None when nothing tells it from others."""
        known_by = operation.known_by(body)
        if known_by is None:
            return None
        settings = self.settings if options is None else self.settings.changed(options)
        key = (self.context.merchant, self.context.channel, order_id, *known_by)
        return Creation(key, operation, order_id, lasts(settings))

    async def share(
        self,
        creation: Creation,
        work: Callable[[Flight[T]], Awaitable[tuple[T, bool]]],
        options: CallOptions | None,
    ) -> tuple[T, bool]:
        """What ``work`` comes to, done once for all of the client who ask for the same at once, and whether it was
        created, which is told to one of them.

        Raises:
            NotSentError: this is not the client's event loop, among others.
            CallError: it did not succeed, or not within the deadline of this caller.
        """
        # The flights of another event loop are no longer there once the client has its home here.
        path = {} if creation.order_id is None else {"order_id": creation.order_id}
        home = self.core.door.enter(creation.operation.id, path)
        settings = self.settings if options is None else self.settings.changed(options)
        return await self.core.creations.share(creation, work, home.owned.start, settings)

    async def call(
        self,
        operation: Operation,
        path: Mapping[str, str],
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        options: CallOptions | None = None,
        before: Baseline | None = None,
        deadline: Deadline | None = None,
    ) -> Answer:
        """Make one call and see it through to an outcome.

        Args:
            operation: which one.
            path: the ids in its address.
            query: its query parameters, by the generated builder's names.
            body: a generated model or plain data in the API's spelling.
            options: what this call does differently.
            before: what was known of the order before, for settling an unknown outcome.
            deadline: one shared with other calls, instead of a deadline of its own.

        Raises:
            InvalidRequestError: it can't be sent like this; nothing was.
            NotSentError: this is not the client's event loop, among others.
            CallError: it did not succeed; the class says how.
        """
        if options is not None:
            scoped = self.scoped(options)
            return await scoped.call(operation, path, query=query, body=body, before=before, deadline=deadline)
        self.core.door.enter(operation.id, path)
        call = Call(self, self._prepared(operation, path, query, body), before, deadline)
        if not self.core.call_middleware and not self.core.telling.observers:
            answer = await call.run()
        else:
            answer = await self._watched(call)
        captured = CAPTURED.get()
        if captured is not None:
            captured.append(answer)
        return answer

    async def _watched(self, call: Call) -> Answer:
        core = self.core
        info = call.request.info(self.context)
        started = core.clock.monotonic()
        error: BaseException | None = None
        try:
            return await through_call(core.call_middleware, info, call.run)
        except BaseException as raised:
            error = raised
            raise
        finally:
            core.telling.call_ended(
                CallEvent(
                    operation=info.operation,
                    order_id=info.order_id,
                    merchant=info.merchant,
                    channel=info.channel,
                    correlation_id=info.correlation_id,
                    succeeded=error is None,
                    seconds=core.clock.monotonic() - started,
                    attempts=tuple(call.attempts),
                    error=None if error is None else type(error).__name__,
                )
            )

    async def read_back(
        self,
        operation: Operation,
        path: Mapping[str, str],
        query: Mapping[str, Any] | None,
        deadline: Deadline,
        correlation_id: str,
    ) -> Answer:
        """A safe call inside another one: under its deadline and correlation id, and not a call of its own to
        middleware."""
        request = self._prepared(operation, path, query, None, correlation_id)
        return await Call(self, request, None, deadline).run()

    def _prepared(
        self,
        operation: Operation,
        path: Mapping[str, str],
        query: Mapping[str, Any] | None,
        body: Any,
        correlation_id: str | None = None,
    ) -> Prepared:
        if self._requests_for is not self.core.door.home or self._requests is None:
            # Not sooner: which engine there is may depend on the loop that runs.
            self._requests = Requests(self.core.base_url, self.context, self.core.user_agent)
            self._requests_for = self.core.door.home
        return self._requests.prepare(operation, path, query, body, correlation_id)
