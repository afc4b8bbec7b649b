"""Read, apply a function, write: what the ``update`` methods have in common."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from norce_order_async.errors import BadRequestError, ChangeRefusedError
from norce_order_async.orders.inputs import Model

M = TypeVar("M", bound=Model)

Edit = Callable[[M], M | None]
"""Changes a model in place, or returns another one to take its place."""


def edited(kind: type[M], current: M, edit: Edit[M]) -> M:
    """The model after the edit; the one in the snapshot stays as it is."""
    proposed = kind.from_dict(current.to_dict())
    replaced = edit(proposed)
    return proposed if replaced is None else replaced


@contextmanager
def showing(proposed: object) -> Generator[None]:
    """Let a refusal tell what was proposed."""
    try:
        yield
    except BadRequestError as refused:
        raise ChangeRefusedError.of(refused, proposed) from refused
