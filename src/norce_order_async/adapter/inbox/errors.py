"""The errors of an inbox.

::

    NorceError
    └── InboxError              the inbox can't be used or written; a notification is answered 500 and comes again
        └── InboxLockedError    another process uses its file
"""

from __future__ import annotations

from norce_order_async.errors import NorceError


class InboxError(NorceError):
    """The inbox can't be used, or can't be written now. The text says why and what to do.

    Example::

        try:
            async with SqliteInbox("erp.inbox") as inbox:
                print(await inbox.counts())
        except InboxError as error:
            print(error)
    """


class InboxLockedError(InboxError):
    """Another process uses the file of this inbox."""
