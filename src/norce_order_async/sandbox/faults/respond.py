"""The answers that faults give in the service's place, or in that of whatever stands in front of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal, TypeAlias

from norce_order_async.sandbox.service.calls import ServiceAnswer, answer

RetryAfterForm: TypeAlias = Literal["seconds", "milliseconds", "date"]

_MEANINGS = {
    401: ("unauthorized", "The token has expired."),
    429: ("too-many-requests", "Too many requests."),
    500: ("internal-server-error", "Something went wrong."),
    503: ("service-unavailable", "The service is not available at the moment."),
}


def response(status: int, retry_after: float | None, form: RetryAfterForm, *, page: bool) -> ServiceAnswer:
    """The answer as it is sent; `retry_after` is in seconds."""
    headers = {} if retry_after is None else _retry_after(retry_after, form)
    if page:
        text = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
        return ServiceAnswer(status, text.encode(), {**headers, "content-type": "text/html"})
    code, message = _MEANINGS.get(status, ("fault", f"A fault of the plan, with status {status}."))
    return answer({"code": code, "message": message}, status, headers)


def _retry_after(seconds: float, form: RetryAfterForm) -> dict[str, str]:
    """Never earlier than meant: whole seconds and dates are rounded up."""
    match form:
        case "milliseconds":
            return {"retry-after-ms": str(math.ceil(seconds * 1000))}
        case "seconds":
            return {"retry-after": str(math.ceil(seconds))}
        case "date":
            # The machine's own time, as it is the caller's clock that the date is compared with.
            moment = datetime.now(UTC) + timedelta(seconds=math.ceil(seconds) + 1)
            return {"retry-after": format_datetime(moment, usegmt=True)}
