"""Turns answers into models, tolerantly: new, missing or odd members are recorded and never raise, so no order is lost.

The generated parser reports each difference from the description; :class:`DriftRecord` counts them by operation and
field and logs each kind once, within limits. A record holds names of fields, never values.
"""

from __future__ import annotations

import functools
import logging
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from norce_order_async import _api
from norce_order_async._json import UNREADABLE, is_api_name, is_list, is_mapping, mapping_or_empty, text_or_none
from norce_order_async.display import render_table, table_in_html
from norce_order_async.engines.base import WireResponse
from norce_order_async.pipeline.answer import LazyModels
from norce_order_async.pipeline.operations import Api, Expects, Operation
from norce_order_async.runtime.clock import Clock, SystemClock

if TYPE_CHECKING:
    from rich.console import RenderableType

logger = logging.getLogger("norce_order_async.drift")

KINDS_KEPT: Final = 1000
LINES_A_MINUTE: Final = 20
_COLUMNS: Final = ("Operation", "where", "what", "times")
_MINUTE: Final = 60.0

Listener = Callable[[str, str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Drift:
    """One way in which answers differ from the description.

    Example::

        Drift("GetCheckoutOrder", "State.currentStatus", "unknown-word")
    """

    operation: str
    where: str
    """The schema and member, such as ``State.currentStatus``; ``body`` or ``status`` for the answer itself."""
    kind: str
    """``unknown-word``, ``null``, ``missing``, ``wrong-type``, ``extra``, ``not-json``, ``unreadable`` (a body that was
    not read), ``undocumented``, ..."""


class DriftRecord:
    """Counts where answers differ from the description. Iterating gives ``(Drift, count)``, the most frequent first.

    The first 1,000 kinds are counted each, all later ones together in :attr:`others`. A name of a member that the
    description does not have shows as ``?`` unless it looks like an identifier of an API: it may be a customer's.

    Example::

        for drift, count in norce.drift:
            print(drift.operation, drift.where, drift.kind, count)
    """

    __slots__ = ("_clock", "_counts", "_lines", "_listeners", "_minute", "_others")

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = SystemClock() if clock is None else clock
        self._counts: dict[Drift, int] = {}
        self._others = 0
        self._listeners: dict[str, Listener] = {}
        self._minute = -math.inf
        self._lines = 0

    @property
    def others(self) -> int:
        """Number of differences of kinds beyond the first 1,000."""
        return self._others

    def listener(self, operation: str) -> Listener:
        """The function that the generated parser calls with each difference in an answer of this operation."""
        known = self._listeners.get(operation)
        if known is None:

            def record(where: str, kind: str) -> None:
                self.add(operation, where, kind)

            known = self._listeners[operation] = record
        return known

    def reading(self, operation: str, parse: Callable[..., T], *args: Any, **named: Any) -> T:
        """Parse an answer of this operation, or a part of one, and count the differences."""
        token = _api.DRIFT.set(self.listener(operation))
        try:
            return parse(*args, **named)
        finally:
            _api.DRIFT.reset(token)

    def add(self, operation: str, where: str, kind: str) -> None:
        """Count one difference, and log the first of its kind."""
        schema, dot, name = where.partition(".")
        if kind == "extra" and not is_api_name(name):
            where = f"{schema}{dot}?"
        drift = Drift(operation, where, kind)
        known = self._counts.get(drift, 0)
        if not known and len(self._counts) >= KINDS_KEPT:
            self._others += 1
            return
        self._counts[drift] = known + 1
        if not known:
            self._log(drift)

    def _log(self, drift: Drift) -> None:
        """Log at most twenty lines a minute, because an answer may hold any number of new members."""
        now = self._clock.monotonic()
        if now - self._minute >= _MINUTE:
            self._minute, self._lines = now, 0
        self._lines += 1
        if self._lines <= LINES_A_MINUTE:
            logger.warning(
                "answer of %s differs from the description: %s is %s", drift.operation, drift.where, drift.kind
            )
        elif self._lines == LINES_A_MINUTE + 1:
            logger.warning(
                "answers differ from the description in more ways; they are not logged during this minute, but "
                "client.drift counts them"
            )

    def __iter__(self) -> Iterator[tuple[Drift, int]]:
        return iter(sorted(self._counts.items(), key=itemgetter(1), reverse=True))

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        others = f", and {self.others} of other kinds" if self.others else ""
        return f"<DriftRecord: {len(self)} kinds, {sum(self._counts.values())} in all{others}>"

    def __rich__(self) -> RenderableType:
        return render_table(_COLUMNS, self._rows())

    def _repr_html_(self) -> str:
        return table_in_html(_COLUMNS, self._rows())

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        for drift, count in self:
            yield drift.operation, drift.where, drift.kind, str(count)
        if self.others:
            yield "others", "", "", str(self.others)


def is_complete(operation: Operation, response: WireResponse, data: Any) -> bool:
    """Whether a 2xx answer holds what a success of this operation must hold."""
    match operation.brings:
        case Expects.NOTHING:
            return True
        case Expects.VALUE:
            return data is not UNREADABLE and data is not None
        case Expects.ID:
            return created_id(response, data) is not None
        case Expects.REPORT:
            return data is not UNREADABLE or not (response.body.strip() or response.unreadable)


def is_report(status: int, data: Any) -> bool:
    """Whether a 400 answer to ``validate`` is a report of failures and not an error."""
    if status != 400:
        return False
    return is_list(data) or is_list(mapping_or_empty(data).get("errors"))


def created_id(response: WireResponse, data: Any) -> str | None:
    """The id of what was created: ``{"id": ...}``, a bare string, or the last part of the Location header."""
    found = text_or_none(data.get("id") if is_mapping(data) else data)
    if found:
        return found
    last = response.headers.get("location", "").split("?")[0].rstrip("/").rpartition("/")[2]
    return last or None


def models_of(
    api: Api, operation: Operation, response: WireResponse, data: Any, drift: DriftRecord
) -> Callable[[], Any]:
    """A function that returns the models of a successful answer, or None if there is nothing to read."""
    generated = api.endpoint(operation)
    status = response.status
    if status not in generated.statuses:
        drift.add(operation.id, f"{operation.id}.{status}", "unknown-status")
        # Read it like the success that the description has, so that its contents are not lost.
        status = min(generated.statuses)
    if data is UNREADABLE:
        if response.unreadable:
            drift.add(operation.id, "body", "unreadable")
        elif response.body.strip():
            drift.add(operation.id, "body", "not-json")
        return nothing
    if operation.reads_late:
        read = functools.partial(drift.reading, operation.id, generated.parse, status_code=status, data=data)
        return LazyModels(read)
    models = drift.reading(operation.id, generated.parse, status_code=status, data=data)
    return lambda: models


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run slow work in a thread, so that it does not block the event loop. A cancelled caller leaves at once."""
    import anyio.to_thread

    return await anyio.to_thread.run_sync(functools.partial(work, *args), abandon_on_cancel=True)


def nothing() -> None:
    """Returns None: the models of an answer without any."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The contents of an error body."""

    code: str | None
    message: str | None
    problem: dict[str, Any] | None
    field_errors: tuple[tuple[str, str], ...] = ()
    """Member paths and what is wrong there, in the service's words."""


def read_refusal(data: Any, status: int) -> Refusal:
    """Read ``{code, message}`` or ASP.NET's ProblemDetails (RFC 9457, with ``errors`` by member). All members are None
    for any other body."""
    if not is_mapping(data):
        return Refusal(None, None, None)
    problem = dict(data)
    field_errors = tuple(
        (member, said)
        for member, messages in mapping_or_empty(problem.get("errors")).items()
        for said in (messages if is_list(messages) else [messages])
        if isinstance(said, str)
    )
    is_problem = field_errors or problem.keys() & {"type", "title", "detail"}
    said = [text for name in ("title", "detail") if (text := text_or_none(problem.get(name)))]
    return Refusal(
        text_or_none(problem.get("code")) or (_problem_code(problem.get("type"), status) if is_problem else None),
        text_or_none(problem.get("message")) or ": ".join(dict.fromkeys(said)) or None,
        problem,
        field_errors,
    )


def _problem_code(kind: object, status: int) -> str | None:
    """The last part of a ProblemDetails' type; the word of the status if the type says nothing else."""
    address = kind if isinstance(kind, str) else ""
    last = re.split("[/#:]", address.rstrip("/#"))[-1]
    # The framework's own types: about:blank, the status by number, or its section in an RFC.
    if last and last != "blank" and not last.isdecimal() and not last.startswith("section-"):
        return last
    try:
        return HTTPStatus(status).phrase.lower().replace(" ", "-")
    except ValueError:
        return None
