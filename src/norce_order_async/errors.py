"""Everything this package raises on purpose.

::

    NorceError
    ├── ConfigurationError          (ValueError)   the client can't be built like this
    ├── InvalidRequestError         (ValueError)   this call can't be sent like this; nothing was sent
    ├── NotLoadedError                             the handle has no snapshot yet; await order.refresh()
    ├── ValidationFailedError                      a validation report had errors and was asked to raise
    ├── StatusUnreachableError                     waiting for a status that can't come any more
    ├── WaitTimeoutError            (TimeoutError) waited in vain
    ├── TokenError                                 no token could be had; nothing was sent
    └── CallError                                  a call that did not succeed
        ├── RefusedError                           the service answered and said no
        │   ├── BadRequestError             400
        │   │   └── ChangeRefusedError          400 to an edit; knows what was proposed
        │   ├── UnauthorizedError           401
        │   ├── ForbiddenError              403
        │   ├── NotFoundError               404
        │   ├── ConflictError               409
        │   └── TransitionRefusedError             a change of status it does not allow
        ├── NotSentError                           no attempt left this machine
        ├── RejectedError                          turned away unprocessed (429, 425; 503 with Retry-After to what
        │                                          may be done twice)
        ├── UnavailableError                       a read that brought no usable answer; nothing was changed
        ├── OutcomeUnknownError                    a write that may or may not have taken effect
        ├── DuplicateOrderError                    a lost creation was repeated, and the service took both
        ├── PendingError                           taken in (202), but not seen to take effect in time
        └── TransitionSupersededError              the order is elsewhere by now and was left there

Texts say what happened, to which order, under which correlation id, what the service said, and what to do. They hold no
token, no header and no body. Services put names and addresses into their messages: in a text they are masked, cut and
on one line. What is masked are e-mail addresses, numbers of six digits or more, and whatever the request said, its ids,
its references and the words of the API's description aside. :attr:`RefusedError.message` has all of it.

All of them can be pickled and copied, with their attributes and notes: they cross processes as they are. Their
``__cause__`` stays behind, as it does for every exception of Python's.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from norce_order_async.display import printable, shown, shown_code

GaveUp = Literal[
    "attempts",
    "budget",
    "deadline",
    "queue",
    "retry-after",
    "not-repeatable",
    "token",
    "closed",
    "wrong-loop",
    "stopped",
]
"""Why a call was not tried (again): all attempts used, retry budget empty, deadline over, no permit in time, the
service asked for a longer wait than allowed, repeating could do it twice, no token to be had, the client is closed,
the client belongs to another event loop, the job it was made for was stopped."""

Phase = Literal["resolve", "connect", "tls", "pool", "closed", "middleware", "write", "read", "body"]
"""Where a send ended: the last three are after the first byte, the others before it."""

_ENDS: frozenset[GaveUp | None] = frozenset({"closed", "wrong-loop", "stopped"})
"""What no later call of the same client, or of the same job, gets around."""

OutcomeWord = Literal["succeeded", "refused", "not sent", "rejected", "unknown"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt of a call."""

    number: int
    """Counts from 1."""
    outcome: OutcomeWord
    status: int | None
    """HTTP status, when there was an answer."""
    phase: Phase | None
    """Where the send ended, when there was no answer."""
    reason: str
    """The cause in a few words, without addresses or bodies."""
    seconds: float
    """From the permit to the outcome."""
    next: str
    """What was done then, and why: ``"repeat after 0.21 s"``, ``"give up: budget"``."""
    budget: float
    """Tokens left in the retry budget after it."""
    throttled: bool = False
    """Whether the service said "too much": 429, 425, or 503 with Retry-After, whatever the outcome."""


