"""The payments of an order, their actions and their log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from norce_order_async.orders.inputs import check_pattern, model_of, models_of
from norce_order_async.orders.snapshot import Room
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
    from norce_order_api.models import Payment, PaymentAction, PaymentTransaction


class PaymentsRoom(Room):
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

    async def create(self, payment: Payment | Mapping[str, Any], *, options: CallOptions | None = None) -> str:
        """Add a payment.

        Returns:
            Its id.

        Raises:
            InvalidRequestError: it can't be sent; nothing was.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: it did not succeed.
        """
        model = _payment(payment)
        answer = await self._snapshot.create(CREATE_PAYMENT, model, options)
        return answer.id or ""

    async def list(self, *, options: CallOptions | None = None) -> list[Payment]:
        """Read the payments from the service."""
        path = {"order_id": self._snapshot.id}
        answer = await self._snapshot.session.call(LIST_PAYMENTS, path, options=options)
        return cast("list[Payment]", answer.parsed or [])

    async def get(self, payment_id: str, *, options: CallOptions | None = None) -> Payment:
        """Read one payment from the service."""
        answer = await self._snapshot.session.call(GET_PAYMENT, self._path(payment_id), options=options)
        return cast("Payment", answer.parsed)

    async def put(
        self, payment_id: str, payment: Payment | Mapping[str, Any], *, options: CallOptions | None = None
    ) -> Payment | None:
        """Replace a payment; last write wins.

        Returns:
            The payment as the service answers it; None when it answered without one.
        """
        model = _payment(payment)
        path = {"payment_id": payment_id}
        answer = await self._snapshot.write(UPDATE_PAYMENT, model, path=path, options=options)
        return cast("Payment | None", answer.parsed)

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
        await self._snapshot.write(ADD_PAYMENT_ACTIONS, models, path={"payment_id": payment_id}, options=options)

    async def execute_action(self, payment_id: str, action_id: str, *, options: CallOptions | None = None) -> None:
        """Have the service call an action's address. May move money, so it is sent again only when it was not sent or
        turned away unprocessed.

        Raises:
            OutcomeUnknownError: the answer was lost; look at the payment and its provider.
            CallError: it did not succeed.
        """
        path = {"payment_id": payment_id, "action_id": action_id}
        await self._snapshot.write(EXECUTE_PAYMENT_ACTION, path=path, options=options)

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
        options: CallOptions | None = None,
    ) -> PaymentTransaction | None:
        """Add an entry to a payment's log, which only grows. ``amount`` is the amount after the transaction.

        Returns:
            The entry as the service answers it; None when it answered without one.
        """
        from norce_order_api.models import PaymentTransaction

        model = model_of(PaymentTransaction, transaction, "transaction")
        path = {"payment_id": payment_id}
        answer = await self._snapshot.write(ADD_TRANSACTION, model, path=path, options=options)
        return cast("PaymentTransaction | None", answer.parsed)

    def _path(self, payment_id: str) -> dict[str, str]:
        return {"order_id": self._snapshot.id, "payment_id": payment_id}


def _payment(payment: Payment | Mapping[str, Any]) -> Payment:
    from norce_order_api.models import Payment

    model = model_of(Payment, payment, "payment")
    check_pattern("Payment", "currency", model.currency, "payment.currency")
    return model
