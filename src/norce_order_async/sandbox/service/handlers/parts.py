"""Code that the handlers of an order's lists share: finding entries by id, and payments and shippings alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.service.calls import DONE, OrderCall, ServiceAnswer, answer
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.refusals import not_found


@dataclass(frozen=True, slots=True)
class Part:
    """A list of an order with the same operations for payments and shippings: add, list, fetch and replace."""

    thing: str
    """The singular name of an entry."""
    new_id: Callable[[Ids], str]
    complete: Callable[[OrderCall, Json, Json], None]
    """Adds members that the body leaves out. Its last argument is the replaced entry, empty for a new one."""

    def of(self, on: OrderCall) -> list[Json]:
        """The entries of the order."""
        entries: list[Json] = on.order[f"{self.thing}s"]
        return entries

    def named(self, on: OrderCall) -> Json:
        """The entry that the path names."""
        return find(self.of(on), self.thing, on.call.ids[f"{self.thing}_id"])

    def create(self, on: OrderCall) -> ServiceAnswer:
        """Add a new entry with the body."""
        made = self._made(on, self.new_id(on.ids), {})
        self.of(on).append(made)
        on.took_effect(made["id"])
        return answer({"id": made["id"]}, 201)

    def list_all(self, on: OrderCall) -> ServiceAnswer:
        """Answer with all entries."""
        return answer(self.of(on))

    def fetch(self, on: OrderCall) -> ServiceAnswer:
        """Answer with one entry."""
        return answer(self.named(on))

    def put(self, on: OrderCall) -> ServiceAnswer:
        """Replace an entry with the body."""
        current = self.named(on)
        replace(current, self._made(on, current["id"], current))
        on.took_effect(current["id"])
        return DONE

    def _made(self, on: OrderCall, identifier: str, current: Json) -> Json:
        # The service sets these members, whatever a body says.
        owned = {"id": identifier, **on.call.scope._asdict(), "orderId": on.order["id"]}
        entry: Json = {**on.body, **owned}
        self.complete(on, entry, current)
        return entry


def find(entries: list[Json], thing: str, identifier: str) -> Json:
    """The entry with this id.

    Raises:
        Refusal: 404 `<thing>-not-found`.
    """
    for entry in entries:
        if entry["id"] == identifier:
            return entry
    raise not_found(thing, identifier)


def replace(entry: Json, content: Json) -> None:
    """Replace the content of an entry, which keeps its place in the list."""
    entry.clear()
    entry.update(content)
