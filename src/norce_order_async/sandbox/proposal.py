"""A change before it is committed: what the order was, what it is to be, and whether the two still fit together.

While hooks are asked the store is free and other calls go on. When the proposal comes back, the order may have
changed: changes to other parts are taken along, after another look at locks and demands; a change to the same part
makes the proposal void.
"""

from dataclasses import dataclass

from . import json_text
from .callbacks.hooks import Hearing
from .handlers.cart import refuse_taken_cart
from .json_text import Json
from .operation import Answer, Changes, OrderCall
from .refusals import Refusal, not_valid
from .rules import PARTS, refuse_edit, refuse_unready
from .totals import settle

# They follow from the rest and are written anew.
_DERIVED = frozenset({"lastModified", "total"})


@dataclass(slots=True)
class Proposal:
    """What a handler made of an order; `written` is the text it was read from."""

    handler: Changes
    on_order: OrderCall
    written: str
    reply: Answer

    @property
    def before(self) -> Json:
        return json_text.parsed(self.written)

    def hearing(self) -> Hearing | None:
        """The hooks to ask; None when the change concerns none."""
        if not self.on_order.effects or not self.on_order.order["hooks"]:
            return None
        hearing = Hearing(self.before, self.on_order.order, self.on_order.call.adapter_id)
        return hearing if hearing.open else None

    def still_fits(self, written: str) -> bool:
        """Bring the proposal up to what the order is by now; false when that can't be done."""
        proposed, before, current = self.on_order.order, self.before, json_text.parsed(written)
        ours = _changed(before, proposed)
        if ours & _changed(before, current):
            return False
        merged = {name: value for name, value in current.items() if name not in ours}
        merged.update((name, proposed[name]) for name in ours if name in proposed)
        merged["lastModified"] = proposed["lastModified"]
        status: str = current["state"]["currentStatus"]
        for area in (self.handler.area, *(PARTS.get(part) for part in ours)):
            if area is not None:
                refuse_edit(area, status)
        settle(merged)
        if merged["state"] != current["state"]:
            refuse_unready(merged, merged["state"]["currentStatus"])
        try:
            refuse_taken_cart(self.on_order.world.store, self.on_order.call.scope, merged)
        except Refusal:
            # Only creating an order and replacing a cart answer with a conflict; any change may be patched into one.
            raise not_valid("By now another order has the cart reference that this one was to have.") from None
        self.written, self.on_order.order = written, merged
        return True


def _changed(before: Json, after: Json) -> set[str]:
    names = (before.keys() | after.keys()) - _DERIVED
    return {name for name in names if before.get(name) != after.get(name)}
