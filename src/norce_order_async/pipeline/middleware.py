"""The user's code around calls and around attempts.

A call middleware runs once per call, around all its attempts, read-backs and sleeps. It sees the call's outcome as an
:class:`Answer` or as the error that the caller gets, and returns an ``Answer``.

An attempt middleware runs once per attempt, in the task of the send: after the permit was given and the token added,
right around the engine. It sees the request as it is sent and may send a changed copy. It sees every answer, 4xx and
5xx too, and the engine's two exceptions. If it raises another exception or returns anything but a ``WireResponse``, the
outcome is *unknown* if it has sent, and *not sent* otherwise.

Both get the next step as a function that may be awaited once: a second send from there would break what the pipeline
guarantees. The first middleware in the list is the outermost.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any, Protocol

from norce_order_async.engines.base import MaybeSentError, SendError, UnsentError, WireRequest, WireResponse
from norce_order_async.errors import ConfigurationError
from norce_order_async.pipeline.answer import Answer


@dataclass(frozen=True, slots=True)
class CallInfo:
    """The call that a call middleware is called for.

    Example::

        async def show_calls(call: CallInfo, proceed: CallNext) -> Answer:
            print(call.operation, call.order_id)
            return await proceed()

        NorceOrderClient(..., call_middleware=[show_calls])
    """

    operation: str
    """The operation's name in the API description."""
    order_id: str | None
    merchant: str
    channel: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """The attempt that an attempt middleware is called for.

    Example::

        async def sign(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext) -> WireResponse:
            headers = {**request.headers, "x-attempt": str(attempt.number)}
            return await proceed(replace(request, headers=headers))

        NorceOrderClient(..., attempt_middleware=[sign])
    """

    call: CallInfo
    number: int
    """Counts from 1."""


CallNext = Callable[[], Awaitable[Answer]]
AttemptNext = Callable[[WireRequest], Awaitable[WireResponse]]


class CallMiddleware(Protocol):
    """An async function around every call.

    Example::

        async def show_calls(call: CallInfo, proceed: CallNext) -> Answer:
            print(call.operation, call.order_id)
            return await proceed()

        NorceOrderClient(..., call_middleware=[show_calls])
    """

    async def __call__(self, call: CallInfo, proceed: CallNext, /) -> Answer:
        """Await ``proceed()`` for the answer, and return it or another."""
        ...


class AttemptMiddleware(Protocol):
    """An async function around every attempt.

    Example::

        async def sign(attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext) -> WireResponse:
            headers = {**request.headers, "x-attempt": str(attempt.number)}
            return await proceed(replace(request, headers=headers))

        NorceOrderClient(..., attempt_middleware=[sign])
    """

    async def __call__(self, attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        """Await ``proceed(request)``, with this request or a changed one, and return the response."""
        ...


class Telemetry(Protocol):
    """A pair of middlewares that belong together, such as :class:`norce_order_async.telemetry.OpenTelemetry`."""

    @property
    def call(self) -> CallMiddleware:
        """Goes around every call, outside all other middleware."""
        ...

    @property
    def attempt(self) -> AttemptMiddleware:
        """Goes around every attempt, inside all other middleware."""
        ...


def check_middleware(name: str, given: Sequence[object], parameters: int) -> None:
    """Check middleware when the client is made, so that calls do not fail later.

    Raises:
        ConfigurationError: ``given`` is not a list, or one of its items is not an async function with this many
            parameters. The text names it.
    """
    if not isinstance(given, list | tuple):
        raise ConfigurationError(f"{name} must be a list or tuple of async functions, not {type(given).__name__}")
    for one in given:
        called = _called(one)
        label = f"{name} {getattr(one, '__qualname__', type(one).__name__)}"
        if isinstance(one, type) or not inspect.iscoroutinefunction(called):
            raise ConfigurationError(f"{label} must be an async function")
        try:
            inspect.signature(called).bind(*range(parameters))
        except TypeError:
            raise ConfigurationError(f"{label} must take {parameters} positional arguments") from None


_FUNCTIONS: tuple[type, ...] = (FunctionType, MethodType, functools.partial)


def _called(one: object) -> Any:
    """The function that runs when it is called: for an object its ``__call__``, which ``inspect`` does not check."""
    return one if isinstance(one, _FUNCTIONS) else getattr(one, "__call__", None)  # noqa: B004


class _Once:
    """The next step, which may be awaited once."""

    __slots__ = ("_step", "taken", "undone")

    def __init__(self, step: Callable[..., Awaitable[Any]]) -> None:
        self._step = step
        self.taken = False
        self.undone = False
        """Whether it was awaited and ended before the first byte."""

    async def __call__(self, *arguments: Any) -> Any:
        if self.taken:
            raise RuntimeError("a middleware may await the next step only once: only the client repeats attempts")
        self.taken = True
        try:
            return await self._step(*arguments)
        except UnsentError:
            self.undone = True
            raise


async def through_call(middleware: Sequence[CallMiddleware], call: CallInfo, run: CallNext) -> Answer:
    """Run a call inside its middleware.

    Raises:
        TypeError: a middleware returned something other than an ``Answer``.
    """
    step: Callable[[], Awaitable[Any]] = run
    for one in reversed(middleware):
        step = functools.partial(one, call, _Once(step))
    answer = await step()
    if not isinstance(answer, Answer):
        raise TypeError(
            f"{call.operation} was carried out, but a call middleware returned {type(answer).__name__} instead of the "
            "answer"
        )
    return answer


async def through_attempt(
    middleware: Sequence[AttemptMiddleware], attempt: AttemptInfo, request: WireRequest, send: AttemptNext
) -> WireResponse:
    """Send once inside the middleware.

    Raises:
        UnsentError, MaybeSentError: as the engine raises them. Every other exception of a middleware becomes one of
            them.
    """
    innermost = _Once(send)
    step: AttemptNext = innermost
    for one in reversed(middleware):
        following = step if step is innermost else _Once(step)
        step = functools.partial(_apply, one, attempt, following)
    try:
        response: object = await step(request)
    except MaybeSentError:
        raise
    except UnsentError as error:
        if not innermost.taken or innermost.undone:
            raise
        # A middleware raised it, perhaps for another send of its own; this request may have been sent.
        raise MaybeSentError("read", "an attempt middleware raised UnsentError after the send") from error
    except Exception as error:
        raise _failed(innermost, f"raised {type(error).__name__}") from error
    if not isinstance(response, WireResponse):
        raise _failed(innermost, f"returned {type(response).__name__} instead of a WireResponse")
    return response


def _failed(innermost: _Once, how: str) -> SendError:
    reason = f"an attempt middleware {how}"
    if innermost.taken and not innermost.undone:
        return MaybeSentError("read", reason)
    return UnsentError("middleware", reason)


async def _apply(
    one: AttemptMiddleware, attempt: AttemptInfo, following: AttemptNext, request: WireRequest
) -> WireResponse:
    return await one(attempt, request, following)
