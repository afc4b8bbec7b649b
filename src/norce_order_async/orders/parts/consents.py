"""The consents shown in the checkout. Required consents must be checked before the order is processed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from norce_order_async import models
from norce_order_async.errors import InvalidRequestError
from norce_order_async.orders.checking import models_of
from norce_order_async.orders.parts.entries import DeletableEntries
from norce_order_async.pipeline.operations import CREATE_CONSENT, PATCH_CONSENT, PATCH_CONSENTS, REMOVE_CONSENT
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_async.models import Consent, ConsentDict


class ConsentsPart(DeletableEntries["Consent", "ConsentDict"]):
    """The consents that were last read. Two consents are alike if they have the same ``id``, which you choose."""

    __slots__ = ()

    _id = "consent_id"
    _creating = CREATE_CONSENT
    _deleting = REMOVE_CONSENT

    def _model(self) -> type[Consent]:
        return models.Consent

    async def check(self, *consent_ids: str, options: CallOptions | None = None) -> None:
        """Tick one or more consents in one call.

        Raises:
            InvalidRequestError: there is no id, or one can't be an id; nothing was sent.
            CallError: it did not succeed.
        """
        await self._mark(consent_ids, checked=True, options=options)

    async def uncheck(self, *consent_ids: str, options: CallOptions | None = None) -> None:
        """Untick one or more consents in one call.

        Raises:
            InvalidRequestError: there is no id, or one can't be an id; nothing was sent.
            CallError: it did not succeed.
        """
        await self._mark(consent_ids, checked=False, options=options)

    async def _mark(self, consent_ids: Sequence[str], *, checked: bool, options: CallOptions | None) -> None:
        if not consent_ids:
            raise InvalidRequestError("name at least one consent")
        if len(consent_ids) == 1:
            await self.patch_one(consent_ids[0], checked=checked, options=options)
        else:
            await self.patch([models.Consent(id=one, checked=checked) for one in consent_ids], options=options)

    async def patch_one(self, consent_id: str, *, checked: bool, options: CallOptions | None = None) -> None:
        """Tick or untick a consent. The service changes nothing else of it.

        Raises:
            InvalidRequestError: the id can't be an id; nothing was sent.
            CallError: it did not succeed.
        """
        body = models.Consent(id=consent_id, checked=checked)
        await self._record.write(PATCH_CONSENT, body, path={"consent_id": consent_id}, options=options)

    async def patch(self, consents: Iterable[Consent | ConsentDict], *, options: CallOptions | None = None) -> None:
        """Tick or untick several consents in one call. Each needs its id and ``checked``.

        Raises:
            InvalidRequestError: a consent can't be sent; nothing was sent.
            CallError: it did not succeed.
        """
        await self._record.write(PATCH_CONSENTS, models_of(models.Consent, consents, "consents"), options=options)
