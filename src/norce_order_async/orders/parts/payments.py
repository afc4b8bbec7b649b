"""The payments of an order, their actions and their log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from norce_order_async._json import Unshown
from norce_order_async.display import shown
from norce_order_async.errors import InvalidRequestError
from norce_order_async.money import Amount, decimal, exact, paid
from norce_order_async.orders.amounts import Received, check_amounts, number
from norce_order_async.orders.checking import (
    Edit,
    check_json_text,
    check_pattern,
    edited,
    json_text,
    model_of,
    models_of,
    one_read,
    showing,
    with_reference,
    written,
)
from norce_order_async.orders.ensuring import Ensured, ensure
from norce_order_async.orders.parts.entries import not_removed
from norce_order_async.orders.record import Part
from norce_order_async.pipeline.operations import (
    ADD_PAYMENT_ACTIONS,
    ADD_TRANSACTION,
    CREATE_PAYMENT,
    EXECUTE_PAYMENT_ACTION,
    GET_PAYMENT,
    LIST_PAYMENTS,
    LIST_TRANSACTIONS,
    UPDATE_PAYMENT,
)
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_api.models import Payment, PaymentAction, PaymentEvent, PaymentTransaction


class PaymentsPart(Part):
    """Iterating gives the snapshot's payments, removed ones too; :attr:`active` leaves these out."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Payment]:
        return iter(self._snapshot.loaded().payments or [])

    def __len__(self) -> int:
        return len(self._snapshot.loaded().payments or [])

    @property
    def active(self) -> list[Payment]:
        """Those whose state is not ``removed``: the API removes payments by setting that state."""
        return [payment for payment in self if payment.state != "removed"]

    async def create(
        self, payment: Payment | Mapping[str, Any], *, allow_fractions: bool = False, options: CallOptions | None = None
    ) -> str:
        """Add a payment.

        Args:
            payment: a model, or a dict in the API's spelling.
            allow_fractions: True sends an amount with more than two decimals.
            options: what this call does differently.

        Returns:
            Its id.

        Raises:
            InvalidRequestError: it can't be sent; nothing was.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: it did not succeed.
        """
        model = _payment(payment)
        check_amounts("Payment", written(model, "payment"), "payment", allow_fractions=allow_fractions)
        answer = await self._snapshot.create(CREATE_PAYMENT, model, options)
        return answer.id or ""

    async def create_for_outstanding(
        self, payment: Payment | Mapping[str, Any] | None = None, *, options: CallOptions | None = None
    ) -> str | None:
        """Read the order and add a payment of exactly what is not covered yet, so that the sum validates.

        Args:
            payment: what else there is to say of it; its amount is set.
            options: what the calls do differently.

        Returns:
            The new payment's id; None when nothing was outstanding, and nothing was created.

        Raises:
            InvalidRequestError: payments cover more than the total, or the service told none.
            CallError: a step did not succeed.
        """
        from norce_order_api.models import Payment

        data = await self._snapshot.read(options)
        if data.total is None or data.total.including_vat is None:
            raise InvalidRequestError(f"order {shown(self._snapshot.id)} has no total yet, so nothing says what to pay")
        outstanding = decimal(data.total.including_vat) - paid(self)
        if outstanding < 0:
            raise InvalidRequestError(
                f"payments of order {shown(self._snapshot.id)} cover {-outstanding} more than its total"
            )
        if not outstanding:
            return None
        model = Payment.from_dict(written(_payment(payment or {}), "payment"))
        model.amount = float(outstanding)
        # The sum has to be exact, however many decimals the service's total has.
        return await self.create(model, allow_fractions=True, options=options)

    async def ensure(
        self,
        payment: Payment | Mapping[str, Any],
        *,
        reference: str | None = None,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> Ensured[Payment]:
        """Make sure that there is a payment with this reference that is not removed; what is there stays as it is.

        Args:
            payment: what to create when there is none.
            reference: identifier at the payment provider; that of ``payment`` when left out.
            allow_fractions: True sends an amount with more than two decimals.
            options: what the calls do differently.

        Raises:
            InvalidRequestError: no reference, or two that differ; nothing was sent.
            OutcomeUnknownError: an answer was lost and the payment is not there (yet).
            CallError: a step did not succeed.
        """
        model = _payment(payment)
        model = with_reference(type(model), model, reference, "payment")
        check_amounts("Payment", written(model, "payment"), "payment", allow_fractions=allow_fractions)
        return await ensure(
            self._snapshot,
            entries=lambda: self.active,
            wanted=lambda there: there.reference == model.reference,
            operation=CREATE_PAYMENT,
            body=model,
            options=options,
        )

    async def list(self, *, options: CallOptions | None = None) -> list[Payment]:
        """Read the payments from the service."""
        path = {"order_id": self._snapshot.id}
        answer = await self._snapshot.session.call(LIST_PAYMENTS, path, options=options)
        return cast("list[Payment]", answer.parsed or [])

    async def get(self, payment_id: str, *, options: CallOptions | None = None) -> Payment:
        """Read one payment from the service."""
        answer = await self._snapshot.session.call(GET_PAYMENT, self._path(payment_id), options=options)
        return cast("Payment", one_read(answer.parsed, "payment", GET_PAYMENT.id, self._snapshot.id))

    async def put(
        self,
        payment_id: str,
        payment: Payment | Mapping[str, Any],
        *,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> Payment | None:
        """Replace a payment; last write wins.

        Args:
            payment_id: which payment.
            payment: a model, or a dict in the API's spelling.
            allow_fractions: True sends amounts with more than two decimals. Those of the payment that was last read go
                back in any case.
            options: what this call does differently.

        Returns:
            The payment as the service answers it; None when it answered without one.
        """
        came = partial(self._snapshot.received, "payments", payment_id)
        return await self._put(payment_id, _payment(payment), came, allow_fractions, options)

    async def update(
        self,
        payment_id: str,
        edit: Edit[Payment],
        *,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> Payment | None:
        """Read a payment, apply a function to it, and put the result; last write wins.

        Args:
            payment_id: which payment.
            edit: takes the payment and changes it, or returns another one.
            allow_fractions: True puts amounts with more than two decimals. Those that came from the service go back in
                any case.
            options: what the calls do differently.

        Raises:
            ChangeRefusedError: the service, or a hook, does not take the change; ``proposed`` is what was put.
            CallError: a step did not succeed.
        """
        current = await self.get(payment_id, options=options)
        proposed = edited(type(current), current, edit)
        with showing(proposed):
            return await self._put(payment_id, _payment(proposed), current.to_dict, allow_fractions, options)

    async def _put(
        self, payment_id: str, payment: Payment, came: Received, allow_fractions: bool, options: CallOptions | None
    ) -> Payment | None:
        check_amounts("Payment", written(payment, "payment"), "payment", came=came, allow_fractions=allow_fractions)
        path = {"payment_id": payment_id}
        answer = await self._snapshot.write(UPDATE_PAYMENT, payment, path=path, options=options)
        return cast("Payment | None", answer.parsed)

    async def remove(self, payment_id: str, *, options: CallOptions | None = None) -> Payment:
        """Remove a payment, which means: set its state to ``removed``, and see that it is.

        Returns:
            The payment as read back.

        Raises:
            PendingError: it does not show as removed.
            CallError: a step did not succeed.
        """

        def mark(payment: Payment) -> None:
            payment.state = "removed"

        await self.update(payment_id, mark, options=options)
        payment = await self.get(payment_id, options=options)
        if payment.state != "removed":
            raise not_removed(UPDATE_PAYMENT, self._snapshot.id, "payment")
        return payment

    async def add_actions(
        self,
        payment_id: str,
        actions: Iterable[PaymentAction | Mapping[str, Any]],
        *,
        options: CallOptions | None = None,
    ) -> None:
        """Add what can be done with the payment afterwards: capture, refund, cancel."""
        from norce_order_api.models import PaymentAction

        models = models_of(PaymentAction, actions, "actions")
        added = [Unshown(written(model, f"actions[{index}]", is_new=True)) for index, model in enumerate(models)]
        await self._snapshot.write(ADD_PAYMENT_ACTIONS, added, path={"payment_id": payment_id}, options=options)

    async def execute_action(self, payment_id: str, action_id: str, *, options: CallOptions | None = None) -> None:
        """Have the service call an action's address. May move money, so it is sent again only when it was not sent or
        turned away unprocessed.

        Raises:
            OutcomeUnknownError: the answer was lost; look at the payment and its provider.
            CallError: it did not succeed.
        """
        path = {"payment_id": payment_id, "action_id": action_id}
        await self._snapshot.write(EXECUTE_PAYMENT_ACTION, path=path, options=options)

    async def log(
        self,
        payment_id: str,
        event: PaymentEvent,
        *,
        amount: Amount | None = None,
        success: bool | None = None,
        request: Any = None,
        response: Any = None,
        psp_event: str | None = None,
        psp_status: str | None = None,
        error_detail: str | None = None,
        action: PaymentAction | None = None,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> None:
        """Add an entry to a payment's log.

        Args:
            payment_id: which payment.
            event: what caused it.
            amount: the payment's amount *after* the transaction.
            success: whether it went through.
            request: what was sent to the provider, as JSON data; it goes as the text that the API wants.
            response: what came back, likewise.
            psp_event: the provider's name for the event.
            psp_status: the provider's status.
            error_detail: what went wrong.
            action: the payment action that it belongs to.
            allow_fractions: True sends an amount with more than two decimals.
            options: what this call does differently.

        Raises:
            InvalidRequestError: something that is no JSON; nothing was sent.
            OutcomeUnknownError: the answer was lost; a log has nothing to tell one entry from another, so look.
            CallError: it did not succeed.
        """
        from norce_order_api.models import PaymentTransaction

        entry = PaymentTransaction(
            event=event,
            psp_event=psp_event,
            amount=None if amount is None else number(exact(amount), "amount"),
            is_success=success,
            error_detail=error_detail,
            psp_status=psp_status,
            request_json=json_text(request, "request"),
            response_json=json_text(response, "response"),
            payment_action=action,
        )
        await self.add_transaction(payment_id, entry, allow_fractions=allow_fractions, options=options)

    async def transactions(
        self, payment_id: str, *, options: CallOptions | None = None
    ) -> Sequence[PaymentTransaction]:
        """Read a payment's log."""
        answer = await self._snapshot.session.call(LIST_TRANSACTIONS, self._path(payment_id), options=options)
        return cast("list[PaymentTransaction]", answer.parsed or [])

    async def add_transaction(
        self,
        payment_id: str,
        transaction: PaymentTransaction | Mapping[str, Any],
        *,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> PaymentTransaction | None:
        """Add an entry to a payment's log, which only grows. ``amount`` is the amount after the transaction.

        Returns:
            The entry as the service answers it; None when it answered without one.
        """
        from norce_order_api.models import PaymentTransaction

        model = model_of(PaymentTransaction, transaction, "transaction")
        check_json_text(model.request_json, "transaction.requestJson")
        check_json_text(model.response_json, "transaction.responseJson")
        added = written(model, "transaction", is_new=True)
        check_amounts("PaymentTransaction", added, "transaction", allow_fractions=allow_fractions)
        path = {"payment_id": payment_id}
        answer = await self._snapshot.write(ADD_TRANSACTION, Unshown(added), path=path, options=options)
        return cast("PaymentTransaction | None", answer.parsed)

    def _path(self, payment_id: str) -> dict[str, str]:
        return {"order_id": self._snapshot.id, "payment_id": payment_id}


def _payment(payment: Payment | Mapping[str, Any]) -> Payment:
    from norce_order_api.models import Payment

    model = model_of(Payment, payment, "payment")
    check_pattern("Payment", "currency", model.currency, "payment.currency")
    return model
