"""The plan of a run: what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from norce_order_async.bulk.actions.base import Action
from norce_order_async.bulk.source import Key, Partition, Source
from norce_order_async.pipeline.session import Session

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[T]):
    """A run as its caller asked for it."""

    session: Session
    action: Action[T]
    source: Source | None
    """None: what is in the journal."""
    key: Key
    partition: Partition
    workers: int
    ordered: bool
    failure_limit: float | None
    dry_run: bool
    allow_duplicates: bool = False
    max_remembered: int | None = None
    """How many orders are remembered without a journal, so that each is done once; None for no bound."""
    resume: bool = False
    """Whether a journal with nothing left to do is fine although its source can't be compared."""
