"""The answer of a call that succeeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from norce_order_async.errors import Attempt


class LazyModels:
    """Makes the models of an answer when a caller first asks for them."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make: Callable[[], Any] | None = make
        self._made: Any = None

    def __call__(self) -> Any:
        """The models."""
        if self._make is not None:
            self._made, self._make = self._make(), None
        return self._made

    def make_with(self, make: Callable[[], Any]) -> bool:
        """Let another function make the models. False if they are made already."""
        if self._make is None:
            return False
        self._make = make
        return True


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a call that succeeded.

    Example::

        with capture_answers() as answers:
            await norce.orders.get(order.id)
        answers[-1].status, answers[-1].correlation_id
    """

    data: Any = field(repr=False)
    """The body as plain JSON data; None if there is none."""
    id: str | None
    """The id of the order or entry that the call created."""
    status: int | None
    """The HTTP status; None if the effect was found by reading back."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    attempts: tuple[Attempt, ...]
    correlation_id: str
    _models: Callable[[], Any] = field(repr=False, compare=False)
    uniqueness_checked: bool = True
    """False for an order that was created again after a lost answer and may not be the only one."""

    @property
    def parsed(self) -> Any:
        """The generated models; None if the answer has no body."""
        return self._models()

    @property
    def adopted(self) -> bool:
        """Whether no attempt was answered, and the effect was found by reading back."""
        return self.status is None


def share_models(answer: Answer, make: Callable[[], Any]) -> bool:
    """Let an ``Order`` make the models of an answer, so that both share them. False if they are made already."""
    models = answer._models  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return isinstance(models, LazyModels) and models.make_with(make)
