"""One order: its id, the last version that was read, and its methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from norce_order_async.checking import check_number
from norce_order_async.display import render_table, shown, table_in_html, written_amount, written_time
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
        """False if there may be a second order with the same cart reference. That can happen if the answer to a
        creation was lost, the order was created again, and the list did not show in time that it is the only one."""

    # The last version that was read

    @property
    def id(self) -> str:
        """The service's identifier."""
        return self._record.id

    @property
    def data(self) -> OrderData:
        """The whole order as models, as it was last read. It is decoded when this is first used; ``order.cart`` and the
        other parts decode only themselves, and status, reference and times need no decoding.

        Raises:
            NotLoadedError: the order has not been read yet. All properties and parts of the order raise it then, except
                ``id``, ``loaded``, ``stale`` and ``age``.
        """
        return self._record.known().model

    @property
    def plain(self) -> Mapping[str, Any]:
        """The order as plain JSON data, as the service wrote it when it was last read."""
        return self._record.known().plain

    @property
    def loaded(self) -> bool:
        """Whether the order has been read."""
        return self._record.body is not None

    @property
    def stale(self) -> bool:
        """Whether this object has written something since it last read the order."""
        return self._record.stale

    @property
    def age(self) -> float | None:
        """Seconds since the order was last read; None if it was not read yet."""
        return self._record.age

    @property
    def status(self) -> OrderStatus | str | None:
        """The status, such as ``"checkout"`` or ``"completed"``; ``STATUSES`` lists them. None if there is none."""
        return self._record.known().status

    @property
    def reference(self) -> str | None:
        """The order's identifier in another system; None if it has none."""
        return self._record.known().reference

    @property
    def total(self) -> Price | None:
        """The grand total with shippings, which the service computes. :attr:`amount` is the same as a decimal."""
        total: Price | None = self._record.known().part("total")
        return total

    @property
    def amount(self) -> Decimal | None:
        """The grand total including VAT in whole currency units; None if the service sent none."""
        total = self.total
        return None if total is None or total.including_vat is None else decimal(total.including_vat)

    @property
    def outstanding(self) -> Decimal | None:
        """The total minus the payments that are not removed, in whole currency units. Below zero if payments cover more
        than the total; None if the service sent no total."""
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
        """The consents, and methods to add, tick and delete them."""
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
        """The hooks: addresses that the service calls before it commits a change."""
        return HooksPart(self._record)

    @property
    def notifications(self) -> NotificationsPart:
        """The notifications: addresses that the service calls after a change."""
        return NotificationsPart(self._record)

    @property
    def validations(self) -> ValidationsPart:
        """The validations: addresses that the service calls on :meth:`validate`."""
        return ValidationsPart(self._record)

    @property
    def attributes(self) -> AttributesPart:
        """The attributes: values of your own, by name, and methods to set and remove them."""
        return AttributesPart(self._record)

    # Calls

    async def refresh(self, *, options: CallOptions | None = None) -> Order:
        """Read the order again.

        Returns:
            This order, so that ``order = await orders("o...").refresh()`` works.

        Raises:
            NotFoundError: there is no such order under this merchant and channel.
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
        """Move the order to another status, normally with one call.

        Nothing is sent if the order had the status within the last 5 s, unless you pass ``force``. If the service has
        accepted the change but not done it yet (202), the order is read until it shows the status. A newer status is
        never rolled back: after a lost answer the order is read before the change is asked for again.

        Args:
            target: one of ``STATUSES``.
            confirm: whether to read the order afterwards. The result then has the status before and the time of the
                change from the service's log.
            force: whether to send also if the order is known to have the status.
            validate: whether the service validates the order first; the change is sent only if there are no problems.
                It is not certain that the service validates by itself for every change: without this, an order that is
                not paid may be completed. Calls every registered validation.
            explain: whether the service validates the order if the change is refused; the problems are added to the
                error. Calls every registered validation. By default only an order without hooks is validated then,
                because a hook may have refused the change.
            options: settings of the calls.

        Raises:
            InvalidRequestError: there is no such status. The text lists all statuses.
            ValidationFailedError: you passed ``validate``, and there are problems; nothing was changed.
            TransitionRefusedError: the service, or a hook, does not allow the change now.
            TransitionSupersededError: the answer was lost, and the order is in a third status.
            PendingError: the change was accepted, but not shown before the deadline.
            OutcomeUnknownError: the answer was lost, and the order could not be read.
            CallError: it did not succeed otherwise.
        """
        status = check_status(target)
        return await transition(
            self._record, status, confirm=confirm, force=force, validate=validate, explain=explain, options=options
        )

    async def accept(self, *, options: CallOptions | None = None) -> Transitioned:
        """Accept the order, because its payment is in place: ``transition_to("accepted")``.

        Raises:
            NorceError: as :meth:`transition_to` does.
        """
        return await self.transition_to("accepted", options=options)

    async def complete(
        self, *, validate: bool = False, explain: bool = False, options: CallOptions | None = None
    ) -> Transitioned:
        """Complete the order: ``transition_to("completed")``.

        Args:
            validate: whether the service validates the order first, as for :meth:`transition_to`.
            explain: whether the service validates the order if the change is refused, as for :meth:`transition_to`.
            options: settings of the calls.

        Raises:
            NorceError: as :meth:`transition_to` does.
        """
        return await self.transition_to("completed", validate=validate, explain=explain, options=options)

    async def decline(self, *, options: CallOptions | None = None) -> Transitioned:
        """Decline the order, because its payment was refused: ``transition_to("declined")``.

        Raises:
            NorceError: as :meth:`transition_to` does.
        """
        return await self.transition_to("declined", options=options)

    async def reopen(self, *, options: CallOptions | None = None) -> Transitioned:
        """Reopen the order, so that the customer can go on shopping: ``transition_to("checkout")``.

        Raises:
            NorceError: as :meth:`transition_to` does.
        """
        return await self.transition_to("checkout", options=options)

    async def remove(self, *, options: CallOptions | None = None) -> Transitioned:
        """Remove an abandoned order, which stays readable: ``transition_to("removed")``. :meth:`delete` deletes it.

        Raises:
            NorceError: as :meth:`transition_to` does.
        """
        return await self.transition_to("removed", options=options)

    async def wait_for(
        self,
        awaited: OrderStatus | Callable[[Order], bool],
        *,
        timeout: float,
        options: CallOptions | None = None,
    ) -> Order:
        """Read the order until it has a status, or until a function returns True. Pauses grow from 0.25 s to 5 s.

        Args:
            awaited: a status, or a function that is called with this order after each read.
            timeout: the most seconds to wait, including the reads.
            options: settings of each read. The end of the wait is their deadline.

        Returns:
            This order, as it was last read.

        Raises:
            InvalidRequestError: there is no such status, or ``timeout`` is not above 0; nothing was sent.
            StatusUnreachableError: the order is in another final status.
            WaitTimeoutError: the order did not show the status or change in time.
            CallError: a read did not succeed.
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
                raise self._timed_out(target, timeout) from error
            if awaited(self) if callable(awaited) else self.status == target:
                return self
            if target is not None and self.status is not None and is_terminal(self.status):
                raise StatusUnreachableError(self.id, target, self.status)
            if not await polling.pause():
                raise self._timed_out(target, timeout)

    def _timed_out(self, target: OrderStatus | None, timeout: float) -> WaitTimeoutError:
        seen = self.status if self.loaded else None
        return WaitTimeoutError(self.id, target or "what was awaited", seen, timeout)

    async def validate(self, *, options: CallOptions | None = None) -> ValidationReport:
        """Let the service validate the order: its own rules first, then every registered validation.

        Returns:
            A report. ``report.ok`` is True if there are no problems; ``report.raise_for_errors()`` raises if there are.

        Raises:
            CallError: the order could not be validated.
        """
        answer = await self._record.session.call(VALIDATE, {"order_id": self.id}, options=options)
        return read_report(self.id, answer)

    async def set_reference(self, reference: str, *, options: CallOptions | None = None) -> None:
        """Set the order's identifier in another system.

        Raises:
            InvalidRequestError: it is not a string; nothing was sent.
            CallError: it did not succeed.
        """
        if not isinstance(reference, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRequestError(f"reference must be a string, not {type(reference).__name__}")
        await self._record.write(SET_REFERENCE, reference, options=options)

    async def delete(self, *, options: CallOptions | None = None) -> None:
        """Delete the order from the service's storage.

        Raises:
            NotFoundError: there is no such order under this merchant and channel.
            CallError: it did not succeed.
        """
        await self._record.write(DELETE_ORDER, options=options)

    def __rich__(self) -> RenderableType:
        return render_table(("Order", self.id), self._rows())

    def _repr_html_(self) -> str:
        return table_in_html(("Order", self.id), self._rows())

    def _rows(self) -> Iterator[tuple[str, str]]:
        """The rows of a table: status, age, sums and counts."""
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
