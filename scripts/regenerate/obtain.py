"""Gets the bytes of a description from an address or a file."""

import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from regenerate.failure import RegenerationError
from regenerate.fetch import MAX_BYTES, fetch


@dataclass(frozen=True)
class Obtained:
    """A description as it came, and the address to note: without credentials, and of a file only its name."""

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
        with Path(source).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RegenerationError(f"{source} can't be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise RegenerationError(f"{source} is longer than {MAX_BYTES} bytes, which is no description of this service")
    return Obtained(content, f"file {Path(source).name}")
