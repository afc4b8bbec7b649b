"""A local imitation of the Norce Checkout order service, to build and test against without credentials.

It is not the service and does not claim to be. It answers all operations of the Order Management API v0 from a store
in memory. Where the service's public material says how it behaves, the sandbox behaves so; where nothing is
published it had to choose. `RULES` lists every rule, each marked as certain or assumed; a program that works here may
still meet a difference wherever a rule is assumed.

Certain, among others: headers, paths and bodies as the description has them; orders start in checkout; the order
total is computed from cart and shippings; required consents guard processing; validate's three basic checks.
Assumed, among others: which transitions are allowed, what is locked when, error codes, how lists filter and page.

    async with Sandbox() as sandbox:      # asyncio or trio; `with` works too
        print(sandbox.base_url, sandbox.token)

Needs the `sandbox` extra.
"""

from importlib.util import find_spec

if find_spec("starlette") is None or find_spec("uvicorn") is None:
    raise ImportError("the local order service needs starlette and uvicorn: pip install 'norce-order-async[sandbox]'")

from .clock import Clock, ManualClock, SystemClock
from .effects import Effects
from .requestlog import ReceivedRequest, RequestLog
from .rules import RULES, Rule
from .server import IN_PROCESS_URL, Sandbox, SandboxStartError, serve
from .store import Effect

__all__ = [
    "IN_PROCESS_URL",
    "RULES",
    "Clock",
    "Effect",
    "Effects",
    "ManualClock",
    "ReceivedRequest",
    "RequestLog",
    "Rule",
    "Sandbox",
    "SandboxStartError",
    "SystemClock",
    "serve",
]
