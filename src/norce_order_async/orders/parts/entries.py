"""What payments and shippings have in common: they are never deleted, only marked as removed."""

from __future__ import annotations

from norce_order_async.errors import PendingError
from norce_order_async.pipeline.operations import Operation


def not_removed(operation: Operation, order_id: str, part: str) -> PendingError:
    """The service took the removal and shows the part as it was."""
    return PendingError(
        f"the {part} was marked as removed, but does not show so",
        operation=operation.id,
        order_id=order_id,
        advice="somebody else may have written it meanwhile: read it again",
    )
