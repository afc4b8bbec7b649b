"""The base classes for the lists of an order.

A list shows the entries that were last read, and has methods that change them. Lists differ in what the service does
with an entry that is no longer wanted. It keeps payments and shippings and marks them as removed: these lists have
``remove`` (:class:`RemovableEntries`). It forgets hooks, notifications, validations and consents: these lists have
``delete`` (:class:`DeletableEntries`).

A class for a new list names only the model of its entries and the operations; everything else is here.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, cast, overload

from norce_order_async.errors import InvalidRequestError, PendingError
from norce_order_async.orders.amounts import Received, check_amounts
from norce_order_async.orders.checking import (
    Edit,
    Model,
    Referenced,
    edited,
    model_of,
    proposing,
    read_as,
    with_reference,
    written,
)
from norce_order_async.orders.ensuring import Ensured, ensure
from norce_order_async.orders.lazy import Part as Member
from norce_order_async.orders.record import Part
from norce_order_async.pipeline.operations import NaturalKey, Operation
from norce_order_async.pipeline.settings import CallOptions

REMOVED: Final = "removed"
"""The state of an entry that was removed. The service keeps it, and no longer counts it."""


class _Removable(Referenced, Protocol):
    """A model with a reference and a state."""

    @property
    def state(self) -> str | None: ...


M = TypeVar("M", bound=Model)
R = TypeVar("R", bound=_Removable)
D = TypeVar("D", bound=Mapping[str, Any])
"""The typed dict of an entry, such as ``PaymentDict``."""


class Entries(Part, Sequence[M], Generic[M, D]):
    """One list of an order: a sequence of the entries that were last read. Reading it never calls the service."""

    __slots__ = ()

    _id: ClassVar[str]
    """The name of an entry's id in addresses, such as ``payment_id``."""
    _creating: ClassVar[Operation]
    """Adds an entry. Its natural key names the list of the order, and the members that tell entries apart."""

    @abstractmethod
    def _model(self) -> type[M]:
        """The model of an entry. A method, so that models are imported only when they are needed."""

    def __iter__(self) -> Iterator[M]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    @overload
    def __getitem__(self, index: int) -> M: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[M]: ...
    def __getitem__(self, index: int | slice) -> M | Sequence[M]:
        return self._entries()[index]

    def _entries(self) -> Sequence[M]:
        entries: Sequence[M] | None = self._record.known().part(cast("Member", self._key().member))
        return entries or ()

    def _key(self) -> NaturalKey:
        return cast("NaturalKey", self._creating.natural_key)

    def _noun(self) -> str:
        """The name of an entry in messages."""
        return self._id.removesuffix("_id")

    def _checked(self, entry: M | D) -> M:
        """The entry that a caller gave, as a model."""
        return model_of(self._model(), entry, self._noun())

    async def _ensure(self, entry: M, among: Callable[[], Sequence[M]], options: CallOptions | None) -> Ensured[M]:
        """Create an entry, unless one of those that ``among`` returns has the same natural key."""
        key, noun = self._key(), self._noun()
        if not all(_values(entry, key.keys)):
            needed = " and ".join(f"{noun}.{member}" for member in key.keys)
            raise InvalidRequestError(f"{needed} must be given to identify the {noun}")
        members = (*key.keys, *key.about)
        wanted = _values(entry, members)
        return await ensure(
            self._record,
            entries=among,
            wanted=lambda there: _values(there, members) == wanted,
            operation=self._creating,
            body=entry,
            options=options,
        )


