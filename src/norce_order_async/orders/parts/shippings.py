"""The shippings of an order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from norce_order_async.orders.amounts import Received, check_amounts
from norce_order_async.orders.checking import Edit, edited, model_of, one_read, showing, with_reference, written
from norce_order_async.orders.ensuring import Ensured, ensure
from norce_order_async.orders.parts.entries import not_removed
from norce_order_async.orders.record import Part
from norce_order_async.pipeline.operations import CREATE_SHIPPING, GET_SHIPPING, LIST_SHIPPINGS, UPDATE_SHIPPING
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_api.models import Shipping


class ShippingsPart(Part):
    """Iterating gives the snapshot's shippings, removed ones too; :attr:`active` leaves these out."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Shipping]:
        return iter(self._snapshot.loaded().shippings or [])

    def __len__(self) -> int:
        return len(self._snapshot.loaded().shippings or [])

    @property
    def active(self) -> list[Shipping]:
        """Those whose state is not ``removed``: the API removes shippings by setting that state."""
        return [shipping for shipping in self if shipping.state != "removed"]

    async def create(
        self,
        shipping: Shipping | Mapping[str, Any],
        *,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> str:
        """Add a shipping.

        Args:
            shipping: a model, or a dict in the API's spelling.
            allow_fractions: True sends amounts with more than two decimals.
            options: what this call does differently.

        Returns:
            Its id.

        Raises:
            InvalidRequestError: it can't be sent; nothing was.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: it did not succeed.
        """
        from norce_order_api.models import Shipping

        model = model_of(Shipping, shipping, "shipping")
        check_amounts("Shipping", written(model, "shipping"), "shipping", allow_fractions=allow_fractions)
        answer = await self._snapshot.create(CREATE_SHIPPING, model, options)
        return answer.id or ""

    async def ensure(
        self,
        shipping: Shipping | Mapping[str, Any],
        *,
        reference: str | None = None,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> Ensured[Shipping]:
        """Make sure that there is a shipping with this reference that is not removed; what is there stays as it is.

        Args:
            shipping: what to create when there is none.
            reference: identifier in another system; that of ``shipping`` when left out.
            allow_fractions: True sends amounts with more than two decimals.
            options: what the calls do differently.

        Raises:
            InvalidRequestError: no reference, or two that differ; nothing was sent.
            OutcomeUnknownError: an answer was lost and the shipping is not there (yet).
            CallError: a step did not succeed.
        """
        from norce_order_api.models import Shipping

        model = with_reference(Shipping, model_of(Shipping, shipping, "shipping"), reference, "shipping")
        check_amounts("Shipping", written(model, "shipping"), "shipping", allow_fractions=allow_fractions)
        return await ensure(
            self._snapshot,
            entries=lambda: self.active,
            wanted=lambda there: there.reference == model.reference,
            operation=CREATE_SHIPPING,
            body=model,
            options=options,
        )

    async def update(
        self,
        shipping_id: str,
        edit: Edit[Shipping],
        *,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> Shipping | None:
        """Read a shipping, apply a function to it, and put the result; last write wins.

        Args:
            shipping_id: which shipping.
            edit: takes the shipping and changes it, or returns another one.
            allow_fractions: True puts amounts with more than two decimals. Those that came from the service go back in
                any case.
            options: what the calls do differently.

        Raises:
            ChangeRefusedError: the service, or a hook, does not take the change; ``proposed`` is what was put.
            CallError: a step did not succeed.
        """
        current = await self.get(shipping_id, options=options)
        proposed = edited(type(current), current, edit)
        with showing(proposed):
            return await self._put(shipping_id, proposed, current.to_dict, allow_fractions, options)

    async def remove(self, shipping_id: str, *, options: CallOptions | None = None) -> Shipping:
        """Remove a shipping, which means: set its state to ``removed``, and see that it is.

        Returns:
            The shipping as read back.

        Raises:
            PendingError: it does not show as removed.
            CallError: a step did not succeed.
        """

        def mark(shipping: Shipping) -> None:
            shipping.state = "removed"

        await self.update(shipping_id, mark, options=options)
        shipping = await self.get(shipping_id, options=options)
        if shipping.state != "removed":
            raise not_removed(UPDATE_SHIPPING, self._snapshot.id, "shipping")
        return shipping

    async def list(self, *, options: CallOptions | None = None) -> list[Shipping]:
        """Read the shippings from the service."""
        path = {"order_id": self._snapshot.id}
        answer = await self._snapshot.session.call(LIST_SHIPPINGS, path, options=options)
        return cast("list[Shipping]", answer.parsed or [])

    async def get(self, shipping_id: str, *, options: CallOptions | None = None) -> Shipping:
        """Read one shipping from the service."""
        path = {"order_id": self._snapshot.id, "shipping_id": shipping_id}
        answer = await self._snapshot.session.call(GET_SHIPPING, path, options=options)
        return cast("Shipping", one_read(answer.parsed, "shipping", GET_SHIPPING.id, self._snapshot.id))

    async def put(
        self,
        shipping_id: str,
        shipping: Shipping | Mapping[str, Any],
        *,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> Shipping | None:
        """Replace a shipping; last write wins.

        Args:
            shipping_id: which shipping.
            shipping: a model, or a dict in the API's spelling.
            allow_fractions: True sends amounts with more than two decimals. Those of the shipping that was last read go
                back in any case.
            options: what this call does differently.

        Returns:
            The shipping as the service answers it; None when it answered without one.
        """
        from norce_order_api.models import Shipping

        came = partial(self._snapshot.received, "shippings", shipping_id)
        return await self._put(shipping_id, model_of(Shipping, shipping, "shipping"), came, allow_fractions, options)

    async def _put(
        self, shipping_id: str, shipping: Shipping, came: Received, allow_fractions: bool, options: CallOptions | None
    ) -> Shipping | None:
        check_amounts("Shipping", written(shipping, "shipping"), "shipping", came=came, allow_fractions=allow_fractions)
        path = {"shipping_id": shipping_id}
        answer = await self._snapshot.write(UPDATE_SHIPPING, shipping, path=path, options=options)
        return cast("Shipping | None", answer.parsed)
