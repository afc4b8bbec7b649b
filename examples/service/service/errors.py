"""The answers of this service when a call to Norce does not succeed."""

from __future__ import annotations

import math

from fastapi import Request
from fastapi.responses import JSONResponse
from norce_order_async import (
    CallError,
    ChangeRefusedError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NorceError,
    NotFoundError,
    OutcomeUnknownError,
    PendingError,
    RefusedError,
    TransitionRefusedError,
    TransitionSupersededError,
    UnauthorizedError,
    ValidationFailedError,
)


def status_of(error: NorceError) -> int:
    """The status that says the same in HTTP."""
    match error:
        case NotFoundError():
            return 404
        case ConflictError() | ChangeRefusedError() | TransitionRefusedError() | TransitionSupersededError():
            return 409
        case ValidationFailedError():
            return 409
        case UnauthorizedError() | ForbiddenError():
            return 502  # our token, not the caller's
        case RefusedError() | InvalidRequestError():
            return 422
        case OutcomeUnknownError() | PendingError():
            return 504  # it may have been done
        case _:
            return 503 if error.may_call_again else 500


async def answer(request: Request, error: Exception) -> JSONResponse:
    """The answer. The service's own words are left out, as they may be about a person; the log has the error's text.

    ``again`` says whether the same request can be made again as it is; where it is false after a 504, the order has to
    be read first.
    """
    assert isinstance(error, NorceError)
    body: dict[str, object] = {"error": type(error).__name__, "again": error.may_call_again}
    if isinstance(error, CallError):
        body |= {"order": error.order_id, "correlation_id": error.correlation_id}
    if isinstance(error, RefusedError):
        body["code"] = error.code
    wait: float | None = getattr(error, "retry_after", None)
    headers = {} if wait is None else {"retry-after": str(math.ceil(wait))}
    return JSONResponse(body, status_of(error), headers)
