"""The customer of an order and the two addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from norce_order_async.orders.inputs import check_address, model_of
from norce_order_async.orders.snapshot import Room
from norce_order_async.pipeline.operations import SET_BILLING, SET_SHIPPING_ADDRESS
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_api.models import Address, Customer, CustomerType


class CustomerRoom(Room):
    """Reads come from the snapshot; the setters replace one address each."""

    __slots__ = ()

    @property
    def data(self) -> Customer | None:
        """The customer, when the order has one."""
        return self._snapshot.loaded().customer

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

    async def set_billing(self, address: Address | Mapping[str, Any], *, options: CallOptions | None = None) -> None:
        """Replace the billing address.

        Raises:
            InvalidRequestError: the address can't be sent; nothing was.
            CallError: it did not succeed.
        """
        from norce_order_api.models import Address

        model = model_of(Address, address, "address")
        check_address(model, "address")
        await self._snapshot.write(SET_BILLING, model, options=options)

    async def set_shipping(self, address: Address | Mapping[str, Any], *, options: CallOptions | None = None) -> None:
        """Replace the shipping address.

        Raises:
            InvalidRequestError: the address can't be sent; nothing was.
            CallError: it did not succeed.
        """
        from norce_order_api.models import Address

        model = model_of(Address, address, "address")
        check_address(model, "address")
        await self._snapshot.write(SET_SHIPPING_ADDRESS, model, options=options)
