"""What the lists of an order have in common.

A list is a view of the order as it was last read, and the calls that change it. Lists differ in what the service does
with an entry that is no longer wanted. It keeps payments and shippings and marks them as removed: these lists have
``remove`` (:class:`RemovableEntries`). It forgets hooks, notifications, validations and consents: these lists have
``delete`` (:class:`DeletableEntries`).

A new list says what its entries are and which operations act on them; everything else is here.
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
    read_as,
    showing,
    with_reference,
    written,
)
from norce_order_async.orders.ensuring import Ensured, ensure
from norce_order_async.orders.lazy import Part as Member
from norce_order_async.orders.record import Part
from norce_order_async.pipeline.operations import NaturalKey, Operation
from norce_order_async.pipeline.settings import CallOptions

REMOVED: Final = "removed"
"""The state of an entry that the service keeps and no longer counts."""


class _Removable(Referenced, Protocol):
    """A model with a reference and a state."""

    @property
    def state(self) -> str | None: ...


M = TypeVar("M", bound=Model)
R = TypeVar("R", bound=_Removable)
D = TypeVar("D", bound=Mapping[str, Any])
"""The typed dict of an entry, such as ``PaymentDict``."""


class Entries(Part, Sequence[M], Generic[M, D]):
    """One list of an order: a sequence of the entries that were last read. Looking at it never calls the service."""

    __slots__ = ()

    _id: ClassVar[str]
    """The name of an entry's id in addresses, such as ``payment_id``."""
    _creating: ClassVar[Operation]
    """Adds an entry. Its natural key names the list of the order, and the members that tell entries apart."""

    @abstractmethod
    def _model(self) -> type[M]:
        """The model of an entry, imported when it is first needed."""

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
        """What an entry is called in messages."""
        return self._id.removesuffix("_id")

    def _checked(self, entry: M | D) -> M:
        """A caller's entry as a model."""
        return model_of(self._model(), entry, self._noun())

    async def _ensure(self, entry: M, among: Callable[[], Sequence[M]], options: CallOptions | None) -> Ensured[M]:
        """Create an entry, unless there is one ``among`` these that is equal to it in the natural key."""
        key, noun = self._key(), self._noun()
        if not all(_values(entry, key.keys)):
            needed = " and ".join(f"{noun}.{member}" for member in key.keys)
            raise InvalidRequestError(f"{needed} must be given to tell one {noun} from another")
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
        """Add an entry to this part of the order. The service answers no id; ``await order.refresh()`` shows it.

        Args:
            entry: a model such as ``Hook`` or ``Consent``, or a dict in the API's spelling.
            options: what this call does differently.

        Raises:
            InvalidRequestError: it can't be sent; nothing was.
            OutcomeUnknownError: the answer was lost, and reading back did not settle it.
            CallError: it did not succeed.
        """
        await self._record.create(self._creating, self._checked(entry), options)

    async def ensure(self, entry: M | D, *, options: CallOptions | None = None) -> Ensured[M]:
        """Make sure that there is an entry like this one, so that a service that starts twice creates it once. The
        description of the list says when two entries are alike.

        Args:
            entry: what to create when there is none like it.
            options: what the calls do differently.

        Raises:
            InvalidRequestError: it lacks what tells entries apart; nothing was sent.
            OutcomeUnknownError: an answer was lost and the entry is not there (yet).
            CallError: a step did not succeed.
        """
        return await self._ensure(self._checked(entry), lambda: self, options)

    async def delete(self, entry_id: str, *, options: CallOptions | None = None) -> None:
        """Delete an entry: it is gone from the order.

        Raises:
            InvalidRequestError: what is given can't be an id; nothing was sent.
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
            options: what this call does differently.

        Returns:
            Its id.

        Raises:
            InvalidRequestError: it can't be sent; nothing was.
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
        """Make sure that there is an entry with this reference that is not removed; what is there stays as it is.

        Args:
            entry: what to create when there is none.
            reference: identifier in another system, such as the payment provider; that of ``entry`` when left out.
            allow_fractions: True sends amounts with more than two decimals.
            options: what the calls do differently.

        Raises:
            InvalidRequestError: no reference, or two that differ; nothing was sent.
            OutcomeUnknownError: an answer was lost and the entry is not there (yet).
            CallError: a step did not succeed.
        """
        model = with_reference(self._model(), self._checked(entry), reference, self._noun())
        self._check_amounts(model, allow_fractions)
        return await self._ensure(model, lambda: self.active, options)

    async def get(self, entry_id: str, *, options: CallOptions | None = None) -> R:
        """Read one entry from the service.

        Raises:
            InvalidRequestError: what is given can't be an id; nothing was sent.
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
            entry_id: which entry.
            entry: a model, or a dict in the API's spelling.
            allow_fractions: True sends amounts with more than two decimals. Those of the entry that was last read go
                back in any case.
            options: what this call does differently.

        Returns:
            The entry as the service answers it; None when it answered without one.

        Raises:
            InvalidRequestError: it can't be sent; nothing was.
            CallError: it did not succeed.
        """
        came = partial(self._record.received, self._key().member, entry_id)
        return await self._put(entry_id, self._checked(entry), came, allow_fractions, options)

    async def update(
        self, entry_id: str, edit: Edit[R], *, allow_fractions: bool = False, options: CallOptions | None = None
    ) -> R | None:
        """Read an entry, apply a function to it, and put the result; last write wins.

        Args:
            entry_id: which entry.
            edit: takes the entry and changes it, or returns another one.
            allow_fractions: True puts amounts with more than two decimals. Those that came from the service go back in
                any case.
            options: what the calls do differently.

        Returns:
            The entry as the service answers it; None when it answered without one.

        Raises:
            ChangeRefusedError: the service, or a hook, does not take the change; ``proposed`` is what was put.
            CallError: a step did not succeed.
        """
        current = await self.get(entry_id, options=options)
        proposed = edited(type(current), current, edit)
        with showing(proposed):
            return await self._put(entry_id, proposed, current.to_dict, allow_fractions, options)

    async def remove(self, entry_id: str, *, options: CallOptions | None = None) -> R:
        """Remove an entry: set its state to ``removed``, and see that it is. The order keeps it.

        Returns:
            The entry as read back.

        Raises:
            PendingError: it does not show as removed.
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
        """Read all entries from the service, removed ones too. What is no entry is left out, and counted in
        ``client.drift``.

        Raises:
            UnavailableError: no usable answer came, or one that is no list.
            CallError: it did not succeed otherwise.
        """
        path = {"order_id": self._record.id}
        answer = await self._record.session.call(self._listing, path, options=options)
        return cast("list[R]", read_as(list, answer, f"list of {self._key().member}", self._listing, self._record.id))

    async def _put(
        self, entry_id: str, entry: R, came: Received, allow_fractions: bool, options: CallOptions | None
    ) -> R | None:
        self._check_amounts(entry, allow_fractions, came)
        answer = await self._record.write(self._updating, entry, path={self._id: entry_id}, options=options)
        return cast("R | None", answer.parsed)

    def _check_amounts(self, entry: R, allow_fractions: bool, came: Received | None = None) -> None:
        noun = self._noun()
        body = written(entry, noun)
        check_amounts(self._model().__name__, body, noun, came=came, allow_fractions=allow_fractions)


def _removed(entry: R) -> R:
    return type(entry).from_dict({**entry.to_dict(), "state": REMOVED})


def _values(entry: object, members: Sequence[str]) -> tuple[object, ...]:
    """A model's members, which are named in the API's spelling."""
    return tuple(getattr(entry, re.sub("(?<=[a-z])([A-Z])", r"_\1", name).lower()) for name in members)
