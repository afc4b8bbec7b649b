"""Ready actions for jobs."""

from __future__ import annotations

from norce_order_async.bulk.actions.builtin import (
    delete,
    export,
    from_journal,
    patch_attributes,
    plain,
    remove,
    set_reference,
    transition,
    validate,
)

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
