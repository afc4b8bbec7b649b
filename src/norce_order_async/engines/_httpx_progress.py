"""How far one send got inside httpx, and what a failure there means.

httpcore reports each step of a request to a callback, the ``trace`` extension. :class:`Progress` receives these
reports, so it knows whether a byte of the request was sent and need not guess from the class of an exception. It also
cuts httpcore's timeouts to the time left of the total while the send goes on. Where no step is reported (mocks, ASGI in
process, a user's transport, a full pool), the class of the exception decides. Classes are compared by name, because
httpx2 has its own.
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
    """The progress of one send; each send has its own."""

    __slots__ = ("_heads", "_phase", "_request", "answered", "bounds", "timeouts")

    def __init__(self, request: WireRequest, clock: Clock, alarms: Alarms | None) -> None:
        self.bounds = SendBounds(clock, request.total, request.timeouts.connect, alarms)
        bounds = request.timeouts if request.total is None else request.timeouts.cut(request.total)
        # httpcore reads this dict at each step, so the timeouts can be shortened while the send goes on.
        self.timeouts: dict[str, float] = {
            "connect": bounds.connect,
            "write": bounds.write,
            "read": bounds.read,
            "pool": bounds.pool,
        }
        self.answered = False
        self._request = request
        self._phase: Phase | None = None
        self._heads = 0

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's callback, called at each step with a name such as ``"http11.send_request_headers.started"``."""
        step = event.partition(".")[2]
        phase = _STEPS.get(step)
        if phase is None:
            if step == "send_request_headers.failed" and _is(info["exception"], "LocalProtocolError"):
                # The protocol's state machine refused it before the socket was used.
                self._heads -= 1
            return
        if phase in _ON_THE_CONNECTION and info["request"].method == b"CONNECT":
            # A request to a proxy for a tunnel; the request itself was not sent yet.
            self._phase = "connect"
            return
        if step == "send_request_headers.started":
            if not self._heads and self.bounds.expired:
                # The time ran out while the loop was blocked: a request must not start that late.
                raise UnsentError("connect", OUT_OF_TIME)
            if not self._heads and self._request.before_first_byte is not None:
                kept_back = self._request.keep_back()
                if kept_back is not None:
                    raise kept_back
            self._heads += 1
            self.bounds.ask()
        self._phase = phase
        # For sockets that are not ours; ours cut their timeouts themselves.
        self.timeouts["write"] = self.bounds.left(self.timeouts["write"])
        self.timeouts["read"] = self.bounds.left(self.timeouts["read"])

    def failure(self, exc: Exception, *, own_transport: bool) -> SendError:
        """The error to raise for ``exc``, from the engine's own transport or from one that the user gave."""
        if self.answered:
            return failure(MaybeSentError, "body", exc)
        if self._heads:
            return failure(MaybeSentError, self._sent_phase(), exc)
        if self._phase == "write":
            return UnsentError("connect", f"the protocol does not allow this request: {type(exc).__name__}")
        if self._phase is not None:
            return failure(UnsentError, refined(self._unsent_phase(), exc), exc)
        for name in _class_names(exc):
            if name in _UNSENT_CLASSES and (own_transport or _is_reliable(exc)):
                return failure(UnsentError, refined(_UNSENT_CLASSES[name], exc), exc)
            if name in _SENT_CLASSES:
                return failure(MaybeSentError, _SENT_CLASSES[name], exc)
        return failure(MaybeSentError, "read", exc)

    def timed_out(self) -> SendError:
        """The error to raise when the total time is over."""
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


def _is_reliable(exc: Exception) -> bool:
    """Whether a connect error of a user's transport is reliable although no step was reported.

    It is if it comes from httpcore, or has no cause. A transport that translates another library's exceptions is not
    reliable: one of them reports a connect timeout for a request that the server has read.
    """
    behind = exc.__cause__ or exc.__context__
    return behind is None or type(behind).__module__.startswith("httpcore")
