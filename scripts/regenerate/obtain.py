"""Gets the bytes of a description from an address or a file."""

import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from regenerate.failure import RegenerationError

MAX_BYTES = 20_000_000
TIMEOUT = 30.0


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
        return Obtained(_fetch(source), noted.geturl())
    if "://" in source:
        raise RegenerationError(f"--from takes an http(s) address or a file, not {parts.scheme}://")
    try:
        content = Path(source).read_bytes()
    except OSError as error:
        raise RegenerationError(f"{source} can't be read: {error.strerror}") from error
    return Obtained(content, f"file {Path(source).name}")


def _fetch(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:  # noqa: S310 - http(s) only, see obtain
            content: bytes = answer.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise RegenerationError(f"the address answered {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        raise RegenerationError(f"the address can't be reached: {getattr(error, 'reason', error)}") from error
    if len(content) > MAX_BYTES:
        raise RegenerationError(f"the answer is longer than {MAX_BYTES} bytes, which is no description of this service")
    return content
