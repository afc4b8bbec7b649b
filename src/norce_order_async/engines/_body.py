"""The body of an answer: collects its pieces, decodes them, and keeps to a maximum size.

A compressed body can grow a thousandfold. It is therefore decompressed in steps of limited output; between two steps
the engine checks the clock and lets other tasks run. A failure is kept in ``fault`` and not raised, because the status
of the answer is known and counts.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final, final

CODINGS: Final = "gzip, deflate"
"""The codings that engines ask for and decode. A body that uses several at once is not decoded."""

STEP: Final = 256 * 1024
"""Largest output of one step of decompression, in bytes."""

MEMBERS: Final = 1000
"""Largest number of members in one gzip body. A member may be empty, so the size limit does not bound their number."""


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
