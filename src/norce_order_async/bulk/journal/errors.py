"""The errors of a journal.

::

    NorceError
    └── JournalError                the journal can't be used or written
        ├── JournalFinishedError    nothing is left to do, and its source may find other orders now
        ├── JournalLockedError      another run has the journal
        ├── JournalMismatchError    the journal belongs to another job, or holds another list of items
        └── JournalUnreachableError the journal's database can't be reached
"""

from __future__ import annotations

from norce_order_async.errors import NorceError


class JournalError(NorceError):
    """The journal can't be used or written. The text says why, and what to do."""


class JournalFinishedError(JournalError):
    """Nothing is left to do in this journal, and its filter or walk may find other orders now.

    Attributes:
        what: when the job finished, and how many orders had which verdict, in words.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: name a new journal for the orders that there are now, or pass resume=True to norce.bulk(...) if "
            "nothing is left to do"
        )
        self.what = what


class JournalUnreachableError(JournalError):
    """The journal's database can't be reached, and was waited for as long as possible."""


class JournalLockedError(JournalError):
    """Another run has this journal."""


class JournalMismatchError(JournalError):
    """The journal belongs to another job, or the items given are not those in it. The text names what differs."""
