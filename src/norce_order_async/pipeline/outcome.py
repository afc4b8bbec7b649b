"""What became of one attempt. The one question behind it: *may the service have acted on the request?*"""

from __future__ import annotations

import enum

from norce_order_async.errors import OutcomeWord
from norce_order_async.pipeline.operations import Kind


class Outcome(enum.Enum):
    """The five ways an attempt can end."""

    SUCCEEDED = "succeeded"
    """A 2xx with a body that could be read where one is needed."""
    REFUSED = "refused"
    """The service answered and said no: redirects and all 4xx but the three below."""
    NOT_SENT = "not sent"
    """No byte of the request left this machine."""
    REJECTED = "rejected"
    """Turned away unprocessed: 429 and 425; for what may be done twice also 503 with Retry-After."""
    UNKNOWN = "unknown"
    """Anything after the first byte without a usable answer."""

    @property
    def word(self) -> OutcomeWord:
        return self.value


def classify(kind: Kind, status: int, *, retry_after: bool, readable: bool) -> Outcome:
    """The outcome of an attempt that brought a whole answer.

    Args:
        kind: of the call.
        status: the HTTP status, any number.
        retry_after: whether the answer said when to come back, in any form.
        readable: whether the body could be read, or none was needed.
    """
    if 200 <= status < 300:
        return Outcome.SUCCEEDED if readable else Outcome.UNKNOWN
    if status in (425, 429):
        return Outcome.REJECTED
    if status == 503 and retry_after and kind in (Kind.SAFE, Kind.IDEMPOTENT):
        # Comes from in front of the service as often as from it, also after the effect. Only where twice is like once
        # does that not matter.
        return Outcome.REJECTED
    if 300 <= status < 500 and status != 408:
        return Outcome.REFUSED
    return Outcome.UNKNOWN


def throttles(status: int, *, retry_after: bool) -> bool:
    """Whether the answer says "too much", whatever the outcome: it pauses the client and slows a job down."""
    return status in (425, 429) or (status == 503 and retry_after)
