"""Adapters: programs that the order service calls before and after changes, and when an order is validated.

``norce.adapter(...)`` makes an :class:`Adapter`, an ASGI app; see its description for an example. Hooks and schemas of
notifications need the extra ``adapter``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async._exports import on_first_use

if TYPE_CHECKING:
    from norce_order_async.adapter.answers import Approve, Deny, Problem, Problems, approve, deny, problems
    from norce_order_async.adapter.app import Adapter
    from norce_order_async.adapter.calls import HookCall, NotificationCall, ValidationCall
    from norce_order_async.adapter.deliveries import Delivery
    from norce_order_async.adapter.drafts import NULL
    from norce_order_async.adapter.handling import AdapterTelemetry
    from norce_order_async.adapter.inbox.postgres import PostgresInbox
    from norce_order_async.adapter.inbox.protocol import (
        Inbox,
        InboxCounts,
        InboxEntry,
        InboxError,
        InboxLockedError,
        Taken,
    )
    from norce_order_async.adapter.inbox.sqlite import SqliteInbox
    from norce_order_async.adapter.patches import DraftError
    from norce_order_async.adapter.records import Counts, Denial, Denials
    from norce_order_async.adapter.registration import Plan, Registered, Registration
    from norce_order_async.adapter.simulate import Simulate, Simulated

_HOMES = {
    "answers": ("Approve", "Deny", "Problem", "Problems", "approve", "deny", "problems"),
    "app": ("Adapter",),
    "calls": ("HookCall", "NotificationCall", "ValidationCall"),
    "deliveries": ("Delivery",),
    "drafts": ("NULL",),
    "inbox.postgres": ("PostgresInbox",),
    "inbox.protocol": ("Inbox", "InboxCounts", "InboxEntry", "InboxError", "InboxLockedError", "Taken"),
    "inbox.sqlite": ("SqliteInbox",),
    "handling": ("AdapterTelemetry",),
    "patches": ("DraftError",),
    "records": ("Counts", "Denial", "Denials"),
    "registration": ("Plan", "Registered", "Registration"),
    "simulate": ("Simulate", "Simulated"),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "NULL",
    "Adapter",
    "AdapterTelemetry",
    "Approve",
    "Counts",
    "Delivery",
    "Denial",
    "Denials",
    "Deny",
    "DraftError",
    "HookCall",
    "Inbox",
    "InboxCounts",
    "InboxEntry",
    "InboxError",
    "InboxLockedError",
    "NotificationCall",
    "Plan",
    "PostgresInbox",
    "Problem",
    "Problems",
    "Registered",
    "Registration",
    "Simulate",
    "Simulated",
    "SqliteInbox",
    "Taken",
    "ValidationCall",
    "approve",
    "deny",
    "problems",
]

__getattr__, __dir__ = on_first_use(__name__, _HOME_OF)
