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
"""``handler``: it denied; ``error``: it raised; ``late``: it passed its budget; ``busy``: too many calls at once;
``edit``: what it changed in the draft can't be sent."""


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
        """Add a denial; the oldest is dropped when there are too many."""
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

    - ``hook.approved``, ``patched``, ``denied``; ``error``, ``late``, ``busy`` and ``edit`` where its handler had no
      answer (see :data:`Cause`).
    - ``validation.valid``, ``invalid``; ``error``, ``late`` and ``busy``.
    - ``notification.handled``, ``error``; ``twin`` for one that was handled or stored before; ``stored`` and
      ``unstored`` in an inbox, which is followed by ``handled`` or ``error`` for each try.
    - ``refused`` for a body that was not taken, ``disconnected`` for a caller that has left.

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
        """Count one.

        Returns:
            How many there are now.
        """
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
