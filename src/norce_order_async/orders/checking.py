"""Checks what users pass, before anything is sent: models, or dicts in the API's spelling."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Protocol, Self, TypeVar, cast

import attrs

from norce_order_async import models
from norce_order_async._api import DRIFT, without_nulls
from norce_order_async._api import Model as GeneratedModel
from norce_order_async._json import UNREADABLE, is_list, read_json
from norce_order_async.checking import as_given, check_kind
from norce_order_async.errors import BadRequestError, ChangeRefusedError, InvalidRequestError, UnavailableError
from norce_order_async.orders.amounts import number
from norce_order_async.pipeline.answer import Answer
from norce_order_async.pipeline.operations import Operation

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
"""The patterns of the API description by schema and member, with a correct value in words. A test compares them with
the description."""

_V1_NAMES = {
    "Callback.invoke": "url",
    "Hook.scope": "subscribeTo",
}
"""Members of v1 of the API, which this client does not support, and their names in v0."""

_COMPLAINTS = {
    "wrong-type": "has the wrong type",
    "missing": "is missing",
    "extra": "is not a member of the API (members are spelled as in the API: includingVat)",
}


class Model(Protocol):
    """The methods that all generated models have."""

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """A model from a dict in the API's spelling."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The model as a dict in the API's spelling."""
        ...


M = TypeVar("M", bound=Model)
T = TypeVar("T")


def model_of(kind: type[M], value: M | Mapping[str, Any], argument: str) -> M:
    """The model for the value that was given as ``argument``.

    Raises:
        InvalidRequestError: the value is neither a model nor a dict, or the dict has an unknown or missing member or a
            member of the wrong type. The text names the member, never its value.
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise InvalidRequestError(
            f"{argument} must be a {kind.__name__} or a dict in the API's spelling, not {type(value).__name__}"
        )
    complaints: list[tuple[str, str]] = []
    token = DRIFT.set(lambda where, what: complaints.append((where, what)) if what in _COMPLAINTS else None)
    try:
        model = kind.from_dict(_plain(value, argument))
    except RecursionError:
        raise InvalidRequestError(f"{argument} is nested too deeply") from None
    finally:
        DRIFT.reset(token)
    if complaints:
        misfits = dict(_misfits(model))
        texts = [
            f"{where} is v1's name, and this is v0 of the API: write {_V1_NAMES[where]}"
            if what == "extra" and where in _V1_NAMES
            else f"{where} {_COMPLAINTS[what]}{misfits.get(where, '')}{_meant(where) if what == 'extra' else ''}"
            for where, what in complaints
        ]
        raise InvalidRequestError(f"{argument}: {'; '.join(dict.fromkeys(texts))}")
    return model


def _meant(where: str) -> str:
    """A question that suggests the member with the most similar name; empty if there is none."""
    kind, _, given = where.partition(".")
    spelled: frozenset[str] = getattr(getattr(models, kind, None), "MEMBERS", frozenset())
    by_letters = {member.lower(): member for member in spelled}
    near = get_close_matches(given.replace("_", "").lower(), by_letters, 1)
    return f": did you mean {by_letters[near[0]]}?" if near else ""


def _plain(value: Any, where: str) -> Any:
    """A caller's data as plain JSON data. They may contain models and decimals.

    Raises:
        InvalidRequestError: a decimal has no JSON number with its value, a model can't be sent, or a name is not a
            string.
    """
    if isinstance(value, Mapping):
        members = cast("Mapping[object, Any]", value)
        if not all(isinstance(name, str) for name in members):
            raise InvalidRequestError(f"{where} must have strings for its names")
        return {name: _plain(one, f"{where}.{name}") for name, one in members.items()}
    if isinstance(value, list | tuple):
        entries = cast("Iterable[Any]", value)
        return [_plain(one, f"{where}[{index}]") for index, one in enumerate(entries)]
    if isinstance(value, Decimal):
        return number(value, where)
    if isinstance(value, GeneratedModel):
        return written(value, where)
    return value


_WANTED = (
    ("list[", "a list"),
    ("str ", "a text"),
    ("int ", "a whole number"),
    ("float ", "a number"),
    ("bool ", "true or false"),
    ("datetime ", "a datetime with a time zone, or its ISO 8601 text"),
)
"""The type of a member in words, by the beginning of its type in the generated model. Any other type is an object."""

_GIVEN = {"str": "a text", "dict": "an object", "list": "a list", "bool": "a truth value", "int": "a whole number"}


def _given(value: object) -> str:
    if isinstance(value, float):
        return "a fraction" if math.isfinite(value) else "NaN or an infinity, which JSON does not have,"
    return _GIVEN.get(type(value).__name__, type(value).__name__)


def _misfits(model: object) -> Iterator[tuple[str, str]]:
    """The values of the wrong type in this model and below: the path of each, and the wanted and given type."""
    if not isinstance(model, GeneratedModel):
        return
    kind = type(model)
    types = {field.name: str(field.type) for field in attrs.fields(kind)}
    for name, value in (model.additional_properties if model.MEMBERS else {}).items():
        ours = re.sub("(?<=[a-z])([A-Z])", r"_\1", name).lower()
        declared = types.get(ours) or types.get(f"{ours}_")
        if name in model.MEMBERS and declared:
            wanted = next((words for begin, words in _WANTED if declared.startswith(begin)), "an object or a text")
            yield f"{kind.__name__}.{name}", f": {wanted} is wanted, {_given(value)} was given"
    for field in attrs.fields(kind):
        below: object = getattr(model, field.name)
        for one in below if is_list(below) else [below]:
            yield from _misfits(one)


