"""Pages of a listing: one as it is asked for, and those of a walk, of a size that the service takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from norce_order_async import models
from norce_order_async._api import read_model
from norce_order_async._json import is_list, is_mapping, list_or_empty, mapping_or_empty, text_or_none
from norce_order_async.display import table_in_html
from norce_order_async.errors import RefusedError, UnavailableError
from norce_order_async.orders.checking import holds_no
from norce_order_async.orders.filter import OrderFilter
from norce_order_async.orders.iteration import SMALLEST_PAGE
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.order import Order
from norce_order_async.orders.rendering import render_table, written_amount, written_time
from norce_order_async.pipeline.answer import Answer
from norce_order_async.pipeline.operations import LIST_ORDERS
from norce_order_async.pipeline.response import DriftRecord
from norce_order_async.pipeline.session import Session
from norce_order_async.pipeline.settings import CallOptions
from norce_order_async.runtime.clock import Deadline

if TYPE_CHECKING:
    from rich.console import RenderableType

    from norce_order_async.models import Pagination


_COLUMNS = ("Order", "status", "created", "total")


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of a listing: its orders, and the pagination as the service sent it.

    ``size`` and ``totalSize`` of the pagination are published in two ways; do not rely on either to know whether there
    is more.

    Example::

        page = await norce.orders.list(OrderFilter(status="checkout"), limit=20)
        for each in page.orders:
            print(each.id, each.status)
    """

    orders: list[Order]
    pagination: Pagination | None

    def __rich__(self) -> RenderableType:
        return render_table(_COLUMNS, self._rows())

    def _repr_html_(self) -> str:
        return table_in_html(_COLUMNS, self._rows())

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                order.id,
                order.status or "unknown",
                written_time(order.created),
                written_amount(order.amount, order.data.currency),
            )
            for order in self.orders
        ]


async def read_orders(
    session: Session, query: Mapping[str, Any], options: CallOptions | None, deadline: Deadline | None = None
) -> tuple[OrderPage, Answer]:
    """One page of orders, not decoded, and the answer that it came with.

    Raises:
        UnavailableError: the answer is something else. It is not an empty page, after which a walk would be complete.
    """
    answer = await session.call(LIST_ORDERS, {}, query=query, options=options, deadline=deadline)
    drift = session.core.drift
    bodies, pagination = read_page(answer.data, drift)
    if not is_mapping(answer.data) or not isinstance(answer.data.get("data"), list | None):
        raise holds_no("list of orders", answer, LIST_ORDERS)
    orders = [
        Order(session, order_id, OrderBody(plain, drift))
        for plain in bodies
        if (order_id := text_or_none(plain.get("id")))
    ]
    return OrderPage(orders, pagination), answer


def read_page(page: Any, drift: DriftRecord) -> tuple[Sequence[Mapping[str, Any]], Pagination | None]:
    """The orders of a page, not decoded, and what stands around them."""
    entries = mapping_or_empty(page).get("data")
    orders = [entry for entry in list_or_empty(entries) if is_mapping(entry)]
    if is_list(entries):
        # Read like any answer, without the entries that are orders: so everything else that is odd counts as drift.
        page = {**page, "data": [entry for entry in entries if not is_mapping(entry)]}
    around = drift.reading(LIST_ORDERS.id, read_model, models.OrderPaginationSet, page, f"{LIST_ORDERS.id}.200")
    return orders, around.pagination if around else None


class Pages:
    """The pages of one walk, oldest orders first, of the size asked for or of a smaller one."""

    def __init__(
        self,
        session: Session,
        where: OrderFilter,
        page_size: int | None,
        options: CallOptions | None,
        deadline: Deadline | None = None,
    ) -> None:
        self._session = session
        # A filter is read once here and used for every page, so that one given as a generator is not used up.
        self._where = replace(where.held(), order_by="created", order_by_direction="asc")
        self._size = page_size
        self._size_was_taken = False
        self._options = options
        self._deadline = deadline
        self._answer: Answer | None = None
        """The last one, by which a fault can be looked up."""

    async def fetch(self, date_from: datetime | None, offset: int) -> Sequence[Order]:
        """One page.

        Raises:
            CallError: it could not be read, also not with a smaller size.
        """
        query = replace(self._where, date_from=date_from).query() | {"offset": offset}
        refused: RefusedError | None = None
        while True:
            sized = query if self._size is None else query | {"limit": self._size}
            try:
                page, self._answer = await read_orders(self._session, sized, self._options, self._deadline)
            except RefusedError as error:
                # What is said of the first size is the truth if it was not the size.
                refused = refused or error
                if not self._shrink(error):
                    raise refused from None
            else:
                self._size_was_taken = True
                return page.orders

    def _shrink(self, error: RefusedError) -> bool:
        """Whether a smaller page is worth asking for: the service takes no request as it is, and took none before."""
        if self._size is None or self._size_was_taken or error.status not in (400, 422) or self._size <= SMALLEST_PAGE:
            return False
        self._size = max(self._size // 2, SMALLEST_PAGE)
        return True

    def fault(self, what: str) -> UnavailableError:
        """The error for a listing that can't be walked."""
        answer = self._answer
        return UnavailableError(
            what,
            operation=LIST_ORDERS.id,
            correlation_id=answer.correlation_id if answer else "",
            attempts=answer.attempts if answer else (),
            status=answer.status if answer else None,
            advice="narrow it by date_from and date_to until it fits on one page, which page_size makes larger",
        )
