"""The customer of an order and the two addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from norce_order_async import models
from norce_order_async.display import shown
from norce_order_async.errors import InvalidRequestError
from norce_order_async.orders.checking import Edit, check_address, edited, model_of, showing
from norce_order_async.orders.record import Part
from norce_order_async.pipeline.operations import SET_BILLING, SET_SHIPPING_ADDRESS
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_async.models import Address, AddressDict, Customer, CustomerType


class CustomerPart(Part):
    """Reads come from the snapshot; the setters replace one address each."""

    __slots__ = ()

    @property
    def data(self) -> Customer | None:
        """The customer, when the order has one."""
        customer: Customer | None = self._record.known().part("customer")
        return customer

    @property
    def type(self) -> CustomerType | str | None:
        """Person or organization."""
        return self.data.type_ if self.data else None

    @property
    def billing(self) -> Address | None:
        """Who is invoiced; taken to be the buyer."""
        return self.data.billing if self.data else None

    @property
    def shipping(self) -> Address | None:
        """Where goods are sent."""
        return self.data.shipping if self.data else None

    async def set_billing(self, address: Address | AddressDict, *, options: CallOptions | None = None) -> None:
        """Replace the billing address.

        Raises:
            InvalidRequestError: the address can't be sent; nothing was.
            CallError: it did not succeed.
        """
        model = model_of(models.Address, address, "address")
        check_address(model, "address")
        await self._record.write(SET_BILLING, model, options=options)

    async def set_shipping(
        self,
        address: Address | AddressDict | None = None,
        *,
        same_as_billing: bool = False,
        options: CallOptions | None = None,
    ) -> None:
        """Replace the shipping address.

        Args:
            address: the new one; or
            same_as_billing: read the order and take over its billing address.
            options: what the calls do differently.

        Raises:
            InvalidRequestError: neither or both, no billing address to take over, or one that can't be sent; nothing
                was written.
            CallError: it did not succeed.
        """
        if (address is None) != same_as_billing:
            raise InvalidRequestError("give either an address or same_as_billing=True")
        if address is None:
            await self._record.read(options)
            address = self.billing
            if address is None:
                raise InvalidRequestError(f"order {shown(self._record.id)} has no billing address to take over")
        model = model_of(models.Address, address, "address")
        check_address(model, "address")
        await self._record.write(SET_SHIPPING_ADDRESS, model, options=options)

    async def update_billing(self, edit: Edit[Address], *, options: CallOptions | None = None) -> None:
        """Read the order, apply a function to its billing address, and put the result; last write wins.

        Raises:
            ChangeRefusedError: the service, or a hook, does not take the change; ``proposed`` is what was put.
            CallError: a step did not succeed.
        """
        await self._update("billing", self.set_billing, edit, options)

    async def update_shipping(self, edit: Edit[Address], *, options: CallOptions | None = None) -> None:
        """Read the order, apply a function to its shipping address, and put the result; last write wins.

        Raises:
            ChangeRefusedError: the service, or a hook, does not take the change; ``proposed`` is what was put.
            CallError: a step did not succeed.
        """
        await self._update("shipping", self.set_shipping, edit, options)

    async def _update(
        self, side: str, put: Callable[..., Awaitable[None]], edit: Edit[Address], options: CallOptions | None
    ) -> None:
        await self._record.read(options)
        address = getattr(self.data, side, None)
        proposed = edited(models.Address, address or models.Address(), edit)
        with showing(proposed):
            await put(proposed, options=options)
