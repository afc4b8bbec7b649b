"""Checks and applies a hook's changes to an order as edits are: by locks, the description and the state machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import (
    PARTS,
    defaults_of_payment,
    defaults_of_shipping,
    refuse_edit,
    refuse_fractions,
    refuse_step,
    refuse_unready,
)
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.schema import Check, Invalid, published, written_as_read
from norce_order_async.sandbox.service.ids import Ids
from norce_order_async.sandbox.service.normalise import add_consent, all_items, give_item_ids, with_ids
from norce_order_async.sandbox.service.totals import settle


@dataclass(frozen=True, slots=True)
class Change:
    """A hook's change: the order before the request, the order that the hook got, and the order after its patch."""

    before: Json
    shown: Json
    patched: Json
    ids: Ids
    now: str
    readings: ReadingsInUse

    @property
    def status(self) -> str:
        """The status until the change is committed; it decides which parts are locked."""
        return str(self.before["state"]["currentStatus"])


def applied(change: Change) -> Json:
    """The patched order, checked and settled.

    Raises:
        Invalid: The description forbids a value.
        Refusal: An edit could not make this change either.
    """
    order = change.patched
    for part, area in PARTS.items():
        if order.get(part) == change.shown.get(part):
            continue
        if area is not None:
            refuse_edit(area, change.status)
        _APPLY[part](change)
    settle(order, change.readings)
    status: str = order["state"]["currentStatus"]
    if status != change.status:
        refuse_unready(change.readings, order, status)
    return order


@cache
def _body_checks() -> Mapping[str, Check]:
    """The checks of bodies, by operationId."""
    return {operation.id: operation.body.check for operation in published().operations if operation.body is not None}


def _checked(change: Change, operation: str, value: Any, path: str) -> Any:
    with written_as_read(change.readings.of):
        checked = _body_checks()[operation](value, path)
    refuse_fractions(change.readings, checked, path)
    return checked


def _member(part: str) -> _Apply:
    """The check of a member as in the body of a new order. A hook may also remove the member."""

    def apply(change: Change) -> None:
        if part in change.patched:
            body = _checked(change, "CreateCheckoutOrder", {part: change.patched.pop(part)}, "$")
            change.patched.update(body)

    return apply


def _cart(change: Change) -> None:
    _member("cart")(change)
    known = frozenset(item["id"] for item in all_items(change.shown.get("cart", {})))
    give_item_ids(change.patched.get("cart", {}), known, change.ids)


def _consents(change: Change) -> None:
    _member("consents")(change)
    given, change.patched["consents"] = change.patched.get("consents", []), []
    for index, consent in enumerate(given):
        add_consent(change.patched, consent, change.ids, f"$.consents[{index}]")


def _payments(change: Change) -> None:
    def finish(made: Json, old: Json) -> None:
        defaults_of_payment(made)
        if "actions" in made:
            made["actions"] = with_ids(made["actions"], old.get("actions", []), change.ids)

    _entries(change, "payments", "UpdateOrderPayment", change.ids.payment, finish)


def _shippings(change: Change) -> None:
    def finish(made: Json, _old: Json) -> None:
        defaults_of_shipping(made)

    _entries(change, "shippings", "UpdateOrderShipping", change.ids.shipping, finish)


def _entries(
    change: Change, part: str, operation: str, new_id: Callable[[], str], finish: Callable[[Json, Json], None]
) -> None:
    """Apply payments or shippings. Known entries keep the service's members, new ones get them, none may be missing."""
    known: dict[str, Json] = {entry["id"]: entry for entry in change.shown[part]}
    given: Any = change.patched.get(part)
    if not isinstance(given, list):
        raise Invalid(f"$.{part}", "must be a list")
    result: list[Json] = []
    for index, entry in enumerate(given):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        made: Json = _checked(change, operation, entry, f"$.{part}[{index}]")
        identifier: Any = entry.get("id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        old = known.pop(identifier, {}) if isinstance(identifier, str) else {}
        made.update(
            id=old.get("id") or new_id(),
            merchant=change.before["merchant"],
            channel=change.before["channel"],
            orderId=change.before["id"],
        )
        finish(made, old)
        result.append(made)
    if known:
        raise Invalid(f"$.{part}", "an entry can't be taken out; give it the state removed")
    change.patched[part] = result


def _state(change: Change) -> None:
    """Apply the status. A hook can change nothing else of the state; the log of transitions follows from it."""
    given: Any = change.patched.get("state")
    state: Json = _checked(change, "UpdateCheckoutOrderState", given, "$.state")
    if "currentStatus" not in state:
        raise Invalid("$.state.currentStatus", "is required")
    before: Json = change.before["state"]
    target: str = state["currentStatus"]
    if target == before["currentStatus"]:
        change.patched["state"] = before
        return
    refuse_step(change.readings, before["currentStatus"], target)
    change.patched["state"] = {
        **before,
        "currentStatus": target,
        "transitions": [*before["transitions"], {"status": target, "timeStamp": change.now}],
    }


_Apply: TypeAlias = Callable[[Change], None]

_APPLY: Mapping[str, _Apply] = {
    "state": _state,
    "consents": _consents,
    "customer": _member("customer"),
    "cart": _cart,
    "shippings": _shippings,
    "payments": _payments,
    "reference": _member("reference"),
    "attributes": _member("attributes"),
}