def revived(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception that was pickled or copied, before its attributes are put back.

    Not through its ``__init__``, as Python would do it: that takes other arguments than ``args`` holds.
    """
    error = kind.__new__(kind)
    error.args = args
    return error


class NorceError(Exception):
    """Base of everything this package raises on purpose."""

    @property
    def may_call_again(self) -> bool:
        """Whether the same call can be made again as it is: it can do nothing twice, and it may succeed then."""
        return False

    def __str__(self) -> str:
        # Words of the service, of files and of users are in it.
        return printable(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        return revived, (type(self), self.args), self.__dict__


class ConfigurationError(NorceError, ValueError):
    """The client can't be built like this. The text names the setting and what would be right."""


class InvalidRequestError(NorceError, ValueError):
    """This call can't be sent like this; nothing was sent. The text names the argument and what would be right."""


class NotLoadedError(NorceError):
    """The handle knows only its id so far: ``await order.refresh()`` first."""


class StatusUnreachableError(NorceError):
    """Waiting for a status that can't come any more, because the order is in a final one.

    Attributes:
        order_id: which order.
        target: the status waited for.
        current: the final status it is in.
    """

    def __init__(self, order_id: str, target: str, current: str) -> None:
        super().__init__(f"order {shown(order_id)} is {shown(current)}, which is final: it will not be {shown(target)}")
        self.order_id = order_id
        self.target = target
        self.current = current


class WaitTimeoutError(NorceError, TimeoutError):
    """What was waited for did not show in time.

    Attributes:
        order_id: which order.
        current: the status last read.
    """

    def __init__(self, order_id: str, awaited: str, current: str | None, seconds: float) -> None:
        seen = f"it is {shown(current)}" if current else "it could not be read"
        super().__init__(f"order {shown(order_id)} did not show {awaited} within {seconds:g} s; {seen}")
        self.order_id = order_id
        self.current = current


class TokenError(NorceError):
    """No token could be had, so nothing was sent. The text holds nothing of the credentials."""

    @property
    def may_call_again(self) -> bool:
        """True: nothing was sent, and there may be a token next time."""
        return True


class ValidationFailedError(NorceError):
    """A validation report had errors. :attr:`problems` lists them as ``(adapter id, code)``."""

    def __init__(self, order_id: str, problems: Sequence[tuple[str | None, str | None]]) -> None:
        self.order_id = order_id
        self.problems = tuple(problems)
        told = ", ".join(f"{shown_code(adapter)}: {shown_code(code)}" for adapter, code in self.problems)
        super().__init__(f"order {shown(order_id)} did not validate: {told}")


class CallError(NorceError):
    """A call that did not succeed; what is known of it.

    Attributes:
        operation: the operation's name in the API description.
        order_id: which order, when the call was about one.
        correlation_id: sent as ``x-correlation-id`` with every attempt.
        attempts: one :class:`Attempt` per attempt, in order.
        gave_up: why it was not tried (again); None when the service's answer settled it.
    """

    def __init__(
        self,
        what: str,
        *,
        operation: str,
        order_id: str | None = None,
        correlation_id: str = "",
        attempts: Sequence[Attempt] = (),
        gave_up: GaveUp | None = None,
        advice: str = "",
        said: str = "",
    ) -> None:
        self.operation = operation
        self.order_id = order_id
        self.correlation_id = correlation_id
        self.attempts = tuple(attempts)
        self.gave_up: GaveUp | None = gave_up
        self._what = what
        self._advice = advice
        self._said = said
        super().__init__(what)

    def __str__(self) -> str:
        count = len(self.attempts)
        tried = f" after {count} attempts" if count > 1 else ""
        about = f" of order {shown(self.order_id)}" if self.order_id else ""
        why = f" [gave up: {self.gave_up}]" if self.gave_up else ""
        advice = f"; {self._advice}" if self._advice else ""
        known_as = f" (correlation id {self.correlation_id})" if self.correlation_id else ""
        said = f"; the service said: {self._said}" if self._said else ""
        return printable(f"{self.operation}{about}: {self._what}{tried}{why}{known_as}{said}{advice}")


class RefusedError(CallError):
    """The service answered and said no.

    Attributes:
        status: the HTTP status.
        code: the service's machine-readable code, from ``{code, message}``, or of a ProblemDetails the last part of
            its ``type`` or else the word of the status, such as ``bad-request``.
        message: the service's explanation as it came: ``message``, or a ProblemDetails' title and detail. May hold
            personal data, which the text masks.
        field_errors: what is wrong with single members, as ``(path, explanation)``, from a ProblemDetails' ``errors``.
            Shown and masked likewise.
        problem: the whole parsed body when it was a JSON object.
        retry_after: seconds the service asked to wait, when it did.
        maybe_changed: False in all but one case: an earlier attempt of the same call had an unknown outcome, so that
            one may have taken effect although this one was refused.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int,
        code: str | None = None,
        message: str | None = None,
        problem: dict[str, Any] | None = None,
        field_errors: Sequence[tuple[str, str]] = (),
        retry_after: float | None = None,
        maybe_changed: bool = False,
        **call: Any,
    ) -> None:
        super().__init__(what, **call)
        self.maybe_changed = maybe_changed
        self.field_errors = tuple(field_errors)
        self.status = status
        self.code = code
        self.message = message
        self.problem = problem
        self.retry_after = retry_after


class BadRequestError(RefusedError):
    """400: the service does not take this request as it is."""


class ChangeRefusedError(BadRequestError):
    """400 to an edit: the service, or a hook that guards it, does not take the change.

    Attributes:
        proposed: the model that was sent. Not part of the text.
    """

    proposed: object = None

    @classmethod
    def of(cls, refused: BadRequestError, proposed: object) -> ChangeRefusedError:
        """The refusal with what was proposed."""
        error = cls.__new__(cls)
        error.__dict__.update(refused.__dict__)
        error.args = refused.args
        error.proposed = proposed
        return error


class UnauthorizedError(RefusedError):
    """401: the token was missing, wrong or expired, and no other one was there to try."""


class ForbiddenError(RefusedError):
    """403: the token does not reach this."""


class NotFoundError(RefusedError):
    """404: not there under this merchant and channel."""


class ConflictError(RefusedError):
    """409: it collides with what is there, for instance a second order for one cart reference."""


class TransitionRefusedError(RefusedError):
    """The service did not allow a change of status.

    Attributes:
        target: the status asked for.
        current: the status it was in, as far as known.
        problems: what validation says is missing, as ``(adapter id, code)``, when it was asked: with ``explain``, or
            because the service itself refused an order that has no hooks.
    """

    def __init__(
        self,
        what: str,
        *,
        target: str,
        current: str | None,
        problems: Sequence[tuple[str | None, str | None]] = (),
        **refusal: Any,
    ) -> None:
        super().__init__(what, **refusal)
        self.target = target
        self.current = current
        self.problems = tuple(problems)

    @classmethod
    def of(
        cls,
        refused: RefusedError,
        *,
        target: str,
        current: str | None,
        problems: Sequence[tuple[str | None, str | None]],
        known: str,
        advice: str,
    ) -> TransitionRefusedError:
        """The refusal with what was asked for; ``known`` says from where to where, and what is known of that."""
        error = cls.__new__(cls)
        what = f"{refused.args[0]} {known}"
        error.__dict__.update(refused.__dict__, _what=what, _advice=advice)
        error.target, error.current, error.problems = target, current, tuple(problems)
        error.args = (what,)
        return error


class NotSentError(CallError):
    """No attempt left this machine: the service can't know of the call.

    ``may_call_again`` is False where the client itself can't make it: it is closed, it belongs to another event loop,
    or the job that it was made for was stopped.
    """

    @property
    def may_call_again(self) -> bool:
        """Whether the same client can make the call later; calling again can't do anything twice in either case."""
        return self.gave_up not in _ENDS


class RejectedError(CallError):
    """Every attempt was turned away; the call may be made again.

    429 and 425 mean that nothing was done. A 503 with Retry-After may come from in front of the service, also after the
    effect: calls that may not be done twice raise :class:`OutcomeUnknownError` for it, and only the others this.

    Attributes:
        status: 429, 425 or 503.
        retry_after: seconds the service asked to wait, when it did.
    """

    def __init__(self, what: str, *, status: int, retry_after: float | None = None, **call: Any) -> None:
        super().__init__(what, **call)
        self.status = status
        self.retry_after = retry_after

    @property
    def may_call_again(self) -> bool:
        """Whether the same client can make the call later: nothing was changed."""
        return self.gave_up not in _ENDS


class UnavailableError(CallError):
    """A read that brought no usable answer. Nothing was changed; it may be made again.

    Attributes:
        status: the last HTTP status, when there was one.
    """

    def __init__(self, what: str, *, status: int | None = None, **call: Any) -> None:
        super().__init__(what, **call)
        self.status = status

    @property
    def may_call_again(self) -> bool:
        """Whether the same client can make the call later: it was a read."""
        return self.gave_up not in _ENDS


class OutcomeUnknownError(CallError):
    """A write that may or may not have taken effect, and that could not be settled by reading back.

    It is not repeated, because that could do it twice. The text says how to check.

    Attributes:
        status: the last HTTP status, when there was one.
        retry_after: seconds the service asked to wait, when it did: checking makes sense after that.
        request: the body that was sent, for checking and for sending it again by decision. Not part of the text.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        request: Any = None,
        **call: Any,
    ) -> None:
        super().__init__(what, **call)
        self.status = status
        self.retry_after = retry_after
        self.request = request


class DuplicateOrderError(CallError):
    """Several orders have one cart reference: the answer to a creation was lost, it was made again because no order was
    there, and the service took both. Keep one and remove the others.

    Attributes:
        order_ids: the ids of all of them, oldest first.
        orders: handles of them (:class:`~norce_order_async.Order`), in the same order. They belong to the client and
            are left behind when the error is pickled; ``client.orders(order_id)`` makes others.
    """

    orders: tuple[Any, ...] = ()

    def __init__(self, what: str, *, order_ids: Sequence[str], **call: Any) -> None:
        super().__init__(what, **call)
        self.order_ids = tuple(order_ids)

    def __copy__(self) -> DuplicateOrderError:
        twin = self.__deepcopy__({})
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> DuplicateOrderError:
        revive, arguments, state = self.__reduce__()
        twin: DuplicateOrderError = revive(*arguments)
        twin.__dict__.update(copy.deepcopy(state, memo))
        if self.orders:
            twin.orders = self.orders
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name != "orders"}
        return revived, (type(self), self.args), state


class TransitionSupersededError(CallError):
    """The order is in another status than asked for or left, so somebody else moved it; it was left there.

    Attributes:
        target: the status asked for.
        current: the status it is in.
    """

    def __init__(self, what: str, *, target: str, current: str, **call: Any) -> None:
        super().__init__(what, **call)
        self.target = target
        self.current = current


class PendingError(CallError):
    """The service took a change in (202) but had not shown it when the deadline was over.

    It may still come, or have been dropped for a newer request: read the order again.

    Attributes:
        target: the status asked for, when it was a change of status.
        current: the status last read, when one was.
    """

    def __init__(self, what: str, *, target: str | None = None, current: str | None = None, **call: Any) -> None:
        super().__init__(what, **call)
        self.target = target
        self.current = current


_BY_STATUS: dict[int, type[RefusedError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
}


def refusal_class(status: int) -> type[RefusedError]:
    """The error class for a refusing HTTP status."""
    return _BY_STATUS.get(status, RefusedError)
