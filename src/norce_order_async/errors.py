"""Everything this package raises on purpose.

::

    NorceError
    ├── ConfigurationError          (ValueError)   the client can't be built like this
    ├── InvalidRequestError         (ValueError)   this call can't be sent like this; nothing was sent
    ├── NotLoadedError                             the order was not read yet; await order.refresh()
    ├── ValidationFailedError                      a validation report had problems
    ├── StatusUnreachableError                     the awaited status can't come any more: the order is final
    ├── WaitTimeoutError            (TimeoutError) the awaited change did not show in time
    ├── TokenError                                 there was no token; nothing was sent
    └── CallError                                  a call that did not succeed
        ├── RefusedError                           the service answered and said no
        │   ├── BadRequestError             400
        │   │   └── ChangeRefusedError          400 to an edit; `proposed` is the model that was sent
        │   ├── UnauthorizedError           401
        │   ├── ForbiddenError              403
        │   ├── NotFoundError               404
        │   ├── ConflictError               409
        │   └── TransitionRefusedError             a change of status it does not allow
        ├── NotSentError                           no attempt left this machine
        ├── RejectedError                          turned away unprocessed (429, 425; for calls that may be done twice
        │                                          also 503 with Retry-After)
        ├── UnavailableError                       a read that brought no usable answer; nothing was changed
        ├── OutcomeUnknownError                    a write that may or may not have taken effect
        ├── DuplicateOrderError                    a lost creation was repeated, and the service took both
        ├── PendingError                           accepted (202), but not seen to take effect in time
        └── TransitionSupersededError              another client moved the order; it was left there

An error's text says what happened to which order, the correlation id, what the service said, and what to do. It holds
no token, no header and no body. A service can put names and addresses into its messages: the text shows them masked,
cut, and on one line. Masked are e-mail addresses, numbers of six digits or more, and the values that the request
contained, except ids, references and words of the API description. :attr:`RefusedError.message` has the whole message.

All errors can be pickled and copied with their attributes and notes, so they can cross processes. Their ``__cause__``
is lost then, as with every Python exception.
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
"""Why a call was not tried (again). In this order: all attempts were used, the retry budget is empty, the deadline is
over, no permit came in time, the service asked for a longer wait than allowed, repeating could do it twice, there is no
token, the client is closed, the client belongs to another event loop, or the job of the call was stopped."""

Phase = Literal["resolve", "connect", "tls", "pool", "closed", "middleware", "write", "read", "body"]
"""Where a send ended: ``write``, ``read`` and ``body`` come after the first byte, the others before it."""

_ENDS: frozenset[GaveUp | None] = frozenset({"closed", "wrong-loop", "stopped"})
"""Reasons that also hold for every later call of the same client or job."""

OutcomeWord = Literal["succeeded", "refused", "not sent", "rejected", "unknown"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one attempt of a call.

    An error and a raw answer list theirs::

        for attempt in error.attempts:
            print(attempt.number, attempt.outcome, attempt.status, f"{attempt.seconds:.2f} s", attempt.next)
    """

    number: int
    """Counts from 1."""
    outcome: OutcomeWord
    """``"succeeded"``, ``"refused"``, ``"not sent"``, ``"rejected"`` or ``"unknown"``."""
    status: int | None
    """The HTTP status; None if there was no answer."""
    phase: Phase | None
    """Where the send ended, if there was no answer; None otherwise."""
    reason: str
    """The cause in a few words, without addresses or bodies."""
    seconds: float
    """Seconds from the permit to the outcome."""
    next: str
    """What the client did next, and why: ``"repeat after 0.21 s"``, ``"give up: budget"``."""
    budget: float
    """The tokens left in the retry budget after it."""
    throttled: bool = False
    """Whether the service throttled it (429, 425, or 503 with Retry-After), whatever the outcome."""


