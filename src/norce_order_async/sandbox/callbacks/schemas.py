"""Checks whether a value matches a registered JSON Schema, with a limit on the work."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final, cast

from anyio import to_thread
from jsonschema import Draft202012Validator, SchemaError
from referencing import Registry

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.policy import SCHEMA_SECONDS
from norce_order_async.sandbox.service.refusals import bad_request

_QUICK = frozenset(
    [
        *("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "format"),
        *("readOnly", "writeOnly", "type", "const", "enum", "minLength", "maxLength", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "minProperties"),
        *("maxProperties", "required", "properties", "items", "prefixItems", "additionalProperties", "propertyNames"),
        *("not", "allOf", "anyOf", "oneOf", "if", "then", "else", "pattern"),
    ]
)
"""Keywords that check each part of a value once."""
_NO_SCHEMAS = frozenset(["const", "enum", "default", "examples", "required", "type"])
_MOST_LOOKS: Final = 1_000_000
"""Largest product of the parts of a schema and the parts of a value that is checked in this process."""
_LONGEST_TEXT: Final = 2_000
"""Longest text in characters for a pattern in this process, because a match may begin at each of them."""
_PLAIN_PATTERN = re.compile(r"\^?(?:[\w \-@/:,]|\\[.\-/dws]|\[\^?[\w\-]+\](?:\{\d{1,3}\})?)*[*+]?\$?")
"""Letters, classes and at most one repetition, so that the search can't backtrack much."""
_LONGEST_WAIT: Final = 60.0
"""Seconds until the separate process is given up, if its own timer does not end it."""

_PROGRAM = f"""
import json, signal, sys
from jsonschema import Draft202012Validator
from referencing import Registry
value, schema = json.load(sys.stdin)
validator = Draft202012Validator(schema, registry=Registry())
# Processor time, so that a busy machine changes nothing. The signal ends the process.
if hasattr(signal, "setitimer"):
    signal.setitimer(signal.ITIMER_PROF, {SCHEMA_SECONDS})
print(int(validator.is_valid(value)))
"""


class SchemaFailedError(Exception):
    """The schema can't be evaluated. The text completes a sentence that begins with the schema."""


async def matches(value: Any, schema: Any) -> bool:
    """Whether the value matches.

    Raises:
        SchemaFailedError: The schema can't be evaluated, or takes too long.
    """
    try:
        if _is_quick(schema, value):
            # With an empty registry, a reference to another document is not fetched.
            validator: Any = Draft202012Validator(schema, registry=Registry())
            return bool(validator.is_valid(value))
        return await to_thread.run_sync(_matches_in_process, value, schema)
    except SchemaFailedError:
        raise
    except Exception:  # noqa: BLE001 - a schema may fail in many ways while it runs
        raise SchemaFailedError("can't be evaluated") from None


def _matches_in_process(value: Any, schema: Any) -> bool:
    """Check in a separate process, whose processor time is limited."""
    given = json_text.text([value, schema])
    command = [sys.executable, "-c", _PROGRAM]
    try:
        done = subprocess.run(  # noqa: S603 - our own program; what was registered is its input
            command, input=given, capture_output=True, encoding="utf-8", timeout=_LONGEST_WAIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise _late() from None
    if done.returncode == -getattr(signal, "SIGPROF", 0):
        raise _late()
    if done.returncode != 0 or done.stdout.strip() not in ("0", "1"):
        raise SchemaFailedError("can't be evaluated")
    return done.stdout.strip() == "1"


def _late() -> SchemaFailedError:
    return SchemaFailedError(f"takes more than {SCHEMA_SECONDS:g} s")


def _is_quick(schema: Any, value: Any) -> bool:
    """Whether all keywords are quick, and schema and value are not too large together."""
    patterns = False
    for keyword, held in _keywords(schema):
        patterns = patterns or keyword == "pattern"
        if keyword not in _QUICK or (keyword == "pattern" and not _PLAIN_PATTERN.fullmatch(str(held))):
            return False
    if patterns and any(isinstance(one, str) and len(one) > _LONGEST_TEXT for one in _parts(value)):
        return False
    return _weight(schema) * _weight(value) <= _MOST_LOOKS


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every keyword of a schema and of its subschemas."""
    waiting: list[Any] = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(one, dict):
            for keyword, held in cast("Json", one).items():
                yield keyword, held
                if keyword == "properties" and isinstance(held, dict):
                    waiting.extend(cast("Json", held).values())
                elif keyword not in _NO_SCHEMAS:
                    waiting.append(held)


def _parts(value: Any) -> Iterator[Any]:
    """A value and everything in it."""
    waiting: list[Any] = [value]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, dict):
            waiting.extend(cast("Json", one).values())
        elif isinstance(one, list):
            waiting.extend(one)  # pyright: ignore[reportUnknownArgumentType]


def _weight(value: Any) -> int:
    """The size of a value: one for each part, and one for every hundred characters of a text."""
    return sum(1 + len(one) // 100 if isinstance(one, str) else 1 for one in _parts(value))


def refuse_no_schema(notification: Json, path: str) -> None:
    """Reject a schema that is not valid JSON Schema."""
    if "schema" not in notification:
        return
    try:
        Draft202012Validator.check_schema(notification["schema"])
    except SchemaError as error:
        place = "".join(f".{step}" for step in error.absolute_path)
        raise bad_request(f"{path}.schema{place}: is not valid in JSON Schema 2020-12") from None
    except RecursionError:
        raise bad_request(f"{path}.schema: is nested too deeply") from None
