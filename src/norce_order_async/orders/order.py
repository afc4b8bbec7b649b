"""The handle of one order: an id, a way to call, and the last snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from norce_order_async.checking import check_number
from norce_order_async.display import shown, table_in_html
from norce_order_async.errors import CallError, InvalidRequestError, StatusUnreachableError, WaitTimeoutError
from norce_order_async.money import decimal, paid
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.lifecycle import check_status, is_terminal
from norce_order_async.orders.parts.attributes import AttributesPart
from norce_order_async.orders.parts.callbacks import HooksPart, NotificationsPart, ValidationsPart
from norce_order_async.orders.parts.cart import CartPart
from norce_order_async.orders.parts.consents import ConsentsPart
from norce_order_async.orders.parts.customer import CustomerPart
from norce_order_async.orders.parts.payments import PaymentsPart
from norce_order_async.orders.parts.shippings import ShippingsPart
from norce_order_async.orders.polling import Polling
from norce_order_async.orders.record import OrderRecord
from norce_order_async.orders.rendering import render_table, written_amount, written_time
from norce_order_async.orders.transition import StatusPeriod, Transitioned, periods, transition
from norce_order_async.orders.validation import ValidationReport, read_report
from norce_order_async.pipeline.operations import DELETE_ORDER, SET_REFERENCE, VALIDATE
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.runtime.clock import Deadline

if TYPE_CHECKING:
    from rich.console import RenderableType

    from norce_order_async.models import OrderData, OrderStatus, Price, State


class Order:
    """One order: its id plus the last version that was read. Made by ``norce.orders``.

    Attributes never call the service; every method that does is awaited. After a write the last values stay and
    :attr:`stale` is true until :meth:`refresh`. The parts of an order have methods of their own, such as
    ``order.payments.create`` and ``order.cart.put``; :meth:`transition_to` changes the status.

    Example::

        order = await norce.orders.get(order.id)
        order.status, order.total, len(order.payments)
        await order.set_reference("our-1")
        order.stale  # True, until await order.refresh()
    """

    __slots__ = ("_record", "uniqueness_checked")

    def __init__(self, session: Session, order_id: str, body: OrderBody | None = None) -> None:
        self._record = OrderRecord(session, order_id, body)
        self.uniqueness_checked = True
        """False for an order that was created again after a lost answer, when the list of orders did not show in time
        that no other one has its cart reference, or the answer to the repeat was lost too: there may be two."""

    # What is known

    @property
    def id(self) -> str:
        """The service's identifier."""
        return self._record.id

    @property
    def data(self) -> OrderData:
        """The whole snapshot as models. It is decoded here, or part by part where a part is asked for, such as
        ``order.cart``; its status, reference and times need no decoding.

        Raises:
            NotLoadedError: the order has not been read yet; so does every property below.
        """
        return self._record.known().model

    @property
    def plain(self) -> Mapping[str, Any]:
        """The snapshot as plain JSON data, as the service wrote it; nothing is decoded for it."""
        return self._record.known().plain

    @property
    def loaded(self) -> bool:
        """Whether there is a snapshot."""
        return self._record.body is not None

    @property
    def stale(self) -> bool:
        """Whether something was written since the snapshot was read."""
        return self._record.stale

    @property
    def age(self) -> float | None:
        """Seconds since the snapshot was read; None without one."""
        return self._record.age

    @property
    def status(self) -> OrderStatus | str | None:
        """The status, such as ``"checkout"`` or ``"completed"``; ``STATUSES`` lists them. None if there is none."""
        return self._record.known().status

    @property
    def reference(self) -> str | None:
        """Identifier of the order in another system; None if it has none."""
        return self._record.known().reference

    @property
    def total(self) -> Price | None:
        """Grand total with shippings, computed by the service, as a model; :attr:`amount` is it as a decimal."""
        total: Price | None = self._record.known().part("total")
        return total

    @property
    def amount(self) -> Decimal | None:
        """The grand total including VAT, as a decimal; None when the service sent none."""
        total = self.total
        return None if total is None or total.including_vat is None else decimal(total.including_vat)

    @property
    def outstanding(self) -> Decimal | None:
        """What payments do not cover yet: the total minus the payments that are not removed. Below zero when they
        cover too much; None when the service sent no total, because what is due is not known then."""
        return None if self.amount is None else self.amount - paid(self.payments)

    @property
    def transitions(self) -> tuple[StatusPeriod, ...]:
        """The statuses that the order was in, oldest first, from the service's log."""
        state: State | None = self._record.known().part("state")
        return periods((state.transitions or []) if state else [])

    @property
    def created(self) -> datetime | None:
        """When the order was created, in UTC or with an offset."""
        return self._record.known().created

    @property
    def last_modified(self) -> datetime | None:
        """When the order was last changed, in UTC or with an offset."""
        return self._record.known().last_modified

    # Its parts

    @property
    def cart(self) -> CartPart:
        """The cart: its lines and total, and ``put`` and ``update`` to change them."""
        return CartPart(self._record)

    @property
    def customer(self) -> CustomerPart:
        """The customer: billing and shipping address, and methods to set them."""
        return CustomerPart(self._record)

    @property
    def consents(self) -> ConsentsPart:
        """The consents, and methods to add, tick and remove them."""
        return ConsentsPart(self._record)

    @property
    def payments(self) -> PaymentsPart:
        """The payments, also removed ones, and methods to add, change and remove them."""
        return PaymentsPart(self._record)

    @property
    def shippings(self) -> ShippingsPart:
        """The shippings, also removed ones, and methods to add, change and remove them."""
        return ShippingsPart(self._record)

    @property
    def hooks(self) -> HooksPart:
        """The hooks: addresses that the service asks before it commits a change."""
        return HooksPart(self._record)

    @property
    def notifications(self) -> NotificationsPart:
        """The notifications: addresses that the service calls after a change."""
        return NotificationsPart(self._record)

    @property
    def validations(self) -> ValidationsPart:
        """The validations: addresses that the service asks on :meth:`validate`."""
        return ValidationsPart(self._record)

    @property
    def attributes(self) -> AttributesPart:
        """The attributes: values of your own, by name, and methods to set and remove them."""
        return AttributesPart(self._record)

    # What can be done with it

    async def refresh(self, *, options: CallOptions | None = None) -> Order:
        """Read the order again.

        Returns:
            This handle, so that ``order = await orders("o...").refresh()`` reads well.

        Raises:
            NotFoundError: not there under this merchant and channel.
            CallError: it did not succeed.
        """
        await self._record.read(options)
        return self

    async def transition_to(
        self,
        target: OrderStatus,
        *,
        confirm: bool = False,
        force: bool = False,
        validate: bool = False,
        explain: bool = False,
        options: CallOptions | None = None,
    ) -> Transitioned:
        """Move the order to another status: one call and no more on the plain path.

        Nothing is sent when the order was seen there within the last 5 s, unless ``force``. When the service takes the
        change in without having done it (202), the order is read until it shows. A newer status is never rolled back:
        after a lost answer the order is read before anything is asked for again.

        Args:
            target: one of ``STATUSES``.
            confirm: read the order afterwards, and tell from where and when it went by the service's log.
            force: send also when the order is known to be there.
            validate: have the service check the order first, and ask for the status only if everything holds. That the
                service checks by itself is not certain for every change: without this, an order that is not paid may
                be completed. Calls every registered validation.
            explain: when it is refused, have the service check the order and add what is missing to the error. Calls
                every registered validation; without it, only an order that has no hooks is checked then, because a
                hook may have refused.
            options: what the calls do differently.

        Raises:
            InvalidRequestError: no such status; the text lists those there are.
            ValidationFailedError: ``validate`` was asked for, and something does not hold; nothing was changed.
            TransitionRefusedError: the service, or a hook, does not allow it now.
            TransitionSupersededError: the answer was lost, and the order is in a third status.
            PendingError: taken in, but not shown before the deadline.
            OutcomeUnknownError: the answer was lost, and the order could not be read.
            CallError: it did not succeed otherwise.
        """
        status = check_status(target)
        return await transition(
            self._record, status, confirm=confirm, force=force, validate=validate, explain=explain, options=options
        )

    async def accept(self, *, options: CallOptions | None = None) -> Transitioned:
        """Payment is in place: ``transition_to("accepted")``."""
        return await self.transition_to("accepted", options=options)

    async def complete(
        self, *, validate: bool = False, explain: bool = False, options: CallOptions | None = None
    ) -> Transitioned:
        """The order is final: ``transition_to("completed")``, with ``validate`` and ``explain`` as there."""
        return await self.transition_to("completed", validate=validate, explain=explain, options=options)

    async def decline(self, *, options: CallOptions | None = None) -> Transitioned:
        """Payment was refused: ``transition_to("declined")``."""
        return await self.transition_to("declined", options=options)

    async def reopen(self, *, options: CallOptions | None = None) -> Transitioned:
        """The customer goes back to shopping: ``transition_to("checkout")``."""
        return await self.transition_to("checkout", options=options)

    async def remove(self, *, options: CallOptions | None = None) -> Transitioned:
        """Abandoned, and kept readable: ``transition_to("removed")``. :meth:`delete` takes it out of storage."""
        return await self.transition_to("removed", options=options)

    async def wait_for(
        self,
        awaited: OrderStatus | Callable[[Order], bool],
        *,
        timeout: float,
        options: CallOptions | None = None,
    ) -> Order:
        """Read the order until it is in a status, or until a function of it says yes; pauses grow from 0.25 s to 5 s.

        Cancelling the caller ends it at once.

        Args:
            awaited: a status, or a function of this handle.
            timeout: seconds to wait at most, readings included.
            options: what each reading does differently; its deadline is the end of the wait.

        Returns:
            This handle, with the snapshot that showed it.

        Raises:
            InvalidRequestError: no such status, or no time to wait; nothing was sent.
            StatusUnreachableError: the order is in a final status that is not the one awaited.
            WaitTimeoutError: it did not show in time.
            CallError: a reading did not succeed.
        """
        target = None if callable(awaited) else check_status(awaited)
        check_number("timeout", timeout, "a finite number of seconds above 0", InvalidRequestError, above=True)
        deadline = Deadline(self._record.session.core.clock, timeout)
        deadline.start()
        polling = Polling(self._record.session.core.clock, deadline)
        while True:
            try:
                await self._record.read(options, deadline)
            except CallError as error:
                if error.gave_up != "deadline":
                    raise
                raise self._waited_in_vain(target, timeout) from error
            if awaited(self) if callable(awaited) else self.status == target:
                return self
            if target is not None and self.status is not None and is_terminal(self.status):
                raise StatusUnreachableError(self.id, target, self.status)
            if not await polling.pause():
                raise self._waited_in_vain(target, timeout)

    def _waited_in_vain(self, target: OrderStatus | None, timeout: float) -> WaitTimeoutError:
        seen = self.status if self.loaded else None
        return WaitTimeoutError(self.id, target or "what was awaited", seen, timeout)

    async def validate(self, *, options: CallOptions | None = None) -> ValidationReport:
        """Have the service check the order: its own rules first, then every registered validation.

        Returns:
            A report; ``report.ok`` is whether everything holds, ``report.raise_for_errors()`` insists on it.

        Raises:
            CallError: it could not be validated.
        """
        answer = await self._record.session.call(VALIDATE, {"order_id": self.id}, options=options)
        return read_report(self.id, answer)

    async def set_reference(self, reference: str, *, options: CallOptions | None = None) -> None:
        """Set the identifier of the order in another system.

        Raises:
            InvalidRequestError: it is no string; nothing was sent.
            CallError: it did not succeed.
        """
        if not isinstance(reference, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRequestError(f"reference must be a string, not {type(reference).__name__}")
        await self._record.write(SET_REFERENCE, reference, options=options)

    async def delete(self, *, options: CallOptions | None = None) -> None:
        """Delete the order from the service's storage.

        Raises:
            NotFoundError: not there under this merchant and channel.
            CallError: it did not succeed.
        """
        await self._record.write(DELETE_ORDER, options=options)

    def __rich__(self) -> RenderableType:
        return render_table(("Order", self.id), self._rows())

    def _repr_html_(self) -> str:
        return table_in_html(("Order", self.id), self._rows())

    def _rows(self) -> Iterator[tuple[str, str]]:
        """Status, age of the snapshot, sums and counts."""
        if not self.loaded:
            yield "", "not loaded"
            return
        currency = self.data.currency
        yield "status", self.status or "unknown"
        yield "read", f"{self.age:.0f} s ago" + (", stale" if self.stale else "")
        yield "total", written_amount(self.amount, currency)
        yield "outstanding", written_amount(self.outstanding, currency)
        yield "cart", f"{len(self.cart.items)} lines"
        yield "shippings", str(len(self.shippings.active))
        yield "payments", str(len(self.payments.active))
        for period in self.transitions:
            yield period.status, written_time(period.entered)

    def __repr__(self) -> str:
        if not self.loaded:
            return f"<Order {shown(self.id)} not loaded>"
        stale = ", stale" if self.stale else ""
        return f"<Order {shown(self.id)} {shown(self.status)}{stale}, read {self.age:.0f} s ago>"