class DeletableEntries(Entries[M, D]):
    """A list whose entries can be deleted: the service forgets them."""

    __slots__ = ()

    _deleting: ClassVar[Operation]

    async def create(self, entry: M | D, *, options: CallOptions | None = None) -> None:
        """Add an entry to this part of the order. The answer has no id; ``await order.refresh()`` shows the entry.

        Args:
            entry: a model such as ``Hook`` or ``Consent``, or a dict in the API's spelling.
            options: settings of this call.

        Raises:
            InvalidRequestError: the entry can't be sent; nothing was sent.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: it did not succeed.
        """
        await self._record.create(self._creating, self._checked(entry), options)

    async def ensure(self, entry: M | D, *, options: CallOptions | None = None) -> Ensured[M]:
        """Create an entry unless there is one like it, for example so that a program that starts twice creates it once.
        The description of the list defines which entries are alike.

        Args:
            entry: the entry to create if there is none like it.
            options: settings of the calls.

        Returns:
            The entry, and whether this call created it.

        Raises:
            InvalidRequestError: the members that identify the entry are missing; nothing was sent.
            OutcomeUnknownError: the answer was lost, and the entry is not there (yet).
            PendingError: the entry was created, but the order does not show it yet.
            CallError: a step did not succeed.
        """
        return await self._ensure(self._checked(entry), lambda: self, options)

    async def delete(self, entry_id: str, *, options: CallOptions | None = None) -> None:
        """Delete an entry from the order.

        Raises:
            InvalidRequestError: ``entry_id`` can't be an id; nothing was sent.
            CallError: it did not succeed.
        """
        await self._record.write(self._deleting, path={self._id: entry_id}, options=options)


