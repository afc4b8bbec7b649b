"""Operations for tests by kind: an ordinary run has one of those that the pipeline treats alike, and a soak has all."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from norce_order_async.pipeline.operations import OPERATIONS, Operation


def looked_at(operation: Operation) -> tuple[object, ...]:
    """Return the columns of a row that the pipeline uses. Two rows with the same values are treated alike."""
    creates, answers = operation.natural_key is not None, operation.answers != ""
    return (operation.kind, operation.brings, operation.removes, creates, answers, operation.reads_late)


def by_kind(rows: Iterable[Operation] = OPERATIONS) -> pytest.MarkDecorator:
    """Parametrize ``operation`` with each row. Rows that are like an earlier one are for a soak."""
    seen: set[tuple[object, ...]] = set()
    parameters: list[object] = []
    for row in rows:
        marks = [pytest.mark.soak] if looked_at(row) in seen else []
        parameters.append(pytest.param(row, id=row.id, marks=marks))
        seen.add(looked_at(row))
    return pytest.mark.parametrize("operation", parameters)
