"""The free-form data kept with an order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from norce_order_async._json import Unshown
from norce_order_async.checking import check_kind, mapping_of
from norce_order_async.errors import InvalidRequestError
from norce_order_async.orders.record import OrderRecord, Part
from norce_order_async.pipeline.operations import PATCH_ATTRIBUTES
from norce_order_async.pipeline.settings import CallOptions


class AttributesPart(Part, Mapping[str, Any]):
    """The attributes that were last read, as a mapping. :meth:`update` and :meth:`remove` change them."""

    __slots__ = ()

    def __init__(self, record: OrderRecord) -> None:
        super().__init__(record)

    def __getitem__(self, key: str) -> Any:
        return self._attributes()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes())

    def __len__(self) -> int:
        return len(self._attributes())

    def _attributes(self) -> Mapping[str, Any]:
        attributes: Mapping[str, Any] | None = self._record.known().part("attributes")
        return attributes or {}

    async def remove(self, *names: str, options: CallOptions | None = None) -> None:
        """Remove attributes by sending null for them. It is assumed, not published, that this removes them.

        Args:
            names: the names of the attributes, at least one.
            options: settings of this call.

        Raises:
            InvalidRequestError: there is no name, or one is not a string; nothing was sent.
            CallError: it did not succeed.
        """
        if not names:
            raise InvalidRequestError("name at least one attribute")
        for name in names:
            check_kind("an attribute's name", name, str, "a string", InvalidRequestError)
        await self.update(dict.fromkeys(names), options=options)

    async def update(self, changes: Mapping[str, Any], *, options: CallOptions | None = None) -> None:
        """Merge ``changes`` into the attributes. It is assumed, not published, that a null removes an attribute.

        Raises:
            InvalidRequestError: a name is not a string or is empty, or a value is not JSON data; nothing was sent.
            CallError: it did not succeed.
        """
        changes = mapping_of("changes", changes, InvalidRequestError)
        if not all(isinstance(key, str) and key for key in changes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRequestError("attribute names must be strings that are not empty")
        await self._record.write(PATCH_ATTRIBUTES, Unshown(changes), options=options)
