"""Records the requests of a client and shows them: a step's title, the call, then each request and its answer.

::

     4  Add a shipping
        await order.shippings.create(Shipping(...))
        → POST /api/v0/checkout/orders/oBzqeQRS/shippings
          total.includingVat=49.0, vatRate=0.25
        ← 201 in 3 ms: id=sQkzv...

A step names the members of the bodies that are shown.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rich.text import Text

from norce_order_async.display import printable
from norce_order_async.engines.base import SendError, WireRequest, WireResponse

if TYPE_CHECKING:
    from rich.console import Console

    from norce_order_async.pipeline.middleware import AttemptInfo, AttemptNext
    from norce_order_async.runtime.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. The headers are left out, because the token is one of them."""

    method: str
    url: str
    """The address without its query."""
    sent: Any
    """The request's body, decoded; None if there is none."""
    seconds: float
    status: int | None = None
    """None if no complete answer came; ``failure`` says why."""
    received: Any = None
    """The answer's body, decoded; None if it is empty or not JSON."""
    failure: str | None = None


class Recorder:
    """An attempt middleware that keeps each exchange, retries included, until it is taken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._exchanges: list[Exchange] = []

    async def record(self, attempt: AttemptInfo, request: WireRequest, proceed: AttemptNext, /) -> WireResponse:
        """Send the request, and record the exchange."""
        del attempt
        started = self._clock.monotonic()
        known = (request.method.upper(), request.url.partition("?")[0], _decoded(request.body))
        try:
            response = await proceed(request)
        except SendError as error:
            self._exchanges.append(Exchange(*known, self._clock.monotonic() - started, failure=str(error)))
            raise
        seconds = self._clock.monotonic() - started
        self._exchanges.append(Exchange(*known, seconds, response.status, _decoded(response.body)))
        return response

    def take(self) -> list[Exchange]:
        """The exchanges since the last call, in the order in which they ended."""
        taken, self._exchanges = self._exchanges, []
        return taken


class Timeline:
    """Shows one step after the other."""

    def __init__(self, console: Console, recorder: Recorder, base_url: str) -> None:
        self._console = console
        self._recorder = recorder
        self._base_url = base_url
        self._steps = 0

    def chapter(self, title: str, text: str) -> None:
        """Show a heading, and a sentence or two."""
        self._console.print()
        self._console.print(Text(title, "bold underline"))
        self._console.print(text)

    async def step(
        self, title: str, call: str, work: Awaitable[T], *, sent: Sequence[str] = (), received: Sequence[str] = ()
    ) -> T:
        """Await ``work`` and show its requests, also if it fails.

        Args:
            title: The step in words.
            call: The step as a program writes it.
            work: The step itself.
            sent: Members of the request's body to show, such as ``cart.total.includingVat``.
            received: Members of the answer's body to show.
        """
        self._steps += 1
        self._console.print()
        self._console.print(Text.assemble((f"{self._steps:>2}  ", "dim"), (title, "bold")))
        self._line("", Text(call, "cyan"))
        try:
            return await work
        finally:
            for exchange in self._recorder.take():
                self._show(exchange, sent, received)

    def note(self, text: str) -> None:
        """Show a remark under the step."""
        self._line("", Text(printable(text)))

    def _show(self, exchange: Exchange, sent: Sequence[str], received: Sequence[str]) -> None:
        path = exchange.url.removeprefix(self._base_url)
        self._line("→", Text.assemble((exchange.method, "bold"), " ", printable(path)))
        if body := essence(exchange.sent, sent):
            self._line("", Text(body, "dim"))
        took = f" in {exchange.seconds * 1000:.0f} ms"
        if exchange.status is None:
            self._line("←", Text.assemble(("no answer", "red"), took, f": {exchange.failure}"))
            return
        colour = "green" if exchange.status < 300 else "yellow"
        body = essence(exchange.received, received)
        self._line("←", Text.assemble((str(exchange.status), colour), took, f": {body}" if body else ""))

    def _line(self, sign: str, text: Text) -> None:
        hanging(self._console, f"    {sign:<2}", text)


def hanging(console: Console, lead: str, text: Text) -> None:
    """Print ``lead`` and the text after it; the text wraps under its own first line."""
    for number, line in enumerate(text.wrap(console, max(console.width - len(lead), 20))):
        line.rstrip()
        console.print(Text.assemble((lead if number == 0 else " " * len(lead), "dim"), line), soft_wrap=True)


def essence(body: Any, members: Sequence[str]) -> str:
    """The named members of a JSON body in one line, without those that are missing; for a list, those of each entry."""
    if not members:
        return ""
    if isinstance(body, list):
        entries = cast("list[object]", body)
        return "; ".join(essence(entry, members) for entry in entries) if entries else "[]"
    found = [(member, _reach(body, member.split("."))) for member in members]
    return ", ".join(f"{member}={_spelled(value)}" for member, value in found if value is not None)


def _reach(value: Any, path: Sequence[str]) -> Any:
    if isinstance(value, list):
        entries = cast("list[object]", value)
        return [found for entry in entries if (found := _reach(entry, path)) is not None]
    if not path:
        return value
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, object]", value)
    return _reach(members.get(path[0]), path[1:])


def _spelled(value: Any) -> str:
    if isinstance(value, list):
        entries = cast("list[object]", value)
        return f"[{', '.join(_spelled(entry) for entry in entries)}]"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _decoded(body: bytes | None) -> Any:
    try:
        return json.loads(body or b"null")
    except ValueError:
        return None
