"""The cart of an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from norce_order_async.orders.editing import Edit, edited, showing
from norce_order_async.orders.inputs import model_of
from norce_order_async.orders.shown import until_shown
from norce_order_async.orders.snapshot import Room
from norce_order_async.pipeline.operations import SET_CART
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.plain import is_list, is_mapping

if TYPE_CHECKING:
    from norce_order_api.models import Cart, Discount, Item, Price


class CartRoom(Room):
    """Reads come from the snapshot; :meth:`put` replaces the cart."""

    __slots__ = ()

    @property
    def data(self) -> Cart | None:
        """The cart, when the order has one."""
        return self._snapshot.loaded().cart

    @property
    def reference(self) -> str | None:
        """Identifier of the cart in the commerce platform."""
        return self.data.reference if self.data else None

    @property
    def items(self) -> list[Item]:
        """The cart's lines."""
        return (self.data.items or []) if self.data else []

    @property
    def discounts(self) -> list[Discount]:
        """Discounts on the cart as a whole."""
        return (self.data.discounts or []) if self.data else []

    @property
    def total(self) -> Price | None:
        """Sum of the cart without shipping."""
        return self.data.total if self.data else None

    @property
    def attributes(self) -> dict[str, Any]:
        """Free-form data kept with the cart."""
        return (self.data.attributes or {}) if self.data else {}

    async def put(self, cart: Cart | Mapping[str, Any], *, options: CallOptions | None = None) -> None:
        """Replace the cart; last write wins, because the API has no ETags.

        When the service takes it in without having done it (202), the order is read until the cart shows.

        Raises:
            InvalidRequestError: the cart can't be sent; nothing was.
            PendingError: taken in, but not shown before the deadline.
            CallError: it did not succeed.
        """
        from norce_order_api.models import Cart

        model = model_of(Cart, cart, "cart")
        deadline = self._snapshot.session.deadline(options)
        answer = await self._snapshot.write(SET_CART, model, options=options, deadline=deadline)
        if answer.status == 202:
            sent = model.to_dict()
            await until_shown(
                self._snapshot,
                lambda order: order.cart is not None and shows(sent, order.cart.to_dict()),
                what="the cart",
                operation=SET_CART,
                answer=answer,
                deadline=deadline,
                options=options,
            )

    async def update(self, edit: Edit[Cart], *, options: CallOptions | None = None) -> None:
        """Read the order, apply a function to its cart, and put the result. Last write wins: the API has no ETags, so
        what somebody else writes between the reading and the writing is lost.

        Args:
            edit: takes the cart and changes it, or returns another one.
            options: what the calls do differently.

        Raises:
            ChangeRefusedError: the service, or a hook, does not take the change; ``proposed`` is the cart that was
                put.
            CallError: a step did not succeed.
        """
        from norce_order_api.models import Cart

        data = await self._snapshot.read(options)
        proposed = edited(Cart, data.cart or Cart(), edit)
        with showing(proposed):
            await self.put(proposed, options=options)


def shows(sent: object, found: object) -> bool:
    """Whether all of ``sent`` is in ``found``, which may hold more: ids and sums that the service adds."""
    if is_mapping(sent):
        return is_mapping(found) and all(shows(value, found.get(name)) for name, value in sent.items())
    if is_list(sent):
        return is_list(found) and len(found) == len(sent) and all(map(shows, sent, found))
    return sent == found
