"""The consents shown in the checkout: those that are required must be checked before processing."""

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
    """The consents that were last read. Two consents are alike that have one ``id``, which is yours to choose."""

    __slots__ = ()

    _id = "consent_id"
    _creating = CREATE_CONSENT
    _deleting = REMOVE_CONSENT

    def _model(self) -> type[Consent]:
        return models.Consent

    async def check(self, *consent_ids: str, options: CallOptions | None = None) -> None:
        """Tick consents, several in one call.

        Raises:
            InvalidRequestError: no id, or one that can't be; nothing was sent.
            CallError: it did not succeed.
        """
        await self._mark(consent_ids, checked=True, options=options)

    async def uncheck(self, *consent_ids: str, options: CallOptions | None = None) -> None:
        """Untick consents, several in one call.

        Raises:
            InvalidRequestError: no id, or one that can't be; nothing was sent.
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
        """Tick or untick a consent; the service takes over nothing else of it."""
        body = models.Consent(id=consent_id, checked=checked)
        await self._record.write(PATCH_CONSENT, body, path={"consent_id": consent_id}, options=options)

    async def patch(self, consents: Iterable[Consent | ConsentDict], *, options: CallOptions | None = None) -> None:
        """Tick or untick several in one call; each needs its id and ``checked``."""
        await self._record.write(PATCH_CONSENTS, models_of(models.Consent, consents, "consents"), options=options)
