"""Code of a user's around calls and around attempts.

A call middleware runs once per call of the facade, outside the loop: around all attempts, read-backs and sleeps. It
sees the call's outcome as an :class:`Answer` or as the error that the caller gets, and gives an ``Answer`` back.

An attempt middleware runs once per attempt, inside the loop, in the send's own task: after the permit was given and the
token added, right around the engine. It sees the request as it goes out and may send a changed copy; it sees every
answer, 4xx and 5xx too, and the engine's two exceptions. What it raises besides these counts as *unknown* once it has
sent, as *not sent* before that; so does giving back anything but a ``WireResponse``.

Both get the next step as a function that may be awaited once: sending twice from here would undo what the pipeline
guarantees. The first middleware given is the outermost.
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
    """Refuse, at construction, what could not be called later.

    Raises:
        ConfigurationError: they are no list, or one of them is no async function of so many parameters; the text
            names it.
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
    """What runs when it is called: for an object its ``__call__``, in which ``inspect`` does not look."""
    return one if isinstance(one, _FUNCTIONS) else getattr(one, "__call__", None)  # noqa: B004


class _Once:
    """The next step, which may be taken once."""

    __slots__ = ("_step", "taken", "undone")

    def __init__(self, step: Callable[..., Awaitable[Any]]) -> None:
        self._step = step
        self.taken = False
        self.undone = False
        """Whether it was taken and ended before the first byte."""

    async def __call__(self, *arguments: Any) -> Any:
        if self.taken:
            raise RuntimeError("a middleware may go on only once: the pipeline alone repeats")
        self.taken = True
        try:
            return await self._step(*arguments)
        except UnsentError:
            self.undone = True
            raise


async def through_call(middleware: Sequence[CallMiddleware], call: CallInfo, run: CallNext) -> Answer:
    """Run a call inside its middleware."""
    step: Callable[[], Awaitable[Any]] = run
    for one in reversed(middleware):
        step = functools.partial(one, call, _Once(step))
    answer = await step()
    if not isinstance(answer, Answer):
        raise TypeError(
            f"{call.operation} was carried out, but a call middleware gave back {type(answer).__name__} instead of "
            "the answer it was given"
        )
    return answer


async def through_attempt(
    middleware: Sequence[AttemptMiddleware], attempt: AttemptInfo, request: WireRequest, send: AttemptNext
) -> WireResponse:
    """Send once inside the middleware; nothing but the engine's two exceptions comes out."""
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
        # A middleware's own, or one of another send of its making; this one's request is gone.
        raise MaybeSentError("read", "an attempt middleware raised UnsentError after the send") from error
    except Exception as error:
        raise _failed(innermost, f"raised {type(error).__name__}") from error
    if not isinstance(response, WireResponse):
        raise _failed(innermost, f"gave back {type(response).__name__} instead of a WireResponse")
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
