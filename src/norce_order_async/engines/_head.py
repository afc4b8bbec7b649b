"""The head of an answer, looked at as it comes off the wire, before the library's parser sees it.

What two parsers read in two ways is where one request is taken to have another's answer. So whatever is not as RFC 9112
has it ends the exchange, in every engine alike: a line that is folded, or ended by a bare CR or LF; a control
character; a length beside a coding of the transfer, or twice, or not in digits; any coding but ``chunked``; an answer
of another protocol, or one that switches to it; a head without end.
"""

from __future__ import annotations

import re
from typing import Final, final

from norce_order_async.engines.base import MaybeSentError

LONGEST: Final = 100 * 1024
"""Bytes of a head, together with those of the interim answers in front of it."""

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
    """Those of one answer: any number of interim ones, and its own."""

    __slots__ = ("_ahead", "_received", "whole")

    def __init__(self) -> None:
        self._ahead: bytes = b""
        self._received = 0
        self.whole = False
        """Whether the answer's own head has come, as it has to be."""

    def take(self, data: bytes) -> None:
        """Look at what came next.

        Raises:
            MaybeSentError: it can't be a head, or the head does not end.
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
            # Some parsers would take this for an end of line, and perhaps of the head.
            raise _refused("its head is malformed")
        self._ahead = data


def _check_framing(head: bytes) -> None:
    lengths = head.count(b"\ncontent-length:")
    codings = head.count(b"\ntransfer-encoding:")
    if lengths + codings > 1:
        raise _refused("it says twice where it ends")
    if lengths and not _LENGTH.search(head):
        raise _refused("its length is malformed")
    if codings and (not _CHUNKED.search(head) or head.startswith(b"http/1.0")):
        raise _refused("its transfer coding was not asked for")


def _refused(why: str) -> MaybeSentError:
    return MaybeSentError("read", f"the answer can't be relied on: {why}")
