"""The timeline: a step's title, the call that a program would write, then each request and its answer.

::

     4  Add a shipping
        await order.shippings.create(Shipping(...))
        → POST /api/v0/checkout/orders/oBzqeQRS/shippings
          total.includingVat=49.0, vatRate=0.25
        ← 201 in 3 ms: id=sQkzv...

What is shown comes from the recorder, so from the wire. A step names the members of the bodies worth showing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar, cast

from rich.console import Console
from rich.text import Text

from norce_order_async.cli.demo.recorder import Exchange, RecordingEngine
from norce_order_async.display import printable

T = TypeVar("T")


class Timeline:
    """Shows one step after the other."""

    def __init__(self, console: Console, recorder: RecordingEngine) -> None:
        self.console = console
        self._recorder = recorder
        self._steps = 0

    def chapter(self, title: str, text: str) -> None:
        """A heading with a sentence or two."""
        self.console.print()
        self.console.print(Text(title, "bold underline"))
        self.console.print(text)

    async def step(
        self,
        title: str,
        call: str,
        work: Awaitable[T],
        *,
        sent: Sequence[str] = (),
        received: Sequence[str] = (),
    ) -> T:
        """Await ``work`` and show what that was on the wire, also when it fails.

        Args:
            title: what is done, in words.
            call: the same as a program writes it.
            work: the same, to be awaited.
            sent: members of the request's body to show, as ``cart.total.includingVat``.
            received: members of the answer's body to show.
        """
        self._steps += 1
        self.console.print()
        self.console.print(Text.assemble((f"{self._steps:>2}  ", "dim"), (title, "bold")))
        self._line("", Text(call, "cyan"))
        try:
            return await work
        finally:
            for exchange in self._recorder.take():
                self._show(exchange, sent, received)

    def note(self, text: str) -> None:
        """A remark under the step."""
        self._line("", Text(printable(text)))

    def _show(self, exchange: Exchange, sent: Sequence[str], received: Sequence[str]) -> None:
        self._line("→", Text.assemble((exchange.method, "bold"), " ", printable(exchange.path)))
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
        hanging(self.console, f"    {sign:<2}", text)


def hanging(console: Console, lead: str, text: Text) -> None:
    """Print ``lead`` and the text behind it, which wraps under its own beginning."""
    room = max(console.width - len(lead), 20)
    for number, line in enumerate(text.wrap(console, room)):
        line.rstrip()
        console.print(Text.assemble((lead if number == 0 else " " * len(lead), "dim"), line), soft_wrap=True)


def essence(body: Any, members: Sequence[str]) -> str:
    """The named members of a JSON body in one line, those that are there; for a list, those of each entry."""
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
