"""The body of an answer: its pieces as they come, the coding undone, all of it within a bound.

A few bytes of a coding can stand for a thousand times as many, so it is undone in steps of a bounded output, and the
engine looks at the clock and gives others a turn in between. What went wrong is kept as a fault and not raised: the
status of the answer is known and means what it means.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final, final

CODINGS: Final = "gzip, deflate"
"""What engines ask for, and what is undone; each by itself, not one in the other."""

STEP: Final = 256 * 1024
"""Bytes that come out of a coding at a time."""

MEMBERS: Final = 1000
"""Parts of one gzip body. Each of them may hold nothing at all."""


@final
class Body:
    """The body of one answer.

    Args:
        headers: of the answer, with lower-case names.
        most: bytes that it may have, both as it came and with its coding undone.
    """

    __slots__ = ("_coding", "_in_a_row", "_inflater", "_left", "_most", "_parts", "_received", "fault")

    def __init__(self, headers: Mapping[str, str], most: int) -> None:
        self.fault: str | None = None
        """Why it can't be read; nothing more needs to be taken in then."""
        self._most = most
        self._received = 0
        self._left = most
        self._in_a_row = 0
        """Bytes that came out of the coding since others had a turn."""
        self._parts: list[bytes] = []
        self._coding = headers.get("content-encoding")
        self._inflater: Inflater | None = None
        if self._coding is not None:
            self._coding = self._coding.strip().lower()
            if self._coding in ("gzip", "x-gzip", "deflate"):
                self._inflater = Inflater(zipped=self._coding != "deflate")

    def take(self, piece: bytes) -> bool:
        """Take in what came next. True when there is more in it, or when that was much: look at the clock, give others
        a turn, then take an empty piece."""
        inflater = self._inflater
        self._received += len(piece)
        if inflater is not None:
            try:
                piece = inflater.step(piece)
            except zlib.error:
                return self._fail("it is not in the coding that it claims")
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
        """All of it, once all has come; empty when there is a fault."""
        if self._inflater is not None and not self.fault and not self._inflater.whole:
            self._fail("its coding ends too soon")
        parts = self._parts
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _fail(self, fault: str) -> bool:
        self.fault = fault
        self._parts = []
        return False


@final
class Inflater:
    """Undoes gzip, of any number of members, or deflate, with or without the frame of zlib."""

    __slots__ = ("_members", "_rest", "_stream", "_zipped", "pending")

    def __init__(self, *, zipped: bool) -> None:
        self._zipped = zipped
        self._members = 0
        self._rest: bytes = b""
        self._stream: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage]
        self.pending = False
        """Whether there is more in what was taken in."""

    @property
    def whole(self) -> bool:
        """Whether it ended where it had to; an empty body may as well."""
        return self._stream is None and not self._rest

    def step(self, piece: bytes) -> bytes:
        """What comes next out of it.

        Raises:
            zlib.error: it is not in this coding.
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
            # A stream that gave as much as it might can hold more of what it took in already.
            self.pending = bool(self._rest) or len(found) == STEP
        return found

    def _begin(self, piece: bytes) -> zlib._Decompress:  # pyright: ignore[reportPrivateUsage]
        self._members += 1
        if self._members > (MEMBERS if self._zipped else 1):
            raise zlib.error
        if self._zipped:
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        # RFC 9110 has the frame of zlib; some servers leave it out.
        framed = piece[0] & 15 == zlib.DEFLATED and (piece[0] << 8 | piece[1]) % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)
