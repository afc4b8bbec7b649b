"""The ready actions.

:func:`from_journal` makes each of them again from the name and parameters in a journal. They settle by reading the
order. Each sets something to a value, so running one again after its first request arrived late changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from norce_order_async.bulk.actions.base import Action, Plain, Row, Settlement
from norce_order_async.bulk.actions.export import Export, ExportFormat
from norce_order_async.checking import check_kind, mapping_of, path_of
from norce_order_async.display import shown
from norce_order_async.errors import (
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    TransitionRefusedError,
)
from norce_order_async.orders.lifecycle import check_status, explain, predecessors
from norce_order_async.orders.transition import Transitioned
from norce_order_async.orders.validation import ValidationReport
from norce_order_async.pipeline.settings import CallOptions

if TYPE_CHECKING:
    from norce_order_async.models import OrderStatus
    from norce_order_async.orders.order import Order

T = TypeVar("T")

SHOWN_WITHIN = 60.0
"""Seconds for one change of status. Other calls of a job have no deadline. But the service may drop a change that it
accepted (202), and the job would wait for that one for ever."""
_IN_TIME = CallOptions(deadline=SHOWN_WITHIN)

__all__ = [
    "delete",
    "export",
    "from_journal",
    "patch_attributes",
    "plain",
    "remove",
    "set_reference",
    "transition",
    "validate",
]


class Transition(Action[Transitioned]):
    """Move orders to a status."""

    name = "transition"

    def __init__(self, to: OrderStatus, *, validate: bool = False, explain: bool = False) -> None:
        self._to: OrderStatus = check_status(to)
        self._options = {"validate": validate, "explain": explain}
        self.parameters = {"to": self._to, **{name: True for name, given in self._options.items() if given}}

    async def apply(self, order: Order, row: Row) -> Transitioned:
        del row
        return await order.transition_to(self._to, **self._options, options=_IN_TIME)

    async def settle(self, order: Order, row: Row) -> Settlement:
        """Done if the order has or, by the service's log, had the status; not done if it can still be moved there."""
        del row
        await order.refresh()
        if order.status == self._to or any(period.status == self._to for period in order.transitions):
            return "done"
        return "not done" if order.status in predecessors(self._to) else "unknown"

    async def preview(self, order: Order, row: Row) -> str:
        del row
        await order.refresh()
        return explain(order.status, self._to)

    def did_nothing(self, value: Transitioned) -> bool:
        return not value.called

    def excuses(self, error: Exception) -> bool:
        return isinstance(error, TransitionRefusedError)


class Validate(Action[ValidationReport]):
    """Have the service validate orders. The reports are the values of the outcomes."""

    name = "validate"
    writes = False

    def __init__(self) -> None:
        self.parameters = {}

    async def apply(self, order: Order, row: Row) -> ValidationReport:
        del row
        return await order.validate()


class SetReference(Action[None]):
    """Set the identifier of orders in another system: the same for all, or from a column of the source."""

    name = "set reference"

    def __init__(self, value: str | None, column: str | None) -> None:
        if (value is None) == (column is None):
            raise ConfigurationError("give either value or column")
        self._value = value
        self.columns = () if column is None else (column,)
        self.parameters = {"value": value, "column": column}

    def _wanted(self, row: Row) -> str:
        wanted = row[self.columns[0]] if self.columns else self._value
        if not isinstance(wanted, str) or not wanted:
            raise InvalidRequestError("the reference must be a string that is not empty")
        return wanted

    async def apply(self, order: Order, row: Row) -> None:
        await order.set_reference(self._wanted(row))

    async def settle(self, order: Order, row: Row) -> Settlement:
        await order.refresh()
        return "done" if order.reference == self._wanted(row) else "not done"

    async def preview(self, order: Order, row: Row) -> str:
        await order.refresh()
        if order.reference == self._wanted(row):
            return "has this reference already"
        return "would replace its reference" if order.reference else "would get a reference"


class PatchAttributes(Action[None]):
    """Set attributes: the same for all orders, or from columns of the source with the attributes' names."""

    name = "patch attributes"

    def __init__(self, changes: Mapping[str, Any] | None, columns: tuple[str, ...]) -> None:
        if not changes and not columns:
            raise ConfigurationError("give changes, columns, or both")
        self._changes = mapping_of("changes", changes or {}, ConfigurationError)
        check_kind("columns", columns, (tuple, list), "a tuple of names", ConfigurationError)
        for column in columns:
            check_kind("a column", column, str, "a string", ConfigurationError)
        self.columns = tuple(columns)
        self.parameters = {"changes": self._changes, "columns": list(columns)}

    async def apply(self, order: Order, row: Row) -> None:
        await order.attributes.update({**self._changes, **row})

    async def settle(self, order: Order, row: Row) -> Settlement:
        await order.refresh()
        return "not done" if self._missing(order, row) else "done"

    async def preview(self, order: Order, row: Row) -> str:
        await order.refresh()
        missing = self._missing(order, row)
        return f"would set {', '.join(missing)}" if missing else "has these attributes already"

    def _missing(self, order: Order, row: Row) -> list[str]:
        wanted = {**self._changes, **row}
        return [name for name, value in wanted.items() if order.attributes.get(name) != value]


