"""Turns a received request into a call. It checks credentials, merchant and channel, query and body, in this order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.policy import refuse_fractions, refuse_unknown_members
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.records import ReceivedRequest
from norce_order_async.sandbox.schema import (
    Body,
    Invalid,
    Operation,
    Parameter,
    moment,
    unknown_members,
    written_as_read,
)
from norce_order_async.sandbox.service.calls import Call
from norce_order_async.sandbox.service.presentation import spellings
from norce_order_async.sandbox.service.refusals import Refusal, bad_request
from norce_order_async.sandbox.storage.store import Scope


def admit(
    operation: Operation,
    request: ReceivedRequest,
    authorization: str | None,
    ids: Mapping[str, str],
    tokens: Collection[str],
    readings: ReadingsInUse,
) -> Call:
    """The call that a request makes.

    `authorization` is separate, because the request has it masked.

    Raises:
        Refusal: The request is not allowed or malformed.
    """
    authorize(authorization, tokens)
    headers = request.headers
    scope = Scope(_named(headers, "x-merchant"), _named(headers, "x-channel"))
    try:
        with unknown_members() as unknown, written_as_read(readings.of):
            query = _query(operation.query, request.query) if operation.query else {}
            sent, body = _body(operation.body, request) if operation.body else (None, None)
    except Invalid as invalid:
        raise bad_request(str(invalid)) from None
    refuse_unknown_members(readings, unknown)
    refuse_fractions(readings, body, "$")
    spelled = dict(spellings(sent, body)) if readings.chosen["enum-written"] == "as-sent" else {}
    return Call(operation.id, scope, headers.get("x-adapterid"), ids, query, body, spelled)


def authorize(authorization: str | None, tokens: Collection[str]) -> None:
    """Refuse a request that has none of the tokens.

    Raises:
        Refusal: 401.
    """
    given = (authorization or "").strip()
    scheme, _, rest = given.partition(" ")
    if scheme.lower() == "bearer":
        given = rest.strip()
    if not given or not any(compare_digest(given.encode(), token.encode()) for token in tokens):
        raise Refusal(401, "unauthorized", "The Authorization header is missing or its token is not known.")


def _named(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "").strip()
    if not value:
        raise bad_request(f"The header {name} is required and must not be empty.")
    return value


def _query(known: Mapping[str, Parameter], query: str) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise Invalid("query", "can't be read") from None
    for name, text in pairs:
        if (parameter := known.get(name)) is None:
            continue
        value = _parameter(name, parameter, text)
        if parameter.many:
            checked.setdefault(name, []).append(value)
        elif name in checked:
            raise Invalid(name, "must come once")
        else:
            checked[name] = value
    return checked


def _parameter(name: str, parameter: Parameter, text: str) -> Any:
    if parameter.moment:
        return moment(text, name)
    if parameter.whole_number:
        try:
            text.encode("ascii")  # digits of other scripts are numbers to Python
            return parameter.check(int(text), name)
        except ValueError:
            raise Invalid(name, "must be a whole number") from None
    return parameter.check(text, name)


def _body(expected: Body, request: ReceivedRequest) -> tuple[Any, Any]:
    """The body as it was sent, and the body after the check."""
    if not request.body:
        if expected.required:
            raise Invalid("$", "a body is required")
        return {}, expected.check({}, "$")
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Invalid("$", "the body must be application/json")
    try:
        value = json_text.read(request.body)
    except json_text.NotJsonError:
        raise Invalid("$", "the body is not JSON") from None
    return value, expected.check(value, "$")
