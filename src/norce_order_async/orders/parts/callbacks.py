"""The addresses that the service calls when something happens to an order: hooks, notifications, validations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async import models
from norce_order_async.orders.parts.entries import DeletableEntries
from norce_order_async.pipeline.operations import (
    CREATE_HOOK,
    CREATE_NOTIFICATION,
    CREATE_VALIDATION,
    DELETE_HOOK,
    DELETE_NOTIFICATION,
    REMOVE_VALIDATION,
    UPDATE_VALIDATION,
)
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_async.models import Callback, CallbackDict, Hook, HookDict, Notification, NotificationDict


class HooksPart(DeletableEntries["Hook", "HookDict"]):
    """Hooks run before a change is committed, and may veto or patch it.

    Two hooks are alike if they have the same adapter, the same address (``invoke``), and the same part of the order
    (``subscribe_to`` and ``target``).
    """

    __slots__ = ()

    _id = "hook_id"
    _creating = CREATE_HOOK
    _deleting = DELETE_HOOK

    def _model(self) -> type[Hook]:
        return models.Hook


class NotificationsPart(DeletableEntries["Notification", "NotificationDict"]):
    """Notifications are sent after a change was committed.

    Two notifications are alike if they have the same adapter, the same address (``invoke``) and the same ``scope``.
    """

    __slots__ = ()

    _id = "notification_id"
    _creating = CREATE_NOTIFICATION
    _deleting = DELETE_NOTIFICATION

    def _model(self) -> type[Notification]:
        return models.Notification


class ValidationsPart(DeletableEntries["Callback", "CallbackDict"]):
    """Validations are called by ``order.validate()``.

    Two validations are alike if they have the same adapter and the same address (``url``).
    """

    __slots__ = ()

    _id = "validation_id"
    _creating = CREATE_VALIDATION
    _deleting = REMOVE_VALIDATION

    def _model(self) -> type[Callback]:
        return models.Callback

    async def put(self, entry_id: str, entry: Callback | CallbackDict, *, options: CallOptions | None = None) -> None:
        """Replace a validation; last write wins.

        Raises:
            InvalidRequestError: it can't be sent; nothing was sent.
            CallError: it did not succeed.
        """
        path = {self._id: entry_id}
        await self._record.write(UPDATE_VALIDATION, self._checked(entry), path=path, options=options)
