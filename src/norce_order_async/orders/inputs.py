"""What a user hands in, checked before anything is sent: models or dicts in the API's own spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self, TypeVar, cast

from norce_order_api.types import DRIFT
from norce_order_async.errors import InvalidRequestError
from norce_order_async.plain import UNREADABLE, read_json

CULTURE = r"^[A-Za-z]{2,3}(?:-[A-Za-z]{2,2})*$"
CURRENCY = r"^[A-Za-z]{3,3}$"
COUNTRY = r"^[A-Za-z]{2,2}$"

PATTERNS: dict[tuple[str, str], tuple[str, str]] = {
    ("Order", "culture"): (CULTURE, "a language and region such as sv-SE"),
    ("Order", "currency"): (CURRENCY, "three letters of ISO 4217 such as SEK"),
    ("Order", "country"): (COUNTRY, "two letters of ISO 3166 such as SE"),
    ("Address", "country"): (COUNTRY, "two letters of ISO 3166 such as SE"),
    ("Payment", "currency"): (CURRENCY, "three letters of ISO 4217 such as SEK"),
}
"""The description's patterns, by schema and member, and what would be right; a test compares the two."""

_COMPLAINTS = {
    "wrong-type": "has the wrong type",
    "missing": "is missing",
    "extra": "is no member the API knows (members are spelled as in the API: includingVat)",
}


class Model(Protocol):
    """What the generated models have in common."""

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self: ...

    def to_dict(self) -> dict[str, Any]: ...


M = TypeVar("M", bound=Model)


def model_of(kind: type[M], value: M | Mapping[str, Any], argument: str) -> M:
    """A model for what was given as ``argument``.

    Raises:
        InvalidRequestError: a dict with an unknown or missing member or one of a wrong type; something else
            altogether. The text names the member, never its value.
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise InvalidRequestError(
            f"{argument} must be a {kind.__name__} or a dict in the API's spelling, not {type(value).__name__}"
        )
    complaints: list[str] = []

    def complain(where: str, what: str) -> None:
        if what in _COMPLAINTS:
            complaints.append(f"{where} {_COMPLAINTS[what]}")

    token = DRIFT.set(complain)
    try:
        model = kind.from_dict(value)
    finally:
        DRIFT.reset(token)
    if complaints:
        raise InvalidRequestError(f"{argument}: {'; '.join(dict.fromkeys(complaints))}")
    return model


def models_of(kind: type[M], values: Iterable[M | Mapping[str, Any]], argument: str) -> list[M]:
    """Models for a list of them, as :func:`model_of`."""
    if isinstance(values, str | Mapping):
        raise InvalidRequestError(f"{argument} must be a list of them, not one by itself")
    return [model_of(kind, value, f"{argument}[{index}]") for index, value in enumerate(values)]


def written(model: Model, argument: str) -> dict[str, Any]:
    """The model as it goes out.

    Raises:
        InvalidRequestError: it holds what can't be sent: NaN, a time without a zone, something else than the member
            takes. The text names the member, never its value.
    """
    try:
        return model.to_dict()
    except (ValueError, TypeError) as error:
        raise InvalidRequestError(f"{argument} can't be sent like this: {error}") from error


def check_pattern(schema: str, member: str, value: object, argument: str) -> None:
    """Refuse a value that the description's pattern for this member does not take; None is "not given".

    Raises:
        InvalidRequestError: it does not match; the text says what would.
    """
    if value is None:
        return
    pattern, right = PATTERNS[schema, member]
    # fullmatch on the inside of ^...$: in Python a $ also matches before a line break at the end.
    if not isinstance(value, str) or not re.fullmatch(pattern[1:-1], value):
        raise InvalidRequestError(f"{argument} must be {right}; got {value!r}")


def check_address(address: object, argument: str) -> None:
    """Refuse an address whose country the description does not take."""
    country: object = (
        cast("Mapping[str, Any]", address).get("country")
        if isinstance(address, Mapping)
        else getattr(address, "country", None)
    )
    check_pattern("Address", "country", country, f"{argument}.country")


def known_ids(entries: Iterable[Any] | None) -> frozenset[str]:
    """The ids in a list of models."""
    return frozenset(entry.id for entry in entries or () if isinstance(entry.id, str))


class Referenced(Model, Protocol):
    """A model with a reference of the caller's."""

    reference: str | None


R = TypeVar("R", bound=Referenced)


def with_reference(kind: type[R], model: R, reference: str | None, argument: str) -> R:
    """A copy with the reference that tells it from others.

    Raises:
        InvalidRequestError: there is none, or there are two that differ.
    """
    if reference is not None and model.reference is not None and reference != model.reference:
        raise InvalidRequestError(f"{argument} has another reference than the one given beside it")
    found = model.reference if reference is None else reference
    if not found:
        raise InvalidRequestError(f"{argument} needs a reference to be told from others")
    copy = kind.from_dict(written(model, argument))
    copy.reference = found
    return copy


def json_text(data: Any, argument: str) -> str | None:
    """JSON data as the text that the API keeps it as; None stays None.

    Raises:
        InvalidRequestError: it is no JSON data.
    """
    if data is None:
        return None
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise InvalidRequestError(f"{argument} must be JSON data: dicts, lists, texts, finite numbers") from None


def check_json_text(text: str | None, argument: str) -> None:
    """Refuse a text that is no JSON; None is "not given".

    Raises:
        InvalidRequestError: it is none. The text does not hold it.
    """
    if text is not None and read_json(text.encode()) is UNREADABLE:
        raise InvalidRequestError(f"{argument} must be valid JSON as text; log(request=...) takes plain data instead")
