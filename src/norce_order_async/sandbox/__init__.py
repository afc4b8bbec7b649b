"""A local imitation of the Norce Checkout order service, to build and test against without credentials.

It is not the real service. It answers all operations of the Order Management API v0 from a store in memory. Where
Norce's public material says how the service behaves, the sandbox behaves in the same way. Where nothing is published,
the sandbox has to assume something. `RULES` lists every rule and marks it as certain or assumed: wherever a rule is
assumed, the real service may behave differently. `Readings` make the sandbox behave in the other likely ways, so that
you can test a program against them.

Certain, among others: headers, paths and bodies as the description has them; orders start in checkout; the order
total is computed from cart and shippings; required consents guard processing; validate's three basic checks.
Assumed, among others: which transitions are allowed, what is locked when, error codes, how lists filter and page.

    async with Sandbox() as sandbox:      # asyncio or trio; `with` works too
        print(sandbox.base_url, sandbox.token)

Needs the `sandbox` extra.
"""

from __future__ import annotations

from importlib.util import find_spec

if _missing := [name for name in ("jsonpatch", "jsonschema", "starlette", "uvicorn") if find_spec(name) is None]:
    raise ImportError(
        f"the local order service needs the extra 'sandbox' ({_missing[0]} is missing): "
        "install norce-order-async with [sandbox]"
    )

from norce_order_async.sandbox.callbacks.notifications import Deliveries, Delivery, DeliveryAttempt
from norce_order_async.sandbox.faults import (
    READY,
    CutBody,
    Delay,
    Drip,
    ExpireToken,
    Fault,
    FaultPlan,
    FaultPlanError,
    FaultRule,
    Faults,
    LimitConcurrency,
    LimitRate,
    LognormalDelay,
    LoseAnswer,
    LoseThenLate,
    PlayedFault,
    RefuseConnection,
    Reset,
    Respond,
    TakeIn,
    UniformDelay,
    Window,
)
from norce_order_async.sandbox.readings import Readings, ReadingsError
from norce_order_async.sandbox.records import Effects, ReceivedRequest, RequestLog
from norce_order_async.sandbox.rules import RULES, Reading, Rule
from norce_order_async.sandbox.seeding import SeedingError
from norce_order_async.sandbox.server import IN_PROCESS_URL, Sandbox, serve
from norce_order_async.sandbox.service.clock import ManualClock, MovableClock, ServiceClock, SystemClock
from norce_order_async.sandbox.serving import SandboxStartError
from norce_order_async.sandbox.storage.sqlite import DatabaseFileError
from norce_order_async.sandbox.storage.store import Effect

__all__ = [
    "IN_PROCESS_URL",
    "READY",
    "RULES",
    "CutBody",
    "DatabaseFileError",
    "Delay",
    "Deliveries",
    "Delivery",
    "DeliveryAttempt",
    "Drip",
    "Effect",
    "Effects",
    "ExpireToken",
    "Fault",
    "FaultPlan",
    "FaultPlanError",
    "FaultRule",
    "Faults",
    "LimitConcurrency",
    "LimitRate",
    "LognormalDelay",
    "LoseAnswer",
    "LoseThenLate",
    "ManualClock",
    "MovableClock",
    "PlayedFault",
    "Reading",
    "Readings",
    "ReadingsError",
    "ReceivedRequest",
    "RefuseConnection",
    "RequestLog",
    "Reset",
    "Respond",
    "Rule",
    "Sandbox",
    "SandboxStartError",
    "SeedingError",
    "ServiceClock",
    "SystemClock",
    "TakeIn",
    "UniformDelay",
    "Window",
    "serve",
]
