"""The payments of an order, their actions and their log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from norce_order_async import models
from norce_order_async._json import Unshown
from norce_order_async.display import shown
from norce_order_async.errors import InvalidRequestError
from norce_order_async.money import Amount, decimal, exact, paid
from norce_order_async.orders.amounts import check_amounts, number
from norce_order_async.orders.checking import (
    check_json_text,
    check_pattern,
    json_text,
    model_of,
    models_of,
    written,
)
from norce_order_async.orders.parts.entries import RemovableEntries
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
    from norce_order_async.models import (
        Payment,
        PaymentAction,
        PaymentActionDict,
        PaymentDict,
        PaymentEvent,
        PaymentTransaction,
        PaymentTransactionDict,
        Price,
    )


class PaymentsPart(RemovableEntries["Payment", "PaymentDict"]):
    """The payments of the order. Iterating gives removed payments too; :attr:`active` leaves them out."""

    __slots__ = ()

    _id = "payment_id"
    _creating = CREATE_PAYMENT
    _updating = UPDATE_PAYMENT
    _listing = LIST_PAYMENTS
    _getting = GET_PAYMENT

    def _model(self) -> type[Payment]:
        return models.Payment

    def _checked(self, entry: Payment | PaymentDict) -> Payment:
        model = super()._checked(entry)
        check_pattern("Payment", "currency", model.currency, "payment.currency")
        return model

    async def create_for_outstanding(
        self, payment: Payment | PaymentDict | None = None, *, options: CallOptions | None = None
    ) -> str | None:
        """Read the order and add a payment of exactly the amount that is not covered yet, so that the sum validates.

        Args:
            payment: the other members of the payment. Its amount is set here.
            options: settings of the calls.

        Returns:
            The new payment's id; None if nothing was outstanding, so that nothing was created.

        Raises:
            InvalidRequestError: payments cover more than the total, the order has no total, or the payment can't be
                sent; nothing was created.
            CallError: a step did not succeed.
        """
        total: Price | None = (await self._record.read(options)).part("total")
        if total is None or total.including_vat is None:
            raise InvalidRequestError(f"order {shown(self._record.id)} has no total yet, so the amount is not known")
        outstanding = decimal(total.including_vat) - paid(self)
        if outstanding < 0:
            raise InvalidRequestError(
                f"payments of order {shown(self._record.id)} cover {-outstanding} more than its total"
            )
        if not outstanding:
            return None
        model = models.Payment.from_dict(written(self._checked(payment or {}), "payment"))
        model.amount = float(outstanding)
        # The sum has to be exact, however many decimals the service's total has.
        return await self.create(model, allow_fractions=True, options=options)

    async def add_actions(
        self,
        payment_id: str,
        actions: Iterable[PaymentAction | PaymentActionDict],
        *,
        options: CallOptions | None = None,
    ) -> None:
        """Add actions to a payment that can be executed later: capture, refund, cancel.

        Raises:
            InvalidRequestError: an action can't be sent; nothing was sent.
            OutcomeUnknownError: the answer was lost; look at the payment.
            CallError: it did not succeed.
        """
        given = models_of(models.PaymentAction, actions, "actions")
        added = [Unshown(written(model, f"actions[{index}]", is_new=True)) for index, model in enumerate(given)]
        await self._record.write(ADD_PAYMENT_ACTIONS, added, path={"payment_id": payment_id}, options=options)

    async def execute_action(self, payment_id: str, action_id: str, *, options: CallOptions | None = None) -> None:
        """Let the service call an action's address. This may move money, so the call is repeated only if it was not
        sent, or turned away unprocessed.

        Raises:
            InvalidRequestError: an id can't be an id; nothing was sent.
            OutcomeUnknownError: the answer was lost; look at the payment and at its provider.
            CallError: it did not succeed.
        """
        path = {"payment_id": payment_id, "action_id": action_id}
        await self._record.write(EXECUTE_PAYMENT_ACTION, path=path, options=options)

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
            payment_id: the payment's id.
            event: the event that caused the entry.
            amount: the payment's amount *after* the transaction, in whole currency units.
            success: whether the transaction succeeded.
            request: the request to the provider as JSON data. It is sent as text, as the API wants it.
            response: the provider's response, likewise.
            psp_event: the provider's name for the event.
            psp_status: the provider's status.
            error_detail: a description of the error, if there was one.
            action: the payment action that the entry belongs to.
            allow_fractions: True sends an amount with more than two decimals.
            options: settings of this call.

        Raises:
            InvalidRequestError: a value can't be sent, for example because it is not JSON data; nothing was sent.
            OutcomeUnknownError: the answer was lost. Log entries have no identifier, so read the log to check.
            CallError: it did not succeed.
        """
        entry = models.PaymentTransaction(
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
        """Read a payment's log. Anything in it that is not an entry is left out, and counted in ``client.drift``.

        Raises:
            UnavailableError: there was no usable answer, or it is not a list.
            CallError: it did not succeed otherwise.
        """
        return await self._read_list(LIST_TRANSACTIONS, {"payment_id": payment_id}, "transactions", options)

    async def add_transaction(
        self,
        payment_id: str,
        transaction: PaymentTransaction | PaymentTransactionDict,
        *,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> PaymentTransaction | None:
        """Add an entry to a payment's log, which only grows. Its ``amount`` is the payment's amount after it.

        Returns:
            The entry in the service's answer; None if the answer has none.

        Raises:
            InvalidRequestError: the entry can't be sent; nothing was sent.
            OutcomeUnknownError: the answer was lost. Log entries have no identifier, so read the log to check.
            CallError: it did not succeed.
        """
        model = model_of(models.PaymentTransaction, transaction, "transaction")
        check_json_text(model.request_json, "transaction.requestJson")
        check_json_text(model.response_json, "transaction.responseJson")
        added = written(model, "transaction", is_new=True)
        check_amounts("PaymentTransaction", added, "transaction", allow_fractions=allow_fractions)
        path = {"payment_id": payment_id}
        answer = await self._record.write(ADD_TRANSACTION, Unshown(added), path=path, options=options)
        return cast("PaymentTransaction | None", answer.parsed)
