"""Pages of a listing: a single page, and the pages of an iteration, in a size that the service accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from norce_order_async import models
from norce_order_async._api import read_model
from norce_order_async._json import is_list, is_mapping, list_or_empty, mapping_or_empty, text_or_none
from norce_order_async.display import render_table, table_in_html, written_amount, written_time
from norce_order_async.errors import RefusedError, UnavailableError
from norce_order_async.orders.checking import wrong_answer
from norce_order_async.orders.filter import OrderFilter
from norce_order_async.orders.iteration import SMALLEST_PAGE
from norce_order_async.orders.lazy import OrderBody
from norce_order_async.orders.order import Order
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

    ``size`` and ``totalSize`` of the pagination are published in two ways, so they don't show whether there are more
    orders.

    Example::

        page = await norce.orders.list(OrderFilter(status="checkout"), limit=20)
        for each in page.orders:
            print(each.id, each.status)
    """

    orders: list[Order]
    """The orders of the page, as the service sorted them."""
    pagination: Pagination | None
    """The service's own figures; None if it sent none."""

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
    """One page of orders, not decoded, and the answer.

    Raises:
        UnavailableError: the answer is not a page. It must not count as an empty one, which would end an iteration.
    """
    answer = await session.call(LIST_ORDERS, {}, query=query, options=options, deadline=deadline)
    drift = session.core.drift
    bodies, pagination = read_page(answer.data, drift)
    if not is_mapping(answer.data) or not isinstance(answer.data.get("data"), list | None):
        raise wrong_answer("list of orders", answer, LIST_ORDERS)
    orders = [
        Order(session, order_id, OrderBody(plain, drift))
        for plain in bodies
        if (order_id := text_or_none(plain.get("id")))
    ]
    return OrderPage(orders, pagination), answer


def read_page(page: Any, drift: DriftRecord) -> tuple[Sequence[Mapping[str, Any]], Pagination | None]:
    """The orders of a page, not decoded, and its pagination."""
    entries = mapping_or_empty(page).get("data")
    orders = [entry for entry in list_or_empty(entries) if is_mapping(entry)]
    if is_list(entries):
        # Parsed like any answer, but without the orders, so that all other differences count as drift.
        page = {**page, "data": [entry for entry in entries if not is_mapping(entry)]}
    around = drift.reading(LIST_ORDERS.id, read_model, models.OrderPaginationSet, page, f"{LIST_ORDERS.id}.200")
    return orders, around.pagination if around else None


class Pages:
    """The pages of one iteration, oldest orders first, in the given size or a smaller one."""

    def __init__(
        self,
        session: Session,
        where: OrderFilter,
        page_size: int | None,
        options: CallOptions | None,
        deadline: Deadline | None = None,
    ) -> None:
        self._session = session
        # The filter's iterables are read once here, because every page uses them.
        self._where = replace(where.held(), order_by="created", order_by_direction="asc")
        self._size = page_size
        self._size_was_taken = False
        self._options = options
        self._deadline = deadline
        self._answer: Answer | None = None
        """The last answer, for the correlation id in an error."""

    async def fetch(self, date_from: datetime | None, offset: int) -> Sequence[Order]:
        """Read one page, with a smaller size if the service refuses the first one.

        Raises:
            CallError: the page could not be read.
        """
        query = replace(self._where, date_from=date_from).query() | {"offset": offset}
        refused: RefusedError | None = None
        while True:
            sized = query if self._size is None else query | {"limit": self._size}
            try:
                page, self._answer = await read_orders(self._session, sized, self._options, self._deadline)
            except RefusedError as error:
                # If the size was not the reason, the first refusal is the one to raise.
                refused = refused or error
                if not self._shrink(error):
                    raise refused from None
            else:
                self._size_was_taken = True
                return page.orders

    def _shrink(self, error: RefusedError) -> bool:
        """Halve the page size. False if the refusal can't be due to the size."""
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
            advice="narrow the filter with date_from and date_to until the orders fit on one page, or raise page_size",
        )
