"""The cart of an order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from norce_order_async import models
from norce_order_async._json import Unshown, is_list, is_mapping
from norce_order_async.orders.amounts import after_edit, check_amounts, with_total
from norce_order_async.orders.checking import Edit, edited, model_of, proposing, written
from norce_order_async.orders.polling import until_shown
from norce_order_async.orders.record import Part
from norce_order_async.pipeline.operations import SET_CART
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_async.models import Cart, CartDict, Discount, Item, Price


class CartPart(Part):
    """The cart that was last read. :meth:`put` and :meth:`update` change it."""

    __slots__ = ()

    @property
    def data(self) -> Cart | None:
        """The cart; None if the order has none."""
        cart: Cart | None = self._record.known().part("cart")
        return cart

    @property
    def reference(self) -> str | None:
        """The cart's identifier in the commerce platform."""
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
        """The cart's total without shipping."""
        return self.data.total if self.data else None

    @property
    def attributes(self) -> dict[str, Any]:
        """Free-form data kept with the cart."""
        return (self.data.attributes or {}) if self.data else {}

    async def put(
        self,
        cart: Cart | CartDict,
        *,
        check_total: bool = True,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> None:
        """Replace the cart; last write wins, because the API has no ETags.

        The service does not compute ``cart.total``. A cart with lines and without a total gets their sum; a total that
        is not their sum is refused.

        If the service has accepted the cart but not stored it yet (202), the order is read until it shows the cart.

        Args:
            cart: a model, or a dict in the API's spelling.
            check_total: False sends the cart as it is.
            allow_fractions: True sends amounts with more than two decimals. Amounts of the cart that was last read are
                always sent.
            options: settings of the calls.

        Raises:
            InvalidRequestError: the cart can't be sent; nothing was sent. The text names the line or both figures.
            PendingError: the cart was accepted, but not shown before the deadline.
            CallError: it did not succeed.
        """
        sent = written(model_of(models.Cart, cart, "cart"), "cart")
        if check_total:
            sent = with_total(sent, "cart")
        received = partial(self._record.received, "cart")
        check_amounts("Cart", sent, "cart", received=received, allow_fractions=allow_fractions)
        await self._put(Unshown(sent), options)

    async def update(
        self,
        edit: Edit[Cart],
        *,
        check_total: bool = True,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> None:
        """Read the order, apply a function to its cart, and put the result. Last write wins: the API has no ETags, so
        changes that others make between the read and the write are lost.

        ``cart.total`` follows the lines: if it was their sum before the edit, it is their sum afterwards. A line whose
        quantity or price changed gets a new total if it cost quantity times price without a discount; otherwise set
        its total too.

        Args:
            edit: a function that changes the cart and returns None, or returns another one.
            check_total: False puts the cart as the edit left it.
            allow_fractions: True puts amounts with more than two decimals. Amounts that came from the service are
                always sent.
            options: settings of the calls.

        Raises:
            InvalidRequestError: the cart can't be sent, or the new total of a line or of the cart does not follow from
                the old one; nothing was written. The text names the line or both figures.
            ChangeRefusedError: the service, or a hook, refused the change; ``proposed`` is the cart that was put.
            PendingError: the cart was accepted, but not shown before the deadline.
            CallError: a step did not succeed.
        """
        await self._record.read(options)
        current = self.data or models.Cart()
        before = Unshown(current.to_dict())
        sent = Unshown(written(edited(models.Cart, current, edit), "cart"))
        if check_total:
            sent = Unshown(after_edit(before.to_dict(), sent.to_dict()))
        check_amounts("Cart", sent.to_dict(), "cart", received=before.to_dict, allow_fractions=allow_fractions)
        with proposing(models.Cart.from_dict(sent.to_dict())):
            await self._put(sent, options)

    async def _put(self, cart: Unshown, options: CallOptions | None) -> None:
        deadline = self._record.session.deadline(options)
        answer = await self._record.write(SET_CART, cart, options=options, deadline=deadline)
        if answer.status == 202:
            await until_shown(
                self._record,
                lambda _: self.data is not None and shows(cart.to_dict(), self.data.to_dict()),
                what="the cart",
                operation=SET_CART,
                answer=answer,
                deadline=deadline,
                options=options,
            )


def shows(sent: object, found: object) -> bool:
    """Whether ``found`` holds all of ``sent``. It may hold more, such as ids and sums that the service adds."""
    if is_mapping(sent):
        return is_mapping(found) and all(shows(value, found.get(name)) for name, value in sent.items())
    if is_list(sent):
        return is_list(found) and len(found) == len(sent) and all(map(shows, sent, found))
    return sent == found
