"""What the service calls when something happens to an order: hooks, notifications, validations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from norce_order_async.errors import InvalidRequestError
from norce_order_async.orders.checking import model_of
from norce_order_async.orders.ensuring import Ensured, ensure
from norce_order_async.orders.record import Part
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
    from norce_order_api.models import Callback, Hook, Notification


class HooksPart(Part):
    """Hooks run before a change is committed, and may veto or patch it. Iterating gives the snapshot's."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Hook]:
        return iter(self._snapshot.loaded().hooks or [])

    def __len__(self) -> int:
        return len(self._snapshot.loaded().hooks or [])

    async def create(self, hook: Hook | Mapping[str, Any], *, options: CallOptions | None = None) -> None:
        """Register a hook. The service answers no id; ``await order.refresh()`` shows it."""
        from norce_order_api.models import Hook

        await self._snapshot.create(CREATE_HOOK, model_of(Hook, hook, "hook"), options)

    async def ensure(self, hook: Hook | Mapping[str, Any], *, options: CallOptions | None = None) -> Ensured[Hook]:
        """Make sure that a hook of this adapter for this part of the order and this address is registered, so that a
        service that starts twice registers once.

        Raises:
            InvalidRequestError: no adapter id or address; nothing was sent.
            OutcomeUnknownError: an answer was lost and the hook is not there (yet).
            CallError: a step did not succeed.
        """
        from norce_order_api.models import Hook

        model = model_of(Hook, hook, "hook")
        target = _target(model.adapter_id, model.invoke, "hook.invoke")
        return await ensure(
            self._snapshot,
            entries=lambda: self,
            wanted=lambda there: (
                (there.adapter_id, there.invoke) == target
                and (there.subscribe_to, there.target) == (model.subscribe_to, model.target)
            ),
            operation=CREATE_HOOK,
            body=model,
            options=options,
        )

    async def delete(self, hook_id: str, *, options: CallOptions | None = None) -> None:
        """Remove a hook."""
        await self._snapshot.write(DELETE_HOOK, path={"hook_id": hook_id}, options=options)


class NotificationsPart(Part):
    """Notifications are sent after a change was committed. Iterating gives the snapshot's."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Notification]:
        return iter(self._snapshot.loaded().notifications or [])

    def __len__(self) -> int:
        return len(self._snapshot.loaded().notifications or [])

    async def create(
        self, notification: Notification | Mapping[str, Any], *, options: CallOptions | None = None
    ) -> None:
        """Register a notification. The service answers no id; ``await order.refresh()`` shows it."""
        from norce_order_api.models import Notification

        model = model_of(Notification, notification, "notification")
        await self._snapshot.create(CREATE_NOTIFICATION, model, options)

    async def ensure(
        self, notification: Notification | Mapping[str, Any], *, options: CallOptions | None = None
    ) -> Ensured[Notification]:
        """Make sure that a notification of this adapter for this scope and this address is registered.

        Raises:
            InvalidRequestError: no adapter id or address; nothing was sent.
            OutcomeUnknownError: an answer was lost and the notification is not there (yet).
            CallError: a step did not succeed.
        """
        from norce_order_api.models import Notification

        model = model_of(Notification, notification, "notification")
        target = _target(model.adapter_id, model.invoke, "notification.invoke")
        return await ensure(
            self._snapshot,
            entries=lambda: self,
            wanted=lambda there: (there.adapter_id, there.invoke) == target and there.scope == model.scope,
            operation=CREATE_NOTIFICATION,
            body=model,
            options=options,
        )

    async def delete(self, notification_id: str, *, options: CallOptions | None = None) -> None:
        """Remove a notification."""
        path = {"notification_id": notification_id}
        await self._snapshot.write(DELETE_NOTIFICATION, path=path, options=options)


class ValidationsPart(Part):
    """Validations are called by ``order.validate()``. Iterating gives the snapshot's."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Callback]:
        return iter(self._snapshot.loaded().validations or [])

    def __len__(self) -> int:
        return len(self._snapshot.loaded().validations or [])

    async def create(self, validation: Callback | Mapping[str, Any], *, options: CallOptions | None = None) -> None:
        """Register a validation. The service answers no id; ``await order.refresh()`` shows it."""
        from norce_order_api.models import Callback

        await self._snapshot.create(CREATE_VALIDATION, model_of(Callback, validation, "validation"), options)

    async def ensure(
        self, validation: Callback | Mapping[str, Any], *, options: CallOptions | None = None
    ) -> Ensured[Callback]:
        """Make sure that a validation of this adapter at this address is registered.

        Raises:
            InvalidRequestError: no adapter id or address; nothing was sent.
            OutcomeUnknownError: an answer was lost and the validation is not there (yet).
            CallError: a step did not succeed.
        """
        from norce_order_api.models import Callback

        model = model_of(Callback, validation, "validation")
        target = _target(model.adapter_id, model.url, "validation.url")
        return await ensure(
            self._snapshot,
            entries=lambda: self,
            wanted=lambda there: (there.adapter_id, there.url) == target,
            operation=CREATE_VALIDATION,
            body=model,
            options=options,
        )

    async def put(
        self, validation_id: str, validation: Callback | Mapping[str, Any], *, options: CallOptions | None = None
    ) -> None:
        """Replace a validation; last write wins."""
        from norce_order_api.models import Callback

        model = model_of(Callback, validation, "validation")
        path = {"validation_id": validation_id}
        await self._snapshot.write(UPDATE_VALIDATION, model, path=path, options=options)

    async def remove(self, validation_id: str, *, options: CallOptions | None = None) -> None:
        """Remove a validation."""
        await self._snapshot.write(REMOVE_VALIDATION, path={"validation_id": validation_id}, options=options)


def _target(adapter_id: str | None, address: str | None, argument: str) -> tuple[str, str]:
    """What tells one callback from another."""
    if not adapter_id or not address:
        raise InvalidRequestError(f"an adapter id and {argument} are needed to tell it from others")
    return adapter_id, address
