"""Masks requests and answers for a report: it shows their form, texts of this run and words of the API, nothing else.

An answer may hold anything, even a token or a customer's data. So a text is shown only if this run sent it, if it is a
word of the description or a time, or if it is the code of an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, Final

from norce_order_async._json import UNREADABLE, is_api_name, is_list, is_mapping
from norce_order_async.calibration.state import MARK
from norce_order_async.calibration.wire import NOTHING, Exchange
from norce_order_async.display import printable, shown_code
from norce_order_async.pipeline.redact import ENUMERATED

LONGEST: Final = 900
"""Characters of a body that are shown."""
_MOST_ENTRIES: Final = 2
_PIECE: Final = 8
_TELLING: Final = 6
_LARGEST: Final = 99_999
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII)
_MARKER = re.compile(rf"{MARK}[0-9a-f]{{12}}(-[a-z0-9]+)*\Z|NORCE-CALIBRATE-[0-9]{{1,4}}\Z", re.ASCII)
_OURS: Final = frozenset(
    ["norce-order calibrate", "norce_calibrate", "calibrate", "sv-SE", "SEK", "SE", "blue", "yes",
     "none", "1", "2", "PUT", "denied on purpose"]
)  # fmt: skip
"""Texts that probes send."""


class Masking:
    """Shows exchanges without secrets and personal data.

    Args:
        secrets: texts that must never be shown, not even in part, such as the token.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = [secret.lower() for secret in secrets if secret]
        self._pieces = {
            secret[start : start + _PIECE]
            for secret in self._secrets
            for start in range(max(1, len(secret) - _PIECE + 1))
        }

    def exchange(self, exchange: Exchange) -> str:
        """A request and its answer on one line."""
        asked = f"{exchange.method} {exchange.path}"
        if exchange.query:
            asked += "?" + "&".join(f"{name}={self._query(value)}" for name, value in exchange.query.items())
        if exchange.sent is not NOTHING:
            asked += f" {self.body(exchange.sent)}"
        answer = str(exchange.status)
        if "location" in exchange.headers:
            answer += ", a Location"
        if exchange.data is not UNREADABLE:
            answer += f" {self.body(exchange.data)}"
        elif exchange.body:
            answer += f" <{len(exchange.body)} bytes that are not JSON>"
        return f"{asked} -> {answer}"

    def body(self, data: Any) -> str:
        """A body as JSON, with hidden texts replaced, cut to a length."""
        text = json.dumps(self._masked(data, ""), ensure_ascii=True, separators=(",", ":"))
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."

    def word(self, word: str) -> str:
        """A word from the service, if it looks like the name of a member; otherwise a placeholder."""
        if is_api_name(word[:1].lower() + word[1:]) and not self.is_secret(word):
            return printable(word)
        return "<a word that is not shown>"

    def _masked(self, data: Any, name: str) -> Any:
        if is_mapping(data):
            return {self._key(key): self._masked(value, key) for key, value in data.items()}
        if is_list(data):
            few = [self._masked(value, name) for value in data[:_MOST_ENTRIES]]
            return few if len(data) <= _MOST_ENTRIES else [*few, f"<{len(data) - _MOST_ENTRIES} more>"]
        if isinstance(data, str):
            return self._text(data, name)
        if isinstance(data, bool) or data is None:
            return data
        if isinstance(data, int | float) and abs(data) <= _LARGEST:
            # Rounded, because the decimals could hold a personal number.
            return round(data, 4)
        return "<number>"

    def _key(self, name: str) -> str:
        return name if is_api_name(name) and not self.is_secret(name) else "<name>"

    def _text(self, text: str, name: str) -> str:
        if self.is_secret(text):
            return "<text>"
        if text in _OURS or text.lower() in ENUMERATED or _TIME.fullmatch(text) or _MARKER.fullmatch(text):
            return text
        if name == "code" and shown_code(text) == text:
            return text
        return f"<text of {len(text)}>"

    def _query(self, value: str) -> str:
        return value if value.isascii() and (value.isdecimal() or self._text(value, "") == value) else "<text>"

    def is_secret(self, text: str) -> bool:
        """Whether a text has eight or more characters of a secret in it, or is itself six or more of one."""
        folded = text.lower()
        return any(piece in folded for piece in self._pieces) or any(
            len(folded) >= _TELLING and folded in secret for secret in self._secrets
        )
