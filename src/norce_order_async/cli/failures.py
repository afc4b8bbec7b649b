"""What is told of a failure, and of anything else that came from outside: one line without control characters."""

from __future__ import annotations

from typing import cast

from norce_order_async.display import printable
from norce_order_async.errors import NorceError


def cause(error: BaseException) -> BaseException:
    """The one failure to tell of: task groups wrap theirs, and an interrupt outweighs the rest."""
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        error = (group.subgroup(KeyboardInterrupt) or group).exceptions[0]
    return error


def one_line(error: Exception) -> str:
    """A failure in one line; one that nobody foresaw says its kind too."""
    text = printable(" ".join(str(error).split()))
    if isinstance(error, NorceError):
        return text
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind
