"""The common parts of hooks, validations and notifications: bodies, budgets, limits, and records of calls."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import anyio

from norce_order_async.adapter.answers import HttpAnswer, error_answer
from norce_order_async.adapter.bodies import MAX_BODY, id_in, read_order_in_thread
from norce_order_async.adapter.records import Counts, Denials
from norce_order_async.adapter.routing import Admitted, Refused
from norce_order_async.display import printable, shown
from norce_order_async.errors import NorceError
from norce_order_async.runtime.loop import runs_on_trio
from norce_order_async.scope import Scope, session_of

logger = logging.getLogger("norce_order_async.adapter")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

LATE: Final = object()
"""The result of a handler that took longer than its budget."""


class AdapterTelemetry(Protocol):
    """Records the calls that an adapter answers, as ``norce_order_async.telemetry.OpenTelemetry`` does.

    Example::

        telemetry: AdapterTelemetry = OpenTelemetry()
        adapter = norce.adapter("erp", secret=os.environ["ERP_PATH_SECRET"], telemetry=telemetry)
    """

    def received(
        self, kind: str, route: str, attributes: Mapping[str, str], trace: Mapping[str, str], /
    ) -> AbstractContextManager[Callable[[str, int], None]]:
        """A context manager around a call. It yields a function that is called with the outcome and the status."""
        ...

    def inbox(self, adapter_id: str, depth: int, oldest: float, /) -> None:
        """Record the number of entries that are still to be handled, and the age of the oldest in seconds."""
        ...


class StrayCancelError(NorceError):
    """A handler waited for something that was cancelled, without being cancelled itself."""


class Read:
    """The body of an admitted call."""

    __slots__ = ("body", "data", "order_id")

    def __init__(self, body: bytes, data: dict[str, Any], order_id: str) -> None:
        self.body = body
        self.data = data
        self.order_id = order_id


class AdapterCore:
    """The objects that all calls of one adapter share.

    Args:
        scope: a scope with the adapter's id.
        adapter_id: that id.
    """

    def __init__(self, scope: Scope, adapter_id: str) -> None:
        core = session_of(scope).core
        self.adapter_id = adapter_id
        self.clock = core.clock
        self.drift = core.drift
        self.counts = Counts()
        self.denials = Denials()
        self._scope = scope
        self._scopes: dict[tuple[str, str], Scope] = {}

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.fromtimestamp(self.clock.wall(), UTC)

    def scope_for(self, merchant: str, channel: str) -> Scope:
        """The scope with which a handler makes calls."""
        scope = self._scopes.get((merchant, channel))
        if scope is None:
            scope = self._scope.scoped(merchant=merchant, channel=channel)
            self._scopes[merchant, channel] = scope
        return scope

    def refused(self, refused: Refused) -> HttpAnswer:
        """Count a call that reaches no handler, and return its answer; the first of a kind is logged."""
        if self.counts.add(f"refused.{refused.reason}") == 1:
            logger.warning(
                "the adapter %s refused a call (%s); later ones are counted in adapter.counts",
                shown(self.adapter_id),
                refused.reason,
            )
        return refused.answer

    def failed(self, what: str, order_id: str, error: BaseException) -> None:
        """Log the error that a handler raised, with its traceback."""
        logger.error("%s of order %s failed", printable(what), shown(order_id), exc_info=error)

    async def read(self, admitted: Admitted, receive: Receive) -> Read | HttpAnswer | None:
        """Read the body of a call. Returns the answer if the call is refused, and None if its caller has left."""
        body = await _body(receive)
        if body is None:
            self.counts.add("refused.disconnected")
            return None
        if len(body) > MAX_BODY:
            return self.refused(Refused("size", TOO_LARGE))
        data = await read_order_in_thread(body)
        if data is None:
            return self.refused(Refused("json", _NOT_JSON))
        order_id, said = admitted.order_id, id_in(data)
        if said is None:
            self.drift.add(admitted.route.source, "OrderData.id", "missing")
        elif order_id.startswith("{"):
            # The service did not fill in the placeholder of the address.
            self.drift.add(admitted.route.source, "address", "placeholder")
            order_id = said
        if order_id.startswith("{") or (said is not None and said != order_id):
            return self.refused(Refused("id", WRONG_ORDER))
        return Read(body, data, order_id)

    async def within(self, deadline: float | None, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return the result of ``work``, or :data:`LATE` if it takes longer than the deadline, which cancels it.

        Raises:
            StrayCancelError: something that ``work`` waited for was cancelled.
            Exception: any error that ``work`` raised.
        """
        clock = self.clock
        given: Any = LATE
        try:
            with clock.move_on_after(None if deadline is None else max(0.0, deadline - clock.monotonic())):
                given = await work()
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise StrayCancelError("the handler waited for something that was cancelled") from error
        # A handler that never awaits is not cancelled, but is late all the same.
        return LATE if deadline is not None and clock.monotonic() > deadline else given


class HandlerLimit:
    """Limits how many handlers run at the same time. It is not bound to an event loop.

    Args:
        most: handlers at the same time, at most.
    """

    __slots__ = ("_most", "_running", "_waiting")

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0
        self._waiting: deque[anyio.Event] = deque()

    @property
    def busy(self) -> bool:
        """Whether as many handlers run as may."""
        return self._running >= self._most

    @contextmanager
    def taken(self) -> Generator[None]:
        """Count a handler that runs inside. It does not wait: check :attr:`busy` before."""
        self._running += 1
        try:
            yield
        finally:
            self._give_back()

    async def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run ``work`` as soon as it may, first come, first served."""
        if self.busy or self._waiting:
            await self._wait()
        else:
            self._running += 1
        try:
            return await work()
        finally:
            self._give_back()

    async def _wait(self) -> None:
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self._give_back()
            else:
                self._waiting.remove(turn)
            raise

    def _give_back(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()  # the next one takes its place
        else:
            self._running -= 1


TOO_LARGE: Final = error_answer(413, "too-large", f"A body may have {MAX_BODY} bytes.")
_NOT_JSON: Final = error_answer(400, "not-json", "The body is not a JSON object, or is nested too deeply.")
WRONG_ORDER: Final = error_answer(400, "wrong-order", "The address does not name the order of the body.")


async def _body(receive: Receive) -> bytes | None:
    """Read the body, up to a little more than is allowed; None if the caller has left."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        chunks.append(chunk)
        if size > MAX_BODY or not message.get("more_body", False):
            return chunk if len(chunks) == 1 else b"".join(chunks)


def _is_cancelled() -> bool:
    """Whether this task is cancelled, and not one that the handler waited for."""
    task = None if runs_on_trio() else asyncio.current_task()
    return task is None or task.cancelling() > 0
