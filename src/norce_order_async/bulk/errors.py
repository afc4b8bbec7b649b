"""What a journal can raise.

::

    NorceError
    └── JournalError                the journal can't be used or written; nothing is acted on that is not in it
        ├── JournalLockedError      another run has it
        └── JournalMismatchError    it belongs to another job, or to another list of items
"""

from __future__ import annotations

from norce_order_async.errors import NorceError


class JournalError(NorceError):
    """The journal can't be used, or can't be written any more. The text says why and what to do."""


class JournalLockedError(JournalError):
    """Another run has this journal."""


class JournalMismatchError(JournalError):
    """The journal belongs to another job, or the items given are not those in it. The text names what differs."""
