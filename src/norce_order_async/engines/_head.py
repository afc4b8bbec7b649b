"""Checks the head of an answer as it is received, before the library's parser sees it.

If two parsers read a head in two ways, a request can get the answer of another one. So a head that breaks RFC 9112 ends
the exchange, in every engine alike: a folded line, or one that ends in a bare CR or LF; a control character; a
``Content-Length`` beside a ``Transfer-Encoding``, repeated, or not in digits; any transfer coding but ``chunked``; an
answer in another protocol, or one that switches to it; a head without end.
"""

from __future__ import annotations

import re
from typing import Final, final

from norce_order_async.engines.base import MaybeSentError

LONGEST: Final = 100 * 1024
"""Largest head in bytes, including the interim answers before it."""

_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*+"
_HEAD: Final = re.compile(
    rb"HTTP/1\.[01] ([1-9])[0-9][0-9](?: " + _TEXT + rb")?\r\n"
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:" + _TEXT + rb"\r\n)*+\r\n"
)
_LENGTH: Final = re.compile(rb"\ncontent-length:[\t ]*[0-9]{1,18}[\t ]*\r")
_CHUNKED: Final = re.compile(rb"\ntransfer-encoding:[\t ]*chunked[\t ]*\r")
_SWITCHES: Final = b"HTTP/1.1 101"


@final
class Heads:
    """Checks the heads of one answer: its own, and those of any interim answers before it."""

    __slots__ = ("_ahead", "_received", "whole")

    def __init__(self) -> None:
        self._ahead: bytes = b""
        self._received = 0
        self.whole = False
        """Whether the answer's own head has come completely and is valid."""

    def take(self, data: bytes) -> None:
        """Check the next bytes.

        Raises:
            MaybeSentError: The bytes are not a valid head, or the head is too long.
        """
        if self._ahead:
            data = self._ahead + data
        while b"\r\n\r\n" in data:
            found = _HEAD.match(data)
            if found is None:
                raise _refused("its head is malformed")
            end = found.end()
            self._received += end
            if self._received > LONGEST:
                raise _refused("its head is too long")
            _check_framing(data[:end].lower())
            if found[1] != b"1":
                self.whole = True
                self._ahead = b""
                return
            if data.startswith(_SWITCHES):
                raise _refused("it switches to another protocol")
            data = data[end:]
        if self._received + len(data) > LONGEST:
            raise _refused("its head is too long")
        if not data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r") - data.endswith(b"\r"):
            # Some parsers take a bare CR or LF for the end of a line, and perhaps of the head.
            raise _refused("its head is malformed")
        self._ahead = data


def _check_framing(head: bytes) -> None:
    lengths = head.count(b"\ncontent-length:")
    codings = head.count(b"\ntransfer-encoding:")
    if lengths + codings > 1:
        raise _refused("it gives its length twice")
    if lengths and not _LENGTH.search(head):
        raise _refused("its length is malformed")
    if codings and (not _CHUNKED.search(head) or head.startswith(b"http/1.0")):
        raise _refused("its transfer coding was not asked for")


def _refused(why: str) -> MaybeSentError:
    return MaybeSentError("read", f"the answer can't be trusted: {why}")
