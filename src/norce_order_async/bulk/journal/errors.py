"""The errors of a journal.

::

    NorceError
    └── JournalError                the journal can't be used or written; no item is sent that is not in it
        ├── JournalFinishedError    nothing is left to do, and its source finds other orders now
        ├── JournalLockedError      another run has it
        └── JournalMismatchError    it belongs to another job, or to another list of items
"""

from __future__ import annotations

from norce_order_async.errors import NorceError


class JournalError(NorceError):
    """The journal can't be used, or can't be written any more. The text says why and what to do."""


class JournalFinishedError(JournalError):
    """Nothing is left to do in this journal, and its filter or walk finds other orders now.

    Attributes:
        what: when it finished, and how many orders had which verdict, in words.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: name a new journal for the orders that there are now, or pass resume=True to norce.bulk(...) if "
            "nothing is left to do"
        )
        self.what = what


class JournalUnreachableError(JournalError):
    """The journal's database is away, and was for as long as it could be waited for."""


class JournalLockedError(JournalError):
    """Another run has this journal."""


class JournalMismatchError(JournalError):
    """The journal belongs to another job, or the items given are not those in it. The text names what differs."""
