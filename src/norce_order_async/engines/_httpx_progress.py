"""How far one send got inside httpx, and what a failure there means.

httpcore tells each step of a request to a callback, the ``trace`` extension. :class:`Progress` listens, so that
"no byte of the request left" is something seen and not guessed from a class name, and cuts httpcore's own timeouts to
what is left of the total while the send goes on. Only where no step is told (mocks, ASGI in process, foreign
transports, a full pool) does the exception's class decide. Classes are compared by name, because httpx2 has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from norce_order_async.engines._errors import OUT_OF_TIME, failure, refined
from norce_order_async.engines._httpx_stream import SendBounds
from norce_order_async.engines.base import MaybeSentError, SendError, UnsentError, WireRequest
from norce_order_async.errors import Phase
from norce_order_async.runtime.clock import Clock
from norce_order_async.runtime.timers import Alarms

_STEPS: Final[Mapping[str, Phase]] = {
    "connect_tcp.started": "connect",
    "connect_unix_socket.started": "connect",
    "start_tls.started": "tls",
    "send_request_headers.started": "write",
    "send_request_body.started": "write",
    "receive_response_headers.started": "read",
    "receive_response_body.started": "body",
}
_ON_THE_CONNECTION: Final = frozenset[Phase]({"write", "read", "body"})

_UNSENT_CLASSES: Final[Mapping[str, Phase]] = {
    "ConnectError": "connect",
    "ConnectTimeout": "connect",
    "ProxyError": "connect",
    "UnsupportedProtocol": "connect",
    "InvalidURL": "connect",
    "PoolTimeout": "pool",
}
_SENT_CLASSES: Final[Mapping[str, Phase]] = {
    "WriteError": "write",
    "WriteTimeout": "write",
    "DecodingError": "body",
}


class Progress:
    """What is known about one send; made anew for each."""

    __slots__ = ("_heads", "_phase", "answered", "bounds", "timeouts")

    def __init__(self, request: WireRequest, clock: Clock, alarms: Alarms | None) -> None:
        self.bounds = SendBounds(clock, request.total, request.timeouts.connect, alarms)
        bounds = request.timeouts if request.total is None else request.timeouts.cut(request.total)
        # httpcore reads this very dict at each step, which is what lets us shorten it under way.
        self.timeouts: dict[str, float] = {
            "connect": bounds.connect,
            "write": bounds.write,
            "read": bounds.read,
            "pool": bounds.pool,
        }
        self.answered = False
        self._phase: Phase | None = None
        self._heads = 0

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's callback: one call a step, ``"http11.send_request_headers.started"`` and the like."""
        step = event.partition(".")[2]
        phase = _STEPS.get(step)
        if phase is None:
            if step == "send_request_headers.failed" and _is(info["exception"], "LocalProtocolError"):
                # Refused by the protocol's state machine, which comes before the socket.
                self._heads -= 1
            return
        if phase in _ON_THE_CONNECTION and info["request"].method == b"CONNECT":
            # Talk with a proxy about a tunnel; the request itself waits.
            self._phase = "connect"
            return
        if step == "send_request_headers.started":
            if not self._heads and self.bounds.expired:
                # Its time was over while the loop was blocked: a request does not begin so late.
                raise UnsentError("connect", OUT_OF_TIME)
            self._heads += 1
            self.bounds.ask()
        self._phase = phase
        # Sockets of ours know by themselves what is left.
        self.timeouts["write"] = self.bounds.left(self.timeouts["write"])
        self.timeouts["read"] = self.bounds.left(self.timeouts["read"])

    def failure(self, exc: Exception, *, own_transport: bool) -> SendError:
        """What to raise for ``exc``, which came from the engine's own transport or from one that was passed in."""
        if self.answered:
            return failure(MaybeSentError, "body", exc)
        if self._heads:
            return failure(MaybeSentError, self._sent_phase(), exc)
        if self._phase == "write":
            return UnsentError("connect", f"the protocol does not allow this request: {type(exc).__name__}")
        if self._phase is not None:
            return failure(UnsentError, refined(self._unsent_phase(), exc), exc)
        for name in _class_names(exc):
            if name in _UNSENT_CLASSES and (own_transport or _speaks_for_itself(exc)):
                return failure(UnsentError, refined(_UNSENT_CLASSES[name], exc), exc)
            if name in _SENT_CLASSES:
                return failure(MaybeSentError, _SENT_CLASSES[name], exc)
        return failure(MaybeSentError, "read", exc)

    def timed_out(self) -> SendError:
        """What to raise when the total is over."""
        if self.answered:
            return MaybeSentError("body", OUT_OF_TIME)
        if self._heads:
            return MaybeSentError(self._sent_phase(), OUT_OF_TIME)
        if self._phase is not None:
            return UnsentError(self._unsent_phase(), OUT_OF_TIME)
        return MaybeSentError("read", OUT_OF_TIME)

    def _sent_phase(self) -> Phase:
        return "write" if self._phase == "write" else "read"

    def _unsent_phase(self) -> Phase:
        return "tls" if self._phase == "tls" else "connect"


def _class_names(exc: BaseException) -> Iterator[str]:
    return (cls.__name__ for cls in type(exc).__mro__)


def _is(exc: BaseException, name: str) -> bool:
    return name in _class_names(exc)


def _speaks_for_itself(exc: Exception) -> bool:
    """Whether a foreign transport's connect error, told without a single step, may be believed.

    httpcore's may, and so may one that nothing lies behind. A transport that translates another library's exceptions
    may not: one such reports a request the server has read as a connect timeout.
    """
    behind = exc.__cause__ or exc.__context__
    return behind is None or type(behind).__module__.startswith("httpcore")
