"""What is done to each order of a job, and how to find out afterwards whether it was.

An action has a name and parameters, by which a journal knows it again; ``apply`` does it, and ``settle`` looks whether
it was done, for an item that was in flight when a job ended or whose answer was lost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from norce_order_async.display import shown
from norce_order_async.errors import ConfigurationError

if TYPE_CHECKING:
    from norce_order_async.bulk.actions.output import OutputFile
    from norce_order_async.orders.order import Order

T = TypeVar("T")

Row = Mapping[str, Any]
"""What a source gave besides the id, as far as the action asks for it (:attr:`Action.columns`)."""

Settlement = Literal["done", "not done", "unknown"]
"""``"not done"`` may be said only where applying again does no harm even if the first one lands late."""


class Action(ABC, Generic[T]):
    """One thing to do to an order. Must not change once made."""

    name: str
    parameters: Mapping[str, Any]
    """JSON data; with the name, it is what a journal compares when it is resumed."""
    columns: tuple[str, ...] = ()
    """What it needs of a row. Only these are kept in a journal."""
    writes: ClassVar[bool] = True
    """Whether it changes orders. One that only reads can be repeated at will, and needs no leave on production."""

    @abstractmethod
    async def apply(self, order: Order, row: Row) -> T:
        """Do it."""

    async def settle(self, order: Order, row: Row) -> Settlement:
        """Look whether it was done; it is asked when the answer was lost."""
        del order, row
        return "unknown" if self.writes else "not done"

    async def preview(self, order: Order, row: Row) -> str:
        """What it would do, in words, from a read."""
        del row
        await order.refresh()
        return f"would {self.name}; the order is {shown(order.status)}"

    def did_nothing(self, value: T) -> bool:
        """Whether what ``apply`` returned says that it was so before."""
        del value
        return False

    def shows_done(self, error: Exception) -> bool:
        """Whether a refusal of an item that was sent before says that it took effect then."""
        del error
        return False

    def excuses(self, error: Exception) -> bool:
        """Whether a refusal may only mean that it was so before; then ``settle`` is asked."""
        del error
        return False

    def spool(self) -> OutputFile[T] | None:
        """Where the values are collected, for an action whose values make a file."""
        return None


class Plain(Action[T]):
    """An async function as an action. With a name it can be journaled; what was in flight at a crash is unknown."""

    def __init__(self, function: Callable[[Order], Awaitable[T]], name: str = "") -> None:
        self.name = name
        self.parameters = {}
        self._function = function

    async def apply(self, order: Order, row: Row) -> T:
        """Await the function with the order; returns its result."""
        del row
        return await self._function(order)


def can_settle(action: Action[Any]) -> bool:
    """Whether it can look. Of one that can't, what was in flight stays unknown."""
    return not action.writes or type(action).settle is not vars(Action)["settle"]


def action_of(given: Action[T] | Callable[[Order], Awaitable[T]], *, journaled: bool) -> Action[T]:
    """The action that was given, or a function as one.

    Raises:
        ConfigurationError: a function without a name where there is a journal.
    """
    if not isinstance(given, Action) and (not callable(given) or isinstance(given, type)):
        raise ConfigurationError(f"action must be an action or an async function, not {type(given).__name__}")
    action: Action[T] = given if isinstance(given, Action) else Plain(given)  # pyright: ignore[reportUnknownVariableType]
    if journaled and not action.name:
        raise ConfigurationError(
            "a journal knows an action again by its name: give actions.plain('name', function) instead of the function"
        )
    return action  # pyright: ignore[reportUnknownVariableType]
