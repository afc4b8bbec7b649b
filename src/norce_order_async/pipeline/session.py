"""Makes calls for one context with one set of settings, inside middleware, and reports them to observers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from norce_order_async.errors import InvalidRequestError
from norce_order_async.pipeline.answer import Answer
from norce_order_async.pipeline.call import Call
from norce_order_async.pipeline.core import CallScope, permits_for
from norce_order_async.pipeline.creations import Creation, Flight, lasts
from norce_order_async.pipeline.events import CallEvent
from norce_order_async.pipeline.middleware import through_call
from norce_order_async.pipeline.operations import Operation
from norce_order_async.pipeline.readback import Baseline
from norce_order_async.pipeline.retry import RetryBudget
from norce_order_async.pipeline.settings import CallOptions, context_with
from norce_order_async.runtime.clock import Deadline

T = TypeVar("T")


Answers = list[Answer]

_CAPTURED: ContextVar[Answers | None] = ContextVar("norce_order_async.captured", default=None)
"""Collects the answers of calls, inside :func:`capture_answers`."""


@contextmanager
def capture_answers() -> Generator[Answers]:
    """Collect the raw answers of all calls made inside, in this task and in tasks that it starts there.

    It yields a list to which each call that succeeds adds its :class:`Answer`::

        with capture_answers() as answers:
            report = await order.validate()
        answers[-1].status, answers[-1].headers, answers[-1].body, answers[-1].attempts
    """
    answers: Answers = []
    token = _CAPTURED.set(answers)
    try:
        yield answers
    finally:
        _CAPTURED.reset(token)


class Session(CallScope):
    """Makes calls for one context with one set of settings."""

    __slots__ = ()

    def scoped(
        self,
        options: CallOptions,
        *,
        merchant: str | None = None,
        channel: str | None = None,
        max_in_flight: int | None = None,
        retry_budget: int | None = None,
    ) -> Session:
        """A view with some values changed; everything else is shared. A given limit or budget is the view's own.

        Raises:
            InvalidRequestError: ``options`` is not ``CallOptions``.
            ConfigurationError: a value can't be a header.
        """
        if not isinstance(options, CallOptions):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRequestError(f"options must be CallOptions, not {type(options).__name__}")
        context = context_with(options, self.context.changed(merchant=merchant, channel=channel))
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

    def creation(
        self, operation: Operation, order_id: str | None, body: object, options: CallOptions | None
    ) -> Creation | None:
        """The entry or order that a call creates in this scope; None if nothing identifies it."""
        identity = operation.identity_of(body)
        if identity is None:
            return None
        settings = self.settings if options is None else self.settings.changed(options)
        key = (self.context.merchant, self.context.channel, order_id, *identity)
        return Creation(key, operation, order_id, lasts(settings))

    async def share(
        self,
        creation: Creation,
        work: Callable[[Flight[T]], Awaitable[tuple[T, bool]]],
        options: CallOptions | None,
    ) -> tuple[T, bool]:
        """Run ``work`` once for all callers who ask for the same at the same time.

        Returns:
            The result, and whether it was created. Only one caller gets True.

        Raises:
            NotSentError: nothing was sent, for example because this is not the client's event loop.
            CallError: it did not succeed, or not within the deadline of this caller.
        """
        # If the client moves to this event loop, the flights of the earlier one are dropped first.
        path = {} if creation.order_id is None else {"order_id": creation.order_id}
        home = self.core.loop_guard.check(creation.operation.id, path)
        settings = self.settings if options is None else self.settings.changed(options)
        return await self.core.creations.share(creation, work, home.sends.start, settings)

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
        """Make one call, with its repeats and read-backs.

        Args:
            operation: the operation to call.
            path: the ids in its address.
            query: its query parameters, by the generated builder's names.
            body: a generated model or plain data in the API's spelling.
            options: settings of this call.
            before: what was known of the order before, to settle an unknown outcome.
            deadline: a deadline shared with other calls, instead of one of its own.

        Raises:
            InvalidRequestError: it can't be sent like this; nothing was sent.
            NotSentError: nothing was sent, for example because this is not the client's event loop.
            CallError: it did not succeed; the class says how.
        """
        if options is not None:
            scoped = self.scoped(options)
            return await scoped.call(operation, path, query=query, body=body, before=before, deadline=deadline)
        self.core.loop_guard.check(operation.id, path)
        call = Call(self, self.prepare(operation, path, query, body), before, deadline)
        if not self.core.call_middleware and not self.core.reporter.observers:
            answer = await call.run()
        else:
            answer = await self._watched(call)
        captured = _CAPTURED.get()
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
            core.reporter.call_ended(
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