class RemovableEntries(Entries[R, D]):
    """A list whose entries can be removed: the service keeps them in the state ``removed``. Iterating gives removed
    ones too; :attr:`active` leaves them out."""

    __slots__ = ()

    _updating: ClassVar[Operation]
    _listing: ClassVar[Operation]
    _getting: ClassVar[Operation]

    @property
    def active(self) -> list[R]:
        """The entries that are not removed."""
        return [entry for entry in self if entry.state != REMOVED]

    async def create(self, entry: R | D, *, allow_fractions: bool = False, options: CallOptions | None = None) -> str:
        """Add an entry to this part of the order: a payment with ``order.payments``, a shipping with
        ``order.shippings``.

        Example::

            payment_id = await order.payments.create({"reference": "p-1", "name": "Invoice", "amount": 125})

        Args:
            entry: a model such as ``Payment`` or ``Shipping``, or a dict in the API's spelling.
            allow_fractions: True sends amounts with more than two decimals.
            options: settings of this call.

        Returns:
            The entry's id.

        Raises:
            InvalidRequestError: the entry can't be sent; nothing was sent.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: it did not succeed.
        """
        model = self._checked(entry)
        self._check_amounts(model, allow_fractions)
        answer = await self._record.create(self._creating, model, options)
        return answer.id or ""

    async def ensure(
        self,
        entry: R | D,
        *,
        reference: str | None = None,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> Ensured[R]:
        """Create an entry unless there is one with this reference that is not removed. An entry that exists is not
        changed.

        Args:
            entry: the entry to create if there is none.
            reference: its identifier in another system, such as the payment provider; by default the reference of
                ``entry``.
            allow_fractions: True sends amounts with more than two decimals.
            options: settings of the calls.

        Returns:
            The entry, and whether this call created it.

        Raises:
            InvalidRequestError: there is no reference, or ``entry`` has another one; nothing was sent.
            OutcomeUnknownError: the answer was lost, and the entry is not there (yet).
            PendingError: the entry was created, but the order does not show it yet.
            CallError: a step did not succeed.
        """
        model = with_reference(self._model(), self._checked(entry), reference, self._noun())
        self._check_amounts(model, allow_fractions)
        return await self._ensure(model, lambda: self.active, options)

    async def get(self, entry_id: str, *, options: CallOptions | None = None) -> R:
        """Read one entry from the service.

        Raises:
            InvalidRequestError: ``entry_id`` can't be an id; nothing was sent.
            NotFoundError: the order has no such entry.
            CallError: it did not succeed.
        """
        path = {"order_id": self._record.id, self._id: entry_id}
        answer = await self._record.session.call(self._getting, path, options=options)
        return read_as(self._model(), answer, self._noun(), self._getting, self._record.id)

    async def put(
        self,
        entry_id: str,
        entry: R | D,
        *,
        allow_fractions: bool = False,
        options: CallOptions | None = None,
    ) -> R | None:
        """Replace an entry; last write wins.

        Args:
            entry_id: the id of the entry to replace.
            entry: a model, or a dict in the API's spelling.
            allow_fractions: True sends amounts with more than two decimals. Amounts of the entry that was last read are
                always sent.
            options: settings of this call.

        Returns:
            The entry in the service's answer; None if the answer has none.

        Raises:
            InvalidRequestError: the entry can't be sent; nothing was sent.
            CallError: it did not succeed.
        """
        received = partial(self._record.received, self._key().member, entry_id)
        return await self._put(entry_id, self._checked(entry), received, allow_fractions, options)

    async def update(
        self, entry_id: str, edit: Edit[R], *, allow_fractions: bool = False, options: CallOptions | None = None
    ) -> R | None:
        """Read an entry, apply a function to it, and put the result; last write wins.

        Args:
            entry_id: the id of the entry to change.
            edit: a function that changes the entry and returns None, or returns another one.
            allow_fractions: True puts amounts with more than two decimals. Amounts that came from the service are
                always sent.
            options: settings of the calls.

        Returns:
            The entry in the service's answer; None if the answer has none.

        Raises:
            InvalidRequestError: the new entry can't be sent; nothing was written.
            NotFoundError: the order has no such entry.
            ChangeRefusedError: the service, or a hook, refused the change; ``proposed`` is the entry that was put.
            CallError: a step did not succeed.
        """
        current = await self.get(entry_id, options=options)
        proposed = edited(type(current), current, edit)
        with proposing(proposed):
            return await self._put(entry_id, proposed, current.to_dict, allow_fractions, options)

    async def remove(self, entry_id: str, *, options: CallOptions | None = None) -> R:
        """Remove an entry: set its state to ``removed``, and read it back. The order keeps it.

        Returns:
            The entry as read back.

        Raises:
            NotFoundError: the order has no such entry.
            PendingError: the entry does not show as removed.
            CallError: a step did not succeed.
        """
        await self.update(entry_id, _removed, options=options)
        entry = await self.get(entry_id, options=options)
        if entry.state != REMOVED:
            raise PendingError(
                f"the {self._noun()} was marked as removed, but does not show so",
                operation=self._updating.id,
                order_id=self._record.id,
                advice="another program may have written it meanwhile: read it again",
            )
        return entry

    async def list(self, *, options: CallOptions | None = None) -> list[R]:
        """Read all entries from the service, including removed ones. Anything in the list that is not an entry is left
        out, and counted in ``client.drift``.

        Raises:
            UnavailableError: there was no usable answer, or it is not a list.
            CallError: it did not succeed otherwise.
        """
        return cast("list[R]", await self._read_list(self._listing, {}, self._key().member, options))

    async def _read_list(
        self, operation: Operation, path: Mapping[str, str], what: str, options: CallOptions | None
    ) -> Sequence[Any]:
        """Read a list from the service.

        Raises:
            UnavailableError: there was no usable answer, or it is not a list.
        """
        answer = await self._record.session.call(operation, {"order_id": self._record.id, **path}, options=options)
        return cast("Sequence[Any]", read_as(list, answer, f"list of {what}", operation, self._record.id))

    async def _put(
        self, entry_id: str, entry: R, received: Received, allow_fractions: bool, options: CallOptions | None
    ) -> R | None:
        self._check_amounts(entry, allow_fractions, received)
        answer = await self._record.write(self._updating, entry, path={self._id: entry_id}, options=options)
        return cast("R | None", answer.parsed)

    def _check_amounts(self, entry: R, allow_fractions: bool, received: Received | None = None) -> None:
        noun = self._noun()
        body = written(entry, noun)
        check_amounts(self._model().__name__, body, noun, received=received, allow_fractions=allow_fractions)


def _removed(entry: R) -> R:
    return type(entry).from_dict({**entry.to_dict(), "state": REMOVED})


def _values(entry: object, members: Sequence[str]) -> tuple[object, ...]:
    """The values of a model's members, which are given in the API's spelling."""
    return tuple(getattr(entry, re.sub("(?<=[a-z])([A-Z])", r"_\1", name).lower()) for name in members)
