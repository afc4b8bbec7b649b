"""Actions: what a job does to each order, and how it finds out afterwards whether it was done.

A journal recognises an action by its name and parameters. ``apply`` does the action. ``settle`` reads whether it was
done, for an item that was in flight when a job ended or whose answer was lost.
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
"""The columns of an item's row that the action needs (:attr:`Action.columns`), by name."""

Settlement = Literal["done", "not done", "unknown"]
"""Return ``"not done"`` only if applying the action again does no harm, even if the first request still arrives."""


class Action(ABC, Generic[T]):
    """What a job does to each order: the base class for actions of your own. An action must not change once made.

    For example::

        class Flag(Action[None]):
            name = "flag"
            parameters = {}

            async def apply(self, order, row):
                await order.attributes.update({"flag": "seen"})

            async def settle(self, order, row):
                await order.refresh()
                return "done" if order.attributes.get("flag") == "seen" else "not done"
    """

    name: str
    """The name by which a journal recognises the action."""
    parameters: Mapping[str, Any]
    """JSON data; a journal compares it, with the name, when it is continued."""
    columns: tuple[str, ...] = ()
    """The columns of a row that the action needs. A journal keeps only these."""
    writes: ClassVar[bool] = True
    """Whether the action changes orders. One that only reads may run in production, and again after any failure."""

    @abstractmethod
    async def apply(self, order: Order, row: Row) -> T:
        """Do the action to one order; the result becomes the outcome's ``value``."""

    async def settle(self, order: Order, row: Row) -> Settlement:
        """Read whether the action was done, after its answer was lost. ``"done"``, ``"not done"`` or ``"unknown"``."""
        del order, row
        return "unknown" if self.writes else "not done"

    async def preview(self, order: Order, row: Row) -> str:
        """Return what the action would do to an order, in words. Called in a dry run; it may only read."""
        del row
        await order.refresh()
        return f"would {self.name}; the order is {shown(order.status)}"

    def did_nothing(self, value: T) -> bool:
        """Whether the value that ``apply`` returned shows that the order was in the wanted state before."""
        del value
        return False

    def shows_done(self, error: Exception) -> bool:
        """Whether the refusal of an item that was sent before shows that it took effect then."""
        del error
        return False

    def excuses(self, error: Exception) -> bool:
        """Whether a refusal may mean that the order was in the wanted state before; if so, ``settle`` is called."""
        del error
        return False

    def output(self) -> OutputFile[T] | None:
        """The file that collects the values, for an action that makes one; otherwise None."""
        return None


class Plain(Action[T]):
    """An async function as an action. With a name it can be journaled; items in flight at a crash are unknown."""

    def __init__(self, function: Callable[[Order], Awaitable[T]], name: str = "") -> None:
        self.name = name
        self.parameters = {}
        self._function = function

    async def apply(self, order: Order, row: Row) -> T:
        """Await the function with the order, and return its result."""
        del row
        return await self._function(order)


def can_settle(action: Action[Any]) -> bool:
    """Whether the action can read if it took effect. If not, items that were in flight stay unknown."""
    return not action.writes or type(action).settle is not vars(Action)["settle"]


def action_of(given: Action[T] | Callable[[Order], Awaitable[T]], *, journaled: bool) -> Action[T]:
    """Return the given action, or make one of a function.

    Raises:
        ConfigurationError: it is neither, or it is a function and the job has a journal, which needs a name.
    """
    if not isinstance(given, Action) and (not callable(given) or isinstance(given, type)):
        raise ConfigurationError(f"action must be an action or an async function, not {type(given).__name__}")
    action: Action[T] = given if isinstance(given, Action) else Plain(given)  # pyright: ignore[reportUnknownVariableType]
    if journaled and not action.name:
        raise ConfigurationError(
            "a journal recognises an action by its name: give actions.plain('name', function) instead of the function"
        )
    return action  # pyright: ignore[reportUnknownVariableType]
