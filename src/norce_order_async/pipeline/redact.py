"""Shows the service's own words in the text of an error, without personal data and secrets.

Services write names, addresses and parts of the request into their messages. The text of an error therefore shows no
e-mail address, no long number, nothing of the credentials, and no text of the request except ids, references and words
of the API description. ``error.message`` has the whole message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from norce_order_async._json import is_list, is_mapping
from norce_order_async.display import printable, shown
from norce_order_async.pipeline.events import SHOWN_HEADERS
from norce_order_async.pipeline.operations import PATCH_ATTRIBUTES, SET_REFERENCE
from norce_order_async.pipeline.response import Refusal

if TYPE_CHECKING:
    from norce_order_async.pipeline.request import Prepared

MASK: Final = "***"
SHOWN: Final = 300
"""The most characters of the service's words in an error's text."""
READ: Final = 4000
"""The most characters of a message that are masked. Masking is slow, and a message may have any length."""
SHORTEST: Final = 4
"""The fewest characters of a text that is masked. Shorter texts are part of many words."""

ENUMERATED: Final = frozenset(
    [
        "accepted",
        "actionrequired",
        "asc",
        "billingemail",
        "billingname",
        "bundle",
        "cancel",
        "cancelled",
        "capture",
        "captured",
        "carttotal",
        "checkout",
        "completed",
        "confirm",
        "confirmed",
        "created",
        "credited",
        "declined",
        "default",
        "desc",
        "digital",
        "failed",
        "giftcard",
        "intent",
        "item",
        "open",
        "organization",
        "paymentaction",
        "pending",
        "person",
        "physical",
        "prepaid",
        "process",
        "processing",
        "refund",
        "refunded",
        "removed",
        "reopen",
        "reserved",
        "shipping",
        "v0",
        "v1",
        "voucher",
    ]
)
"""The words of the description's enumerations, in lower case. They are written here because importing all models for
one error takes longer than the call."""
PARTS: Final = frozenset(
    [
        "addon",
        "address",
        "attributes",
        "billing",
        "cart",
        "consent",
        "customer",
        "item",
        "items",
        "order",
        "orders",
        "payment",
        "payments",
        "shipping",
    ]
)
"""Words that messages use for any order. They are not masked, even if a text of the request holds them too."""

_NAMED_ID = re.compile(r"(?:.*(?:Id|Reference|_id|_reference)|id|reference|sku)\Z")
_FREE_FORM: Final = frozenset({"attributes", "data", "tags"})
_AROUND_ADDRESSES = re.compile(r'[^\s<>"(),;:\[\]]+')
_LONG_NUMBER = re.compile(r"\d{6,}(?:[-+ ]?\d{2,})*")
_WORD = re.compile(r"\w{4,}")


def shown_words(said: Refusal, request: Prepared, token: str) -> str:
    """The service's words, masked; empty if there are none.

    Args:
        said: the message of the answer, and its messages about single members.
        request: the request that was answered.
        token: the token of that request.
    """
    parts = [said.message] if said.message else []
    parts += [f"{member}: {words}" for member, words in said.field_errors]
    words = _on_one_line("; ".join(parts)[: READ + 1])
    if not words:
        return ""
    hidden = _texts_of(request) | {
        token,
        *(value for name, value in request.headers.items() if name not in SHOWN_HEADERS),
    }
    masked = mask(words, hidden)
    if len(words) > READ and len(masked) <= SHOWN:
        # The cut may have left only the beginning of a text that would be masked.
        return ""
    return shown(masked, SHOWN)


def mask(words: str, hidden: Collection[str]) -> str:
    """Mask e-mail addresses, long numbers and hidden texts, in upper and lower case.

    Args:
        words: the text, on one line and printable.
        hidden: texts to mask, together with each of their words that has four characters or more.
    """
    folded = _folded(words)
    spans = [found.span() for found in _AROUND_ADDRESSES.finditer(words) if "@" in found[0] or "%40" in found[0]]
    spans += (found.span() for found in _LONG_NUMBER.finditer(words))
    parts: set[str] = set()
    for text in hidden:
        if len(text) < SHORTEST or text.lower() in ENUMERATED:
            continue
        for spelled in {_folded(each) for each in _spellings(text)}:
            spans += _places(spelled, folded)
        parts.update(_folded(part) for part in _WORD.findall(text))
    parts -= ENUMERATED | PARTS
    spans += (found.span() for found in _WORD.finditer(folded) if found[0] in parts)
    return _without(words, spans)


def _texts_of(request: Prepared) -> set[str]:
    """The texts of a request, except ids and references."""
    texts = {value for name, value in parse_qsl(urlsplit(request.url).query) if not _NAMED_ID.match(name)}
    named, free = request.operation is SET_REFERENCE, request.operation is PATCH_ATTRIBUTES
    texts.update(_texts_in(request.json, named=named, free=free))
    return texts


def _texts_in(data: Any, *, named: bool, free: bool) -> Iterator[str]:
    if isinstance(data, str):
        if not named:
            yield data
    elif is_mapping(data):
        for name, value in data.items():
            if free:
                yield name
            is_name = not free and _NAMED_ID.match(name) is not None
            yield from _texts_in(value, named=is_name, free=free or name in _FREE_FORM)
    elif is_list(data):
        for value in data:
            yield from _texts_in(value, named=named, free=free)


def _spellings(text: str) -> Iterator[str]:
    """The forms in which a text may appear on one line: as it is, URL-encoded, HTML-escaped or as JSON."""
    import html

    for spelled in (text, quote(text, errors="replace"), quote_plus(text, errors="replace"), html.escape(text)):
        yield printable(spelled)
        yield _on_one_line(spelled)
    yield json.dumps(text)[1:-1]


def _places(part: str, whole: str) -> Iterator[tuple[int, int]]:
    at = whole.find(part) if len(part) >= SHORTEST else -1
    while at >= 0:
        yield at, at + len(part)
        at = whole.find(part, at + 1)


def _without(words: str, spans: Collection[tuple[int, int]]) -> str:
    """The words with a mask in place of each span. Spans that touch get one mask."""
    shown: list[str] = []
    end = 0
    for begin, until in sorted(spans):
        if begin > end or not shown:
            shown += (words[end:begin], MASK)
        end = max(end, until)
    return "".join((*shown, words[end:]))


def _on_one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _folded(text: str) -> str:
    """The text in lower case, character by character, so that positions stay the same."""
    if text.isascii():
        return text.lower()
    return "".join(lower if len(lower := character.lower()) == 1 else character for character in text)
