"""What calls share: the parts of a client, and the scope that a call is made with."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from norce_order_async.auth.providers import StaysInProcess, Tokens
from norce_order_async.context import Context
from norce_order_async.engines.base import Engine
from norce_order_async.pipeline.creations import Creations
from norce_order_async.pipeline.events import Reporter
from norce_order_async.pipeline.home import Home, LoopGuard, Permits
from norce_order_async.pipeline.limiter import Limiter, Pause
from norce_order_async.pipeline.middleware import AttemptMiddleware, CallMiddleware
from norce_order_async.pipeline.operations import V0, Api, Operation
from norce_order_async.pipeline.request import Prepared, Requests
from norce_order_async.pipeline.response import DriftRecord
from norce_order_async.pipeline.retry import RetryBudget
from norce_order_async.pipeline.settings import CallOptions, Settings
from norce_order_async.pipeline.tasks import SendTasks
from norce_order_async.runtime.clock import Clock, Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Options of connections, both the engine's and the generated client's."""

    verify: ssl.SSLContext | bool = True
    cert: str | tuple[str, str] | None = None
    proxy: str | None = None
    trust_env: bool = False


@dataclass(frozen=True, slots=True)
class Core:
    """Shared by a client and everything scoped from it."""

    base_url: str
    loop_guard: LoopGuard
    auth: Tokens
    clock: Clock
    creations: Creations
    drift: DriftRecord
    product: str
    http: HttpOptions
    reporter: Reporter
    call_middleware: tuple[CallMiddleware, ...] = ()
    attempt_middleware: tuple[AttemptMiddleware, ...] = ()
    api: Api = V0

    @property
    def engine(self) -> Engine:
        """The engine of the client's current home."""
        return self.loop_guard.home.engine

    @property
    def sends(self) -> SendTasks:
        """The sends of the client's current home."""
        return self.loop_guard.home.sends

    @property
    def pause(self) -> Pause:
        """The pause that the service asked for, of the client's current home."""
        return self.loop_guard.home.pause

    @property
    def user_agent(self) -> str:
        """The names of the product and the engine. An engine that depends on the loop has a name once a loop runs."""
        return f"{self.product} {self.engine.name}"

    @property
    def engine_name(self) -> str:
        """The engine's name; ``"auto"`` if there is no engine yet."""
        home = self.loop_guard.home
        return home.engine.name if home.has_engine else "auto"


def permits_for(max_in_flight: int, clock: Clock) -> Permits:
    """The permits of a client or a scope."""
    return Permits(lambda pause: Limiter(max_in_flight, clock, pause))


class CallScope(StaysInProcess):
    """Everything that a call needs: the shared parts of its client, a context and settings."""

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
        """The home that ``_requests`` was made for: its engine is in their User-Agent."""

    @property
    def limiter(self) -> Limiter:
        """The limiter of the client's current home."""
        return self.permits.at(self.core.loop_guard.home)

    def deadline(self, options: CallOptions | None = None) -> Deadline:
        """A deadline for several calls that belong together; not started yet."""
        settings = self.settings if options is None else self.settings.changed(options)
        return Deadline(self.core.clock, settings.deadline)

    def prepare(
        self,
        operation: Operation,
        path: Mapping[str, str],
        query: Mapping[str, Any] | None,
        body: Any,
        correlation_id: str | None = None,
    ) -> Prepared:
        """The request of a call, as bytes and headers.

        Raises:
            InvalidRequestError: it can't be sent like this.
        """
        if self._requests_for is not self.core.loop_guard.home or self._requests is None:
            # Made here and not earlier, because the engine may depend on the running loop.
            self._requests = Requests(self.core.base_url, self.context, self.core.user_agent, self.core.api)
            self._requests_for = self.core.loop_guard.home
        return self._requests.prepare(operation, path, query, body, correlation_id)
