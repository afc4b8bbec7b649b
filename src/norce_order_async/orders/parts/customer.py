"""The customer of an order, with billing and shipping address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from norce_order_async import models
from norce_order_async.display import shown
from norce_order_async.errors import InvalidRequestError
from norce_order_async.orders.checking import Edit, check_address, edited, model_of, proposing
from norce_order_async.orders.record import Part
from norce_order_async.pipeline.operations import SET_BILLING, SET_SHIPPING_ADDRESS
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_async.models import Address, AddressDict, Customer, CustomerType


class CustomerPart(Part):
    """The customer that was last read, and methods that replace or edit each address."""

    __slots__ = ()

    @property
    def data(self) -> Customer | None:
        """The customer; None if the order has none."""
        customer: Customer | None = self._record.known().part("customer")
        return customer

    @property
    def type(self) -> CustomerType | str | None:
        """``"person"`` or ``"organization"``; None if the service sent none."""
        return self.data.type_ if self.data else None

    @property
    def billing(self) -> Address | None:
        """The billing address, which counts as the buyer's."""
        return self.data.billing if self.data else None

    @property
    def shipping(self) -> Address | None:
        """The shipping address."""
        return self.data.shipping if self.data else None

    async def set_billing(self, address: Address | AddressDict, *, options: CallOptions | None = None) -> None:
        """Replace the billing address.

        Raises:
            InvalidRequestError: the address can't be sent; nothing was sent.
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
            address: the new address.
            same_as_billing: whether to read the order and use its billing address instead.
            options: settings of the calls.

        Raises:
            InvalidRequestError: you gave neither or both, the order has no billing address, or the address can't be
                sent; nothing was written.
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

        Args:
            edit: a function that changes the address and returns None, or returns another one.
            options: settings of the calls.

        Raises:
            InvalidRequestError: the new address can't be sent; nothing was written.
            ChangeRefusedError: the service, or a hook, refused the change; ``proposed`` is the address that was put.
            CallError: a step did not succeed.
        """
        await self._update("billing", self.set_billing, edit, options)

    async def update_shipping(self, edit: Edit[Address], *, options: CallOptions | None = None) -> None:
        """Read the order, apply a function to its shipping address, and put the result; last write wins.

        Args:
            edit: a function that changes the address and returns None, or returns another one.
            options: settings of the calls.

        Raises:
            InvalidRequestError: the new address can't be sent; nothing was written.
            ChangeRefusedError: the service, or a hook, refused the change; ``proposed`` is the address that was put.
            CallError: a step did not succeed.
        """
        await self._update("shipping", self.set_shipping, edit, options)

    async def _update(
        self, side: str, put: Callable[..., Awaitable[None]], edit: Edit[Address], options: CallOptions | None
    ) -> None:
        await self._record.read(options)
        address = getattr(self.data, side, None)
        proposed = edited(models.Address, address or models.Address(), edit)
        with proposing(proposed):
            await put(proposed, options=options)
