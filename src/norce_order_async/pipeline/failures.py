"""Makes the error for a call that did not succeed: its class, the facts, and advice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from norce_order_async._json import UNREADABLE
from norce_order_async.display import shown, shown_code
from norce_order_async.errors import (
    Attempt,
    CallError,
    DuplicateOrderError,
    GaveUp,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    RejectedError,
    TransitionSupersededError,
    UnavailableError,
    refusal_class,
)
from norce_order_async.pipeline.operations import Kind, Operation
from norce_order_async.pipeline.redact import shown_words
from norce_order_async.pipeline.request import Prepared
from norce_order_async.pipeline.response import Refusal, read_refusal
from norce_order_async.pipeline.retry import Outcome

if TYPE_CHECKING:
    from norce_order_async.pipeline.attempt import AttemptResult
    from norce_order_async.pipeline.readback import ReadBack

_ADVICE = {
    401: "check the token, and that it belongs to this environment",
    403: "the token gives no access to this",
}

_NOT_THE_SERVICE = "this may not be the order service: check its address, including the path at its end"


class CallRecord(Protocol):
    """The facts about a call that has failed."""

    @property
    def request(self) -> Prepared:
        """The request."""
        ...

    @property
    def kind(self) -> Kind:
        """The kind of the call."""
        ...

    @property
    def attempts(self) -> Sequence[Attempt]:
        """The attempts so far."""
        ...

    @property
    def maybe_done(self) -> bool:
        """Whether an attempt may have taken effect."""
        ...

    @property
    def maybe_changed(self) -> bool:
        """The same, including attempts that got a 503."""
        ...


def refused(call: CallRecord, tried: AttemptResult) -> RefusedError:
    """The error if the service answered and said no."""
    status = tried.status or 0
    said = read_refusal(tried.data, status)
    code = f" ({shown_code(said.code)})" if said.code else ""
    unreadable = tried.response.unreadable if tried.response else None
    unread = f", with a body that was not read: {unreadable}" if unreadable else ""
    return refusal_class(status)(
        f"refused with {status}{code}{unread}",
        status=status,
        code=said.code,
        message=said.message,
        problem=said.problem,
        field_errors=said.field_errors,
        retry_after=tried.retry_after,
        maybe_changed=call.maybe_changed,
        advice=_after_refusal(call, status, said),
        said=_said(call, tried),
        **_facts(call, None),
    )


def _after_refusal(call: CallRecord, status: int, said: Refusal) -> str:
    """Advice after a refusal; empty if there is nothing to add to the service's own words."""
    if call.maybe_changed:
        return "an earlier attempt may have taken effect: read the order before going on"
    if status == 404:
        if said.code in (None, "not-found"):
            # The server does not have this path. For a missing thing the service has codes of its own.
            return _NOT_THE_SERVICE
        place = "merchant and channel are the ones that it was created with"
        return f"check the id, and that {place}" if call.request.path else "check merchant and channel"
    if status == 409:
        if call.kind in (Kind.CREATE, Kind.CREATE_ORDER):
            return "one like it exists already: read it back"
        return "it conflicts with the order as it is: read the order before going on"
    return _ADVICE.get(status, "")


def _said(call: CallRecord, tried: AttemptResult) -> str:
    """The service's own words, masked."""
    if not tried.status or tried.status < 400:
        return ""
    token = tried.signed.header.split()[-1] if tried.signed else ""
    return shown_words(read_refusal(tried.data, tried.status), call.request, token)


def duplicate(call: CallRecord, settled: ReadBack) -> DuplicateOrderError:
    """The error if an order was created again after a lost answer, and the service accepted both."""
    ids = ", ".join(shown_code(each) for each in settled.ids)
    return DuplicateOrderError(
        f"the first answer was lost, and {settled.detail} now: {ids}",
        order_ids=settled.ids,
        advice="keep one of them and remove the others; creating it again makes one more",
        **_facts(call, None),
    )


def superseded(call: CallRecord, settled: ReadBack) -> TransitionSupersededError:
    """The error if the answer to a change of status was lost, and the order was found in a third status."""
    target = str(call.request.json.get("currentStatus"))
    return TransitionSupersededError(
        f"asked for {target}, the answer was lost, and the order is {shown(settled.status)} now",
        target=target,
        current=settled.status or "",
        advice="look at the order before going on; it was left as it is",
        **_facts(call, None),
    )


def failed(call: CallRecord, tried: AttemptResult, gave_up: GaveUp, settled: ReadBack | None) -> CallError:
    """The error if no attempt brought a usable answer, and no further attempt is made."""
    facts = _facts(call, gave_up)
    facts["said"] = _said(call, tried)
    wait = "" if tried.retry_after is None else f", asked to wait {tried.retry_after:g} s"
    if tried.outcome is Outcome.UNKNOWN or call.maybe_done:
        if call.kind is Kind.SAFE:
            advice = f"nothing was changed; {_again(gave_up)}"
            if tried.status and tried.status < 300 and tried.data is UNREADABLE:
                advice = f"{_NOT_THE_SERVICE}; nothing was changed"
            return UnavailableError(f"{tried.reason}{wait}", status=tried.status, advice=advice, **facts)
        detail = f"; {settled.detail}" if settled else ""
        return OutcomeUnknownError(
            f"outcome unknown: {tried.reason}{wait}{detail}",
            status=tried.status,
            retry_after=settled.retry_after if settled and settled.retry_after is not None else tried.retry_after,
            request=call.request.json,
            advice=_how_to_check(call.request.operation, call.kind),
            **facts,
        )
    if call.maybe_changed:
        # A call that may be done twice got a 503 with Retry-After. A later attempt may not even have been sent.
        advice = f"{_again(gave_up, later=True)}: doing it twice has the same effect as once"
        status = tried.status or 503
        return RejectedError(
            f"turned away with {status}{wait}", status=status, retry_after=tried.retry_after, advice=advice, **facts
        )
    if tried.outcome is Outcome.REJECTED:
        return RejectedError(
            f"turned away unprocessed with {tried.status}{wait}",
            status=tried.status or 0,
            retry_after=tried.retry_after,
            advice=f"nothing was changed; {_again(gave_up, later=True)}",
            **facts,
        )
    return NotSentError(f"not sent: {tried.reason}", advice=f"nothing was changed; {_again(gave_up)}", **facts)


def _again(gave_up: GaveUp, *, later: bool = False) -> str:
    """Advice on whether and how the same call can be made again."""
    match gave_up:
        case "closed":
            return "make another client to call it again"
        case "wrong-loop":
            return "call it on the client's event loop"
        case "stopped":
            return "the job was stopped and makes no more calls"
        case _:
            return "it may be called again later" if later else "it may be called again"


def _facts(call: CallRecord, gave_up: GaveUp | None) -> dict[str, Any]:
    return {
        "operation": call.request.operation.id,
        "order_id": call.request.order_id,
        "correlation_id": call.request.correlation_id,
        "attempts": tuple(call.attempts),
        "gave_up": gave_up,
    }


def _how_to_check(operation: Operation, kind: Kind) -> str:
    if kind is Kind.CREATE_ORDER:
        return "look for it with orders.find_by_cart_reference before creating it again"
    if operation.natural_key:
        return f"await order.refresh() and look among its {operation.natural_key.member} before doing it again"
    if kind is Kind.EXECUTE:
        return "look at the payment and at its provider before executing it again"
    return "read it back before doing it again"
