"""Read, apply a function, write: what the ``update`` methods have in common."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from norce_order_api.types import Model as GeneratedModel
from norce_order_async.checking import check_kind
from norce_order_async.errors import BadRequestError, ChangeRefusedError, InvalidRequestError, UnavailableError
from norce_order_async.orders.inputs import Model

M = TypeVar("M", bound=Model)

Edit = Callable[[M], M | None]
"""Changes a model in place, or returns another one to take its place."""


def edited(kind: type[M], current: M, edit: Edit[M]) -> M:
    """The model after the edit; the one in the snapshot stays as it is.

    Raises:
        InvalidRequestError: the edit is no function, or gave something that is no model.
    """
    if not callable(edit):
        raise InvalidRequestError(f"edit must be a function of a {kind.__name__}, not {type(edit).__name__}")
    proposed = kind.from_dict(current.to_dict())
    replaced = edit(proposed)
    if replaced is None:
        return proposed
    check_kind("what edit returns", replaced, kind, f"a {kind.__name__} or None", InvalidRequestError)
    return replaced


def one_read(found: object, what: str, operation: str, order_id: str) -> Any:
    """A part of an order that was read by itself.

    Raises:
        UnavailableError: the answer is something else.
    """
    if not isinstance(found, GeneratedModel):
        raise UnavailableError(f"the answer is no {what}", operation=operation, order_id=order_id)
    return found


@contextmanager
def showing(proposed: object) -> Generator[None]:
    """Let a refusal tell what was proposed."""
    try:
        yield
    except BadRequestError as refused:
        raise ChangeRefusedError.of(refused, proposed) from refused
