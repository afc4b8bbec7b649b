"""Counts of an adapter's calls, and its latest denials."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, overload

from norce_order_async.display import shown

KEPT: Final = 1000
"""Denials that are remembered."""

Cause = Literal["handler", "error", "late", "busy", "edit"]
"""``handler``: the handler denied. ``error``: it raised. ``late``: it took longer than its budget. ``busy``: too many
calls ran at once. ``edit``: an edit of the draft can't be sent."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A change that an adapter denied.

    Example::

        for denial in adapter.denials:
            print(denial.at, denial.route, denial.order_id, denial.cause, denial.code)
    """

    at: datetime
    """In UTC."""
    route: str
    order_id: str
    cause: Cause
    code: str
    message: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.route} of order {shown(self.order_id)}: {self.code} ({self.cause})"


class Denials(Sequence[Denial]):
    """The latest 1,000 denials, oldest first.

    Example::

        for denial in adapter.denials[-10:]:
            print(denial)
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: deque[Denial] = deque(maxlen=KEPT)

    def add(self, denial: Denial) -> None:
        """Add a denial; beyond 1,000, the oldest is dropped."""
        self._kept.append(denial)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Denial]:
        return iter(tuple(self._kept))

    @overload
    def __getitem__(self, index: int) -> Denial: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Denial]: ...
    def __getitem__(self, index: int | slice) -> Denial | Sequence[Denial]:
        return tuple(self._kept)[index]

    def __repr__(self) -> str:
        return f"<Denials: {len(self)}>"


class Counts(Mapping[str, int]):
    """The number of calls, by kind and outcome. An outcome that never happened is 0.

    ``hook``, ``validation`` and ``notification`` count calls that were admitted. Their outcomes are counted under the
    kind and a word:

    - ``hook.approved``, ``patched`` and ``denied``; ``error``, ``late``, ``busy`` and ``edit`` if the handler gave no
      answer (see :data:`Cause`).
    - ``validation.valid`` and ``invalid``; ``error``, ``late`` and ``busy``.
    - ``notification.handled`` and ``error``; ``twin`` if it was handled or stored before; with an inbox ``stored`` and
      ``unstored``, and then ``handled`` or ``error`` for each attempt.
    - ``refused`` if the body was not accepted, ``disconnected`` if the caller has left.

    ``refused.secret``, ``refused.bearer``, ``refused.route``, ``refused.method``, ``refused.merchant``, ``refused.id``,
    ``refused.headers``, ``refused.size``, ``refused.slow``, ``refused.json`` and ``refused.disconnected`` count calls
    that reached no handler.

    Example::

        adapter.counts["hook.denied"], adapter.counts["refused.secret"]
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, word: str) -> int:
        """Count one, and return the new count."""
        count = self._counts[word] + 1
        self._counts[word] = count
        return count

    def __getitem__(self, word: str) -> int:
        return self._counts[word]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._counts))

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"<Counts {dict(sorted(self._counts.items()))}>"
