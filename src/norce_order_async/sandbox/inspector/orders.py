"""The page of all orders, and the page of one order with its history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from norce_order_async.sandbox.callbacks.notifications import Delivery
from norce_order_async.sandbox.inspector.context import Inspected
from norce_order_async.sandbox.inspector.traffic import Exchange
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import TRANSITIONS
from norce_order_async.sandbox.storage import browse
from norce_order_async.sandbox.storage.store import Effect

_PAGE = 50
_MOST_EVENTS = 100
_MOST_DELIVERIES = 20


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an order."""

    at: str
    kind: str
    """``status``, ``change`` or ``callback``."""
    what: str
    detail: str = ""
    cause: Exchange | None = None
    problem: bool = False

    @property
    def who(self) -> str:
        """The adapter in the request's headers, or the program in its User-Agent; empty if its request is unknown."""
        if self.cause is None:
            return ""
        headers = self.cause.request.headers
        adapter = headers.get("x-adapterid")
        return f"adapter {adapter}" if adapter else headers.get("user-agent", "").split(" ")[0]


async def orders(inspected: Inspected, request: Request) -> Response:
    """Show the orders that were added last, or those of the filter."""
    asked = request.query_params
    words, status = asked.get("find", "").strip(), asked.get("status", "").strip()
    before = asked.get("before", "")
    place = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None
    store = inspected.control.world.store
    found = browse.newest(store, words=words, status=status, before=place, most=_PAGE + 1)
    kept = {name: value for name, value in (("find", words), ("status", status)) if value}
    live = place is None and "still" not in asked
    return inspected.page(
        "orders.html",
        {
            "at": "orders",
            "orders": [_row(one.order) for one in found[:_PAGE]],
            "count": browse.count(store),
            "find": words,
            "status": status,
            "statuses": list(TRANSITIONS),
            "older": f"?{urlencode({**kept, 'before': found[_PAGE - 1].place})}" if len(found) > _PAGE else None,
            "newest": f"?{urlencode(kept)}" if place is not None else None,
            "live": f"?{urlencode(kept)}" if live else None,
            "stop": f"?{urlencode({**kept, 'still': 1})}" if live else None,
            "go_on": f"?{urlencode(kept)}" if not live and place is None else None,
        },
    )


async def one_order(inspected: Inspected, request: Request) -> Response:
    """Show one order with its history; of a deleted order, only the history."""
    order_id: str = request.path_params["order_id"]
    store = inspected.control.world.store
    with store.reading():
        order, effects = browse.order(store, order_id), store.effects(order_id, None)
        payments = _payments(inspected, order) if order is not None else []
    if order is None and not effects:
        return inspected.page("missing.html", {"what": "order"}, status=404)
    deliveries = inspected.control.world.deliveries.of(order_id)
    events = _timeline(inspected, order, effects, deliveries)
    # The first event and the latest ones.
    shown = events if len(events) <= _MOST_EVENTS else [events[0], *events[1 - _MOST_EVENTS :]]
    return inspected.page(
        "order.html",
        {
            "at": "orders",
            "order_id": order_id,
            "row": None if order is None else _row(order),
            "payments": payments,
            "callbacks": [] if order is None else list(_callbacks(order)),
            "deliveries": deliveries[: -1 - _MOST_DELIVERIES : -1],
            "events": shown,
            "left_out": len(events) - len(shown),
            "document": "" if order is None else json.dumps(order, indent=2, ensure_ascii=False),
        },
    )


def _row(order: Json) -> Json:
    """The data of an order for a row of the list."""
    address: Json = order.get("customer", {}).get("billing", {})
    names = (address.get(part) for part in ("givenName", "familyName", "organizationName"))
    return {
        "id": order["id"],
        "merchant": order["merchant"],
        "channel": order["channel"],
        "status": order["state"]["currentStatus"],
        "total": amount(order.get("total", {}).get("includingVat"), order.get("currency")),
        "reference": order.get("reference") or order.get("cart", {}).get("reference") or "",
        "customer": " ".join(name for name in names if name),
        "created": order["created"],
        "modified": order["lastModified"],
        "items": order.get("cart", {}).get("items", []),
    }


def _payments(inspected: Inspected, order: Json) -> list[Json]:
    store, currency = inspected.control.world.store, order.get("currency")
    return [
        {
            "id": payment["id"],
            "state": payment.get("state", ""),
            "type": payment.get("type", ""),
            "reference": payment.get("reference", ""),
            "amount": amount(payment.get("amount"), payment.get("currency") or currency),
            "transactions": [
                {
                    "at": entry.get("created", ""),
                    "what": entry.get("event") or entry.get("pspEvent") or "entry",
                    "amount": amount(entry.get("amount"), currency),
                    "success": entry.get("isSuccess"),
                    "detail": entry.get("errorDetail") or entry.get("pspStatus") or "",
                }
                for entry in store.transactions(payment["id"])
            ],
        }
        for payment in order.get("payments", [])
    ]


def _callbacks(order: Json) -> Iterator[Json]:
    """The hooks, validations and notifications that are registered with an order."""
    for kind, place in (("hook", "subscribeTo"), ("validation", ""), ("notification", "scope")):
        for entry in cast("list[Json]", order.get(f"{kind}s", [])):
            yield {
                "kind": kind,
                "adapter": entry.get("adapterId", ""),
                "place": entry.get(place, "") if place else "",
                "address": entry.get("invoke") or entry.get("url") or "",
            }


def _timeline(
    inspected: Inspected, order: Json | None, effects: Sequence[Effect], deliveries: Sequence[Delivery]
) -> list[Event]:
    """The history of an order, oldest first."""
    causes = [inspected.traffic.cause_of(one.number, one.at, one.order_id) for one in effects]
    events = [_change(effect, cause) for effect, cause in zip(effects, causes, strict=True)]
    if order is not None:
        # Seeded orders have a history and no effects.
        known = {(event.at, event.what) for event in events}
        if not any(effect.operation == "CreateCheckoutOrder" for effect in effects):
            events.append(Event(order["created"], "status", "checkout", "created"))
        steps = ((step["timeStamp"], step["status"]) for step in order["state"].get("transitions", []))
        events.extend(Event(at, "status", status) for at, status in steps if (at, status) not in known)
    for delivery in deliveries:
        for attempt in delivery.attempts:
            answer = attempt.problem or f"answered {attempt.status}"
            adapter = delivery.notification.get("adapterId", "")
            of = f" of {adapter}" if adapter else ""
            events.append(Event(attempt.at, "callback", f"notification{of}", answer, None, attempt.problem is not None))
    return sorted(events, key=lambda event: event.at)


def _change(effect: Effect, cause: Exchange | None) -> Event:
    if effect.operation == "CreateCheckoutOrder":
        return Event(effect.at, "status", "checkout", "created", cause)
    if effect.operation == "UpdateCheckoutOrderState":
        return Event(effect.at, "status", effect.subject, effect.detail, cause)
    about = " ".join(part for part in (effect.subject, effect.detail) if part)
    return Event(effect.at, "change", effect.operation, about, cause)


def amount(value: object, currency: object) -> str:
    """An amount of money for people."""
    if not isinstance(value, int | float):
        return ""
    return f"{value:,.2f} {currency}" if currency else f"{value:,.2f}"