def models_of(kind: type[M], values: Iterable[M | Mapping[str, Any]], argument: str) -> list[M]:
    """The models for a list of values, each as :func:`model_of`.

    Raises:
        InvalidRequestError: it is not a list, or a value is wrong.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequestError(f"{argument} must be a list, not a single value")
    return [model_of(kind, value, f"{argument}[{index}]") for index, value in enumerate(values)]


def written(model: Model, argument: str, *, is_new: bool = False) -> dict[str, Any]:
    """The model as plain data to send.

    Args:
        model: the model.
        argument: the caller's name for it.
        is_new: whether it creates something. Then nulls that it was copied with are left out. If it replaces something,
            nulls that came from the service go back.

    Raises:
        InvalidRequestError: it holds NaN, a time without a zone, or a value of the wrong type. The text names the
            member, never its value.
    """
    try:
        return without_nulls(cast("GeneratedModel", model)) if is_new else model.to_dict()
    except RecursionError:
        raise InvalidRequestError(f"{argument} is nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise InvalidRequestError(f"{argument} can't be sent like this: {error}") from error


def check_pattern(schema: str, member: str, value: object, argument: str) -> None:
    """Refuse a value that does not match the description's pattern for this member; None means "not given".

    Raises:
        InvalidRequestError: it does not match. The text gives a correct value.
    """
    if value is None:
        return
    pattern, right = PATTERNS[schema, member]
    # fullmatch on the inside of ^...$: in Python a $ also matches before a line break at the end.
    if not isinstance(value, str) or not re.fullmatch(pattern[1:-1], value):
        raise InvalidRequestError(f"{argument} must be {right}; got {as_given(value)}")


def check_address(address: object, argument: str) -> None:
    """Refuse an address whose country does not match the description's pattern.

    Raises:
        InvalidRequestError: it does not match.
    """
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
    """A model with a reference that the caller chooses."""

    reference: str | None


R = TypeVar("R", bound=Referenced)


def with_reference(kind: type[R], model: R, reference: str | None, argument: str) -> R:
    """A copy of the model with the reference that identifies it.

    Raises:
        InvalidRequestError: there is no reference, or the model has another one.
    """
    if reference is not None and model.reference is not None and reference != model.reference:
        raise InvalidRequestError(f"{argument} has another reference than the one given beside it")
    found = model.reference if reference is None else reference
    if not found:
        raise InvalidRequestError(f"{argument} needs a reference, which identifies it")
    copy = kind.from_dict(written(model, argument))
    copy.reference = found
    return copy


def json_text(data: Any, argument: str) -> str | None:
    """JSON data as text, which the API wants for this member; None stays None.

    Raises:
        InvalidRequestError: it is not JSON data.
    """
    if data is None:
        return None
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequestError(f"{argument} must be JSON data: dicts, lists, texts, finite numbers") from None


def check_json_text(text: str | None, argument: str) -> None:
    """Refuse a text that is not valid JSON; None means "not given".

    Raises:
        InvalidRequestError: it is not valid JSON. The error's text does not quote it.
    """
    if text is None:
        return
    check_kind(argument, text, str, "JSON as text", InvalidRequestError)
    if read_json(text.encode(errors="surrogatepass")) is UNREADABLE:
        raise InvalidRequestError(f"{argument} must be valid JSON as text; log(request=...) takes plain data instead")


Edit = Callable[[M], M | None]
"""Changes a model in place and returns None, or returns another model."""


def edited(kind: type[M], current: M, edit: Edit[M]) -> M:
    """The model after the edit. The edit gets a copy, so ``current`` stays as it is.

    Raises:
        InvalidRequestError: ``edit`` is not a function, or returned something else than a model or None.
    """
    if not callable(edit):
        raise InvalidRequestError(f"edit must be a function of a {kind.__name__}, not {type(edit).__name__}")
    proposed = kind.from_dict(current.to_dict())
    replaced = edit(proposed)
    if replaced is None:
        return proposed
    check_kind("what edit returns", replaced, kind, f"a {kind.__name__} or None", InvalidRequestError)
    return replaced


def read_as(kind: type[T], answer: Answer, what: str, operation: Operation, order_id: str) -> T:
    """The parsed answer to a read.

    Raises:
        UnavailableError: the answer is something else.
    """
    found = answer.parsed
    if not isinstance(found, kind):
        raise wrong_answer(what, answer, operation, order_id)
    return found


def wrong_answer(what: str, answer: Answer, operation: Operation, order_id: str | None = None) -> UnavailableError:
    """The error for an answer to a read that does not hold what was asked for."""
    return UnavailableError(
        f"the answer holds no {what}",
        operation=operation.id,
        order_id=order_id,
        correlation_id=answer.correlation_id,
        attempts=answer.attempts,
        status=answer.status,
    )


@contextmanager
def proposing(proposed: object) -> Generator[None]:
    """Turns a 400 into ``ChangeRefusedError``, with the model that was proposed.

    Raises:
        ChangeRefusedError: the service answered 400.
    """
    try:
        yield
    except BadRequestError as refused:
        raise ChangeRefusedError.of(refused, proposed) from refused
