"""Gets the bytes of a description from an address or a file."""

import os
import stat
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from regenerate.failure import RegenerationError
from regenerate.fetch import MAX_BYTES, fetch
from regenerate.text import shown


@dataclass(frozen=True)
class Obtained:
    """A description as it came, and the address to record, without credentials.

    For a file that is its name, unless calibrate has noted beside it where it was found.
    """

    content: bytes
    address: str


def obtain(source: str) -> Obtained:
    """The description at an http(s) address, or in a file."""
    parts = urllib.parse.urlsplit(source)
    if parts.scheme in ("http", "https"):
        noted = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        return Obtained(fetch(source), noted.geturl())
    if "://" in source:
        raise RegenerationError(f"--from takes an http(s) address or a file, not {parts.scheme}://")
    try:
        content = _content(source)
    except (OSError, ValueError) as error:
        raise RegenerationError(
            f"{shown(source)} can't be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    if len(content) > MAX_BYTES:
        raise RegenerationError(f"{source} is longer than {MAX_BYTES} bytes, which is no description of this service")
    return Obtained(content, _noted(source) or f"file {Path(source).name}")


def _noted(source: str) -> str | None:
    """The address that stands in a file beside it, where `norce-order calibrate` has found it; None if none does."""
    try:
        text = _content(f"{source}.address").decode("ascii").strip()
    except (OSError, ValueError, RegenerationError):
        return None
    is_address = (
        text.startswith(("http://", "https://")) and len(text) <= 500 and text.isprintable() and " " not in text
    )
    return text if is_address else None


def _content(source: str) -> bytes:
    """The bytes of a file, up to the limit. A pipe or a device is refused, because reading it could wait for ever."""
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise RegenerationError(f"{shown(source)} is no file; what comes through a pipe goes into one first")
        return file.read(MAX_BYTES + 1)
