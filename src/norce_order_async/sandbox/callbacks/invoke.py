"""One call to a registered address."""

from dataclasses import dataclass

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.outgoing import Caller, Reply
from norce_order_async.sandbox.store import Scope

from .addresses import EVERY_ADAPTER, Configuration, filled


@dataclass(frozen=True, slots=True)
class Outside:
    """The world beyond the sandbox: how it is called, and what addresses are filled from."""

    caller: Caller
    configuration: Configuration
    hook_timeout: float
    validation_timeout: float

    async def invoke(self, adapter_id: str | None, address: str, order: Json, body: bytes, *, within: float) -> Reply:
        """The answer from an address that an adapter registered with an order; raises `CallFailedError`."""
        configuration = self.configuration.get(adapter_id or "", self.configuration.get(EVERY_ADAPTER, {}))
        url = filled(address, order, configuration)
        return await self.caller.post(url, body, Scope(order["merchant"], order["channel"]), within=within)
