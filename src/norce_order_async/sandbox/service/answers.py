"""Answers whose form is not published: those to creations, validations and refused requests."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.readings import ReadingsInUse
from norce_order_async.sandbox.service.calls import ServiceAnswer, answer
from norce_order_async.sandbox.service.refusals import Refusal

LOCATION = "/api/v0/checkout/orders/"

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    500: "Internal Server Error",
}


def created(readings: ReadingsInUse, order_id: str) -> ServiceAnswer:
    """The answer to creating an order."""
    location = {"location": LOCATION + order_id}
    match readings.of("create-answer"):
        case "bare-string":
            return answer(order_id, 201, location)
        case "location-alone":
            return ServiceAnswer(201, headers=location)
        case "200-without-location":
            return answer({"id": order_id})
        case _:
            return answer({"id": order_id}, 201, location)


def validated(readings: ReadingsInUse, entries: list[Json]) -> ServiceAnswer:
    """The answer to validating an order. Without entries the order is valid."""
    if not entries:
        return answer(entries)
    match readings.of("validate-failed"):
        case "errors-object":
            return answer({"errors": entries}, 400)
        case "200-with-entries":
            return answer(entries)
        case _:
            return answer(entries, 400)


def refused(readings: ReadingsInUse, refusal: Refusal, headers: Mapping[str, str] | None = None) -> ServiceAnswer:
    """The answer to a request that is refused."""
    if refusal.body is not None:
        return ServiceAnswer(refusal.status, refusal.body, {"content-type": _type_of(refusal.body), **(headers or {})})
    match readings.of("errors"):
        case "problem-details":
            return _problem(refusal, {"detail": refusal.message}, headers)
        case "problem-details-with-errors":
            path, colon, complaint = refusal.message.partition(": ")
            if colon and " " not in path:
                return _problem(refusal, {"errors": {path: [complaint]}}, headers)
            return _problem(refusal, {"detail": refusal.message}, headers)
        case _:
            return answer({"code": refusal.code, "message": refusal.message}, refusal.status, headers)


def _problem(refusal: Refusal, said: Json, headers: Mapping[str, str] | None) -> ServiceAnswer:
    status = refusal.status
    details = {
        "type": f"https://httpstatuses.io/{status}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        **said,
        "traceId": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
    }
    return answer(details, status, {"content-type": "application/problem+json", **(headers or {})})


def _type_of(body: bytes) -> str:
    try:
        json_text.read(body)
    except json_text.NotJsonError:
        return "text/plain"
    return "application/json"