def revived(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception that was pickled or copied, before its attributes are put back.

    Python would call its ``__init__`` with ``args``. These classes take other arguments, so ``__init__`` is not called.
    """
    error = kind.__new__(kind)
    error.args = args
    return error


class NorceError(Exception):
    """Base class of all errors of this package.

    To handle them all::

        try:
            await order.set_reference("our-1")
        except NorceError as error:
            if not error.may_call_again:
                raise
    """

    @property
    def may_call_again(self) -> bool:
        """Whether the same call can be made again unchanged: it does nothing twice, and it may succeed then."""
        return False

    def __str__(self) -> str:
        # The text can hold words from the service, from files and from users.
        return printable(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        return revived, (type(self), self.args), self.__dict__


class ConfigurationError(NorceError, ValueError):
    """The client can't be built like this. The text names the setting and a correct value."""


class InvalidRequestError(NorceError, ValueError):
    """This call can't be sent like this; nothing was sent. The text names the argument and a correct value."""


class NotLoadedError(NorceError):
    """The order was not read yet, so only its id is known: ``await order.refresh()`` first."""


class StatusUnreachableError(NorceError):
    """The awaited status can't come any more, because the order is in a final status.

    Attributes:
        order_id: the order's id.
        target: the awaited status.
        current: the order's final status.
    """

    def __init__(self, order_id: str, target: str, current: str) -> None:
        super().__init__(f"order {shown(order_id)} is {shown(current)}, which is final: it will not be {shown(target)}")
        self.order_id = order_id
        self.target = target
        self.current = current


class WaitTimeoutError(NorceError, TimeoutError):
    """The awaited status or change did not show in time.

    Attributes:
        order_id: the order's id.
        current: the status last read; None if the order could not be read.
    """

    def __init__(self, order_id: str, awaited: str, current: str | None, seconds: float) -> None:
        seen = f"it is {shown(current)}" if current else "it could not be read"
        super().__init__(f"order {shown(order_id)} did not show {awaited} within {seconds:g} s; {seen}")
        self.order_id = order_id
        self.current = current


class TokenError(NorceError):
    """There was no token, so nothing was sent. The text holds no part of the credentials."""

    @property
    def may_call_again(self) -> bool:
        """True: nothing was sent, and there may be a token next time."""
        return True


class ValidationFailedError(NorceError):
    """A validation report had problems.

    Attributes:
        order_id: the order's id.
        problems: the problems, as ``(adapter id, code)``.
    """

    def __init__(self, order_id: str, problems: Sequence[tuple[str | None, str | None]]) -> None:
        self.order_id = order_id
        self.problems = tuple(problems)
        problems_in_words = ", ".join(f"{shown_code(adapter)}: {shown_code(code)}" for adapter, code in self.problems)
        super().__init__(f"order {shown(order_id)} did not validate: {problems_in_words}")


class CallError(NorceError):
    """A call did not succeed. Base class of the errors that know their call.

    Attributes:
        operation: the operation's name in the API description.
        order_id: the order's id; None if the call was not about one order.
        correlation_id: sent as ``x-correlation-id`` with every attempt.
        attempts: one :class:`Attempt` per attempt, in order.
        gave_up: why the call was not tried (again), see :data:`GaveUp`; None if the service's answer decided it.
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
        code: the service's machine-readable code: ``code`` of ``{code, message}``, the last part of a ProblemDetails'
            ``type``, or else the word of the status, such as ``bad-request``.
        message: the service's explanation as it came: ``message``, or a ProblemDetails' title and detail. It may hold
            personal data; the error's text shows it masked.
        field_errors: what is wrong with single members, as ``(path, explanation)``, from a ProblemDetails' ``errors``.
            The error's text shows them masked too.
        problem: the whole parsed body if it was a JSON object; None otherwise.
        retry_after: seconds that the service asked to wait; None if it did not.
        maybe_changed: True if an earlier attempt of the same call had an unknown outcome: that attempt may have taken
            effect although the last one was refused. Otherwise False.
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
    """400: the service does not accept this request."""


class ChangeRefusedError(BadRequestError):
    """400 to an edit: the service, or a hook that guards it, does not accept the change.

    Attributes:
        proposed: the model that was sent. Not part of the text.
    """

    proposed: object = None

    @classmethod
    def of(cls, refused: BadRequestError, proposed: object) -> ChangeRefusedError:
        """The refusal with the model that was proposed."""
        error = cls.__new__(cls)
        error.__dict__.update(refused.__dict__)
        error.args = refused.args
        error.proposed = proposed
        return error


class UnauthorizedError(RefusedError):
    """401: the token was missing, wrong or expired, and there was no other token to try."""


class ForbiddenError(RefusedError):
    """403: the token gives no access to this."""


class NotFoundError(RefusedError):
    """404: it does not exist under this merchant and channel."""


class ConflictError(RefusedError):
    """409: it conflicts with what exists, for instance a second order for one cart reference."""


class TransitionRefusedError(RefusedError):
    """The service did not allow a change of status.

    Attributes:
        target: the status asked for.
        current: the status the order was in, as far as known.
        problems: the problems that validation found, as ``(adapter id, code)``. The order is validated with
            ``explain=True``, or if the service itself refused an order that has no hooks.
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
        """The refusal with the status that was asked for. ``known`` describes the change, for the error's text."""
        error = cls.__new__(cls)
        what = f"{refused.args[0]} {known}"
        error.__dict__.update(refused.__dict__, _what=what, _advice=advice)
        error.target, error.current, error.problems = target, current, tuple(problems)
        error.args = (what,)
        return error


class NotSentError(CallError):
    """No attempt left this machine: the service can't know of the call.

    ``may_call_again`` is False where the client itself can't make the call: the client is closed, it belongs to another
    event loop, or the job of the call was stopped.
    """

    @property
    def may_call_again(self) -> bool:
        """Whether the same client can make the call later. Calling again does nothing twice in either case."""
        return self.gave_up not in _ENDS


class RejectedError(CallError):
    """Every attempt was turned away; the call may be made again.

    429 and 425 mean that nothing was done. A 503 with Retry-After may come from a proxy in front of the service, even
    after the effect: calls that must not be done twice then raise :class:`OutcomeUnknownError`, the others this error.

    Attributes:
        status: 429, 425 or 503.
        retry_after: seconds that the service asked to wait; None if it did not.
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
    """A read got no usable answer. Nothing was changed; it may be made again.

    Attributes:
        status: the last HTTP status; None if there was no answer.
    """

    def __init__(self, what: str, *, status: int | None = None, **call: Any) -> None:
        super().__init__(what, **call)
        self.status = status

    @property
    def may_call_again(self) -> bool:
        """Whether the same client can make the call later: it was a read."""
        return self.gave_up not in _ENDS


class OutcomeUnknownError(CallError):
    """A write may or may not have taken effect, and reading the order did not settle it.

    The client does not repeat it, because that could do it twice. The text says how to check.

    Attributes:
        status: the last HTTP status; None if there was no answer.
        retry_after: seconds that the service asked to wait, so check after that; None if it did not.
        request: the body that was sent, so that you can check, or decide to send it again. Not part of the text.
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
    """Several orders have one cart reference. Keep one and remove the others.

    The answer to a creation was lost, the client found no order and created it again, and the service accepted both.

    Attributes:
        order_ids: the ids of all of them, oldest first.
        orders: handles of them (:class:`~norce_order_async.Order`), in the same order. They belong to the client and
            are not pickled with the error; ``client.orders(order_id)`` makes new ones.
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
    """Another client moved the order to a third status; it was left there.

    Attributes:
        target: the status asked for.
        current: the status it is in.
    """

    def __init__(self, what: str, *, target: str, current: str, **call: Any) -> None:
        super().__init__(what, **call)
        self.target = target
        self.current = current


class PendingError(CallError):
    """The service accepted a change (202) but did not show it before the deadline.

    The change may still come, or the service dropped it for a newer request: read the order again.

    Attributes:
        target: the status asked for; None if it was not a change of status.
        current: the status last read; None if none was.
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
    """The error class for the HTTP status of a refusal."""
    return _BY_STATUS.get(status, RefusedError)
