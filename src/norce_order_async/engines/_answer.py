"""Checks an answer as it is received: its head before the library's parser sees it, and the size of its body.

If two parsers read a head in two ways, a request can get the answer of another one. So a head that breaks RFC 9112 ends
the exchange, in every engine alike: a folded line, or one that ends in a bare CR or LF; a control character; a
``Content-Length`` beside a ``Transfer-Encoding``, repeated, or not in digits; any transfer coding but ``chunked``; an
answer in another protocol, or one that switches to it; a head without end.

A compressed body can grow a thousandfold. It is therefore decompressed in steps of limited output; between two steps
the engine checks the clock and lets other tasks run. A failure is kept in ``fault`` and not raised, because the status
of the answer is known and counts.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Final, final

from norce_order_async.engines.base import MaybeSentError

LONGEST: Final = 100 * 1024
"""Largest head in bytes, including the interim answers before it."""

CODINGS: Final = "gzip, deflate"
"""The codings that engines ask for and decode. A body that uses several at once is not decoded."""

STEP: Final = 256 * 1024
"""Largest output of one step of decompression, in bytes."""

MEMBERS: Final = 1000
"""Largest number of members in one gzip body. A member may be empty, so the size limit does not bound their number."""

_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*+"
HEAD: Final = re.compile(
    rb"HTTP/1\.[01] ([1-9])[0-9][0-9](?: " + _TEXT + rb")?\r\n"
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:" + _TEXT + rb"\r\n)*+\r\n"
)
"""A complete head of an answer. The group is the first digit of the status."""

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
            found = HEAD.match(data)
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


@final
class Body:
    """The body of one answer.

    Args:
        headers: The answer's headers, with lower-case names.
        most: Largest size in bytes, both before and after decoding.
    """

    __slots__ = ("_coding", "_in_a_row", "_inflater", "_left", "_most", "_parts", "_received", "fault")

    def __init__(self, headers: Mapping[str, str], most: int) -> None:
        self.fault: str | None = None
        """Why the body can't be read; the rest of it can be ignored then."""
        self._most = most
        self._received = 0
        self._left = most
        self._in_a_row = 0
        """Bytes decoded since other tasks could run."""
        self._parts: list[bytes] = []
        self._coding = headers.get("content-encoding")
        self._inflater: Inflater | None = None
        if self._coding is not None:
            self._coding = self._coding.strip().lower()
            if self._coding in ("gzip", "x-gzip", "deflate"):
                self._inflater = Inflater(zipped=self._coding != "deflate")

    def take(self, piece: bytes) -> bool:
        """Add the next piece.

        Returns True if the piece holds more, or if much was decoded. Check the clock then, let other tasks run, and
        call again with an empty piece.
        """
        inflater = self._inflater
        self._received += len(piece)
        if inflater is not None:
            try:
                piece = inflater.step(piece)
            except zlib.error:
                return self._fail("it is not in the coding that its header names")
        elif self._coding and self._coding != "identity":
            return self._fail("it is in a coding that was not asked for")
        self._left -= len(piece)
        if self._left < 0 or self._received > self._most:
            return self._fail(f"it is larger than max_answer_size, {self._most} bytes")
        if piece:
            self._parts.append(piece)
        if inflater is None:
            return False
        self._in_a_row += len(piece)
        if not inflater.pending and self._in_a_row < STEP:
            return False
        self._in_a_row = 0
        return True

    def whole(self) -> bytes:
        """The whole body, once all pieces are added; empty if there is a fault."""
        if self._inflater is not None and not self.fault and not self._inflater.whole:
            self._fail("its compressed data ends too soon")
        parts = self._parts
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _fail(self, fault: str) -> bool:
        self.fault = fault
        self._parts = []
        return False


@final
class Inflater:
    """Decompresses gzip with any number of members, or deflate with or without the zlib frame."""

    __slots__ = ("_members", "_rest", "_stream", "_zipped", "pending")

    def __init__(self, *, zipped: bool) -> None:
        self._zipped = zipped
        self._members = 0
        self._rest: bytes = b""
        self._stream: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage]
        self.pending = False
        """Whether the pieces so far hold more output."""

    @property
    def whole(self) -> bool:
        """Whether the data ended at the end of a member; an empty body counts as complete."""
        return self._stream is None and not self._rest

    def step(self, piece: bytes) -> bytes:
        """The next decompressed bytes.

        Raises:
            zlib.error: The data is not in this coding.
        """
        if self._rest:
            piece = self._rest + piece
        if self._stream is None:
            if len(piece) < 2:
                self._rest = piece
                self.pending = False
                return b""
            self._stream = self._begin(piece)
        found = self._stream.decompress(piece, STEP)
        if self._stream.eof:
            self._rest = self._stream.unused_data
            self._stream = None
            self.pending = len(self._rest) > 1
        else:
            self._rest = self._stream.unconsumed_tail
            # A stream whose output filled the step may hold more.
            self.pending = bool(self._rest) or len(found) == STEP
        return found

    def _begin(self, piece: bytes) -> zlib._Decompress:  # pyright: ignore[reportPrivateUsage]
        self._members += 1
        if self._members > (MEMBERS if self._zipped else 1):
            raise zlib.error
        if self._zipped:
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        # RFC 9110 requires the zlib frame; some servers leave it out.
        framed = piece[0] & 15 == zlib.DEFLATED and (piece[0] << 8 | piece[1]) % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)