class Delete(Action[None]):
    """Delete orders from the service's storage."""

    name = "delete"

    def __init__(self) -> None:
        self.parameters = {}

    async def apply(self, order: Order, row: Row) -> None:
        del row
        await order.delete()

    async def settle(self, order: Order, row: Row) -> Settlement:
        del row
        try:
            await order.refresh()
        except NotFoundError:
            return "done"
        return "not done"

    async def preview(self, order: Order, row: Row) -> str:
        del row
        await order.refresh()
        return f"would be deleted; it is {shown(order.status)}"

    def shows_done(self, error: Exception) -> bool:
        return isinstance(error, NotFoundError)


def transition(to: OrderStatus, *, validate: bool = False, explain: bool = False) -> Transition:
    """Move orders to a status. Orders that have it count as already done.

    Args:
        to: the status.
        validate: have the service validate each order first. An invalid order is refused and left as it is.
        explain: have the service validate each refused order, and add what is missing to the outcome's error.

    Raises:
        InvalidRequestError: there is no such status.
    """
    return Transition(to, validate=validate, explain=explain)


def remove() -> Transition:
    """Move orders to ``removed``: they are abandoned, and can still be read."""
    return Transition("removed")


def validate() -> Validate:
    """Have the service validate orders. The verdict is ``done`` either way; ``outcome.value`` is the report."""
    return Validate()


def export(
    out: str | Path,
    *,
    fields: Mapping[str, str] | None = None,
    format: ExportFormat | None = None,
    overwrite: bool = False,
    raw_cells: bool = False,
) -> Export:
    """Read orders and write them to a file; with ``spread(...)``, to a folder of one file a shard.

    Args:
        out: the file. It appears when every order has been read; until then its lines are in ``<name>.part``. With a
            journal these stay as long as there are orders to try again. With ``spread``, a folder that all workers see
            under this path, new or empty; ``format`` is needed then.
        fields: columns and where they are in an order, such as ``{"total": "total.includingVat", "first":
            "cart.items.0.sku", "paid": "payments[*].amount"}``. By default, JSON Lines hold the whole order, and CSV
            and Parquet a few columns without personal data.
        format: ``"jsonl"``, ``"csv"`` or ``"parquet"`` (with the ``parquet`` extra); by default, the file's ending.
        overwrite: whether to replace an existing file, or the export in the folder. By default, the job fails before an
            order is read.
        raw_cells: whether to leave texts in CSV as they are. By default, a text that a spreadsheet would run as a
            formula gets a ``'`` in front, which ``norce_order_async.bulk.as_it_was`` removes.

    Raises:
        ConfigurationError: the format is unknown, no order has a field, or the extra is missing.
    """
    return Export(path_of("out", out), fields, format, overwrite=overwrite, raw_cells=raw_cells)


def set_reference(value: str | None = None, *, column: str | None = None) -> SetReference:
    """Set the identifier of orders in another system, to one value or from a column of the source's rows.

    Raises:
        ConfigurationError: neither or both are given.
    """
    return SetReference(value, column)


def patch_attributes(changes: Mapping[str, Any] | None = None, *, columns: tuple[str, ...] = ()) -> PatchAttributes:
    """Set attributes to the same values for all orders, from columns of the source's rows, or both.

    Args:
        changes: attributes and their values.
        columns: columns of the rows; each sets the attribute of that name.

    Raises:
        ConfigurationError: neither is given, or one is of a wrong type.
    """
    return PatchAttributes(changes, columns)


def delete() -> Delete:
    """Delete orders from the service's storage. :func:`remove` keeps them readable."""
    return Delete()


def plain(name: str, function: Callable[[Order], Awaitable[T]]) -> Plain[T]:
    """Make an action of an async function, with a name by which a journal recognises it.

    A job can't read whether a function took effect: items in flight at a crash become ``unknown``.

    Raises:
        ConfigurationError: the name is that of a ready action, or ``function`` is not a function.
    """
    check_kind("name", name, str, "a string", ConfigurationError)
    if not callable(function):
        raise ConfigurationError(f"function must be an async function, not {type(function).__name__}")
    if name in _MADE:
        raise ConfigurationError(f"{name!r} is the name of a ready action: give the function another")
    return Plain(function, name)


def from_journal(name: str, parameters: Mapping[str, Any]) -> Action[Any]:
    """Return the ready action that a journal names.

    Raises:
        ConfigurationError: it is not a ready action, or the parameters are not those of that action.
    """
    check_kind("name", name, str, "a string", ConfigurationError)
    check_kind("parameters", parameters, Mapping, "a dict", ConfigurationError)
    made = _MADE.get(name)
    if made is None:
        raise ConfigurationError(f"{name!r} is not a ready action: continue the job in the program that began it")
    try:
        return made(parameters)
    except (KeyError, TypeError, AttributeError):
        raise ConfigurationError(
            f"{name!r} with these parameters is not a ready action: continue the job in the program that began it"
        ) from None


_MADE: Mapping[str, Callable[[Mapping[str, Any]], Action[Any]]] = {
    "transition": lambda kept: Transition(
        kept["to"], validate=kept.get("validate", False), explain=kept.get("explain", False)
    ),
    "validate": lambda _: Validate(),
    "export": lambda kept: Export(
        Path(kept["out"]), kept["fields"], kept["format"], raw_cells=kept.get("raw_cells", False)
    ),
    "set reference": lambda kept: SetReference(kept["value"], kept["column"]),
    "patch attributes": lambda kept: PatchAttributes(kept["changes"], tuple(kept["columns"])),
    "delete": lambda _: Delete(),
}
"""Makes each ready action from its parameters in a journal."""
