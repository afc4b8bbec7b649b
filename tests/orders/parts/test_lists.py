"""The lists of an order: one view, one set of calls, and a new list in a few lines."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from norce_order_async import InvalidRequestError, NorceOrderClient, NotLoadedError, Order
from norce_order_async.models import Shipping, ShippingDict
from norce_order_async.orders.parts.entries import DeletableEntries, RemovableEntries
from norce_order_async.pipeline.operations import CREATE_SHIPPING, GET_SHIPPING, LIST_SHIPPINGS, UPDATE_SHIPPING
from norce_order_async.sandbox import Sandbox
from norce_order_async.scope import session_of
from tests.support.orders import CONTEXT

pytestmark = pytest.mark.anyio

LISTS = ("payments", "shippings", "hooks", "notifications", "validations", "consents")


class ParcelsPart(RemovableEntries[Shipping, ShippingDict]):
    """The code of a new list of an order. The service has no parcels, so this one uses the shippings."""

    __slots__ = ()

    _id = "shipping_id"
    _creating = CREATE_SHIPPING
    _updating = UPDATE_SHIPPING
    _listing = LIST_SHIPPINGS
    _getting = GET_SHIPPING

    def _model(self) -> type[Shipping]:
        return Shipping


class WithParcels(Order):
    """A handle of an order that has parcels."""

    __slots__ = ()

    @property
    def parcels(self) -> ParcelsPart:
        return ParcelsPart(self._record)


async def test_a_new_list_is_a_few_lines_and_has_every_call(norce: NorceOrderClient) -> None:
    """A new list of an order needs at most 25 lines, and has every call and a view of what was last read."""
    assert len(inspect.getsource(ParcelsPart).splitlines() + inspect.getsource(WithParcels).splitlines()) <= 25
    created = await norce.orders.create(CONTEXT)
    order = WithParcels(session_of(norce), created.id)
    parcels = order.parcels
    parcel: ShippingDict = {"reference": "box", "total": {"includingVat": 1, "excludingVat": 1}, "vatRate": 0.25}
    first = await parcels.create(parcel)
    ensured = await parcels.ensure(parcel)
    assert (ensured.created, ensured.value.id) == (False, first)
    assert [entry.id for entry in parcels] == [first]
    assert (await parcels.get(first)).reference == "box"
    with pytest.raises(InvalidRequestError, match=r"shipping.total.includingVat is 0.001"):
        await parcels.create({**parcel, "total": {"includingVat": 0.001, "excludingVat": 0}})

    def rename(entry: Shipping) -> None:
        entry.name = "Box"

    await parcels.update(first, rename)
    assert [entry.name for entry in await parcels.list()] == ["Box"]
    await parcels.put(first, {**parcel, "name": "Crate"})
    assert (await parcels.remove(first)).state == "removed"
    await order.refresh()
    assert (len(parcels), parcels.active, parcels[0].name) == (1, [], "Crate")
    assert repr(parcels) == f"<Parcels of order {order.id}>"


async def test_a_list_is_a_sequence_of_what_was_read(norce: NorceOrderClient, sandbox: Sandbox) -> None:
    """A list supports indexes, slices and reversal without a call. It raises before the order was read."""
    order = await norce.orders.create(CONTEXT)
    for name in ("terms", "news", "age"):
        await order.consents.create({"id": name})
    with pytest.raises(NotLoadedError):
        _ = order.consents[0]
    await order.refresh()
    sandbox.requests.clear()
    assert [order.consents[0].id, order.consents[-1].id] == ["terms", "age"]
    assert [consent.id for consent in order.consents[1:]] == ["news", "age"]
    assert [consent.id for consent in reversed(order.consents)] == ["age", "news", "terms"]
    assert order.consents[1] in order.consents
    with pytest.raises(IndexError):
        _ = order.payments[0]
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_has_remove_or_delete(norce: NorceOrderClient, name: str) -> None:
    """A list has ``remove`` if the service only marks its entries, and ``delete`` if the service deletes them."""
    kept = name in ("payments", "shippings")
    entries: Any = getattr(norce.orders("o1"), name)
    base: type[object] = RemovableEntries if kept else DeletableEntries
    assert base in type(entries).__mro__
    assert (hasattr(entries, "remove"), hasattr(entries, "delete")) == (kept, not kept)


async def test_a_deleted_entry_is_gone(norce: NorceOrderClient) -> None:
    """A deleted entry is gone from the order and not only marked."""
    order = await norce.orders.create(CONTEXT)
    await order.consents.create({"id": "terms"})
    check = await order.validations.ensure({"adapterId": "a1", "url": "http://127.0.0.1:9/check"})
    assert check.value.id is not None
    await order.validations.delete(check.value.id)
    await order.consents.delete("terms")
    again: Order = await norce.orders.get(order.id)
    assert (list(again.validations), list(again.consents)) == ([], [])
