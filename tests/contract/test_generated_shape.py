"""The few generated names that the package uses keep the shape that the description gives them.

When a new description or generator moves one of them, these tests name the operation. ``pipeline/request.py``,
``pipeline/response.py`` and ``raw.py`` use the names.
"""

from __future__ import annotations

import importlib
import inspect
import json
from importlib.resources import files
from typing import Any

import pytest

from norce_order_api import models
from norce_order_api.types import DRIFT, Model
from norce_order_async.orders.filter import OrderFilter
from norce_order_async.orders.lifecycle import STATUSES
from norce_order_async.pipeline.operations import OPERATIONS, V0, Operation
from tests.support.pipeline import sample_body

DESCRIPTION: dict[str, Any] = json.loads(files("norce_order_api").joinpath("openapi.json").read_text("utf-8"))
DESCRIBED: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
    if method in ("get", "put", "post", "patch", "delete")
}

ODD: tuple[Any, ...] = (None, 5, "x", [], [None, 5], {}, {"id": 5, "data": 5, "state": []})
"""JSON that no answer should be."""

every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


def followed(parameter: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in parameter:
        target: Any = DESCRIPTION
        for step in parameter["$ref"].split("/")[1:]:
            target = target[step]
        parameter = target
    return parameter


@every_operation
def test_the_builder_takes_what_the_description_has(operation: Operation) -> None:
    """The builder takes path ids, query parameters, headers and the body, by their names in snake case."""
    method, path, described = DESCRIBED[operation.id]
    names = {followed(parameter)["name"].replace("-", "_") for parameter in described.get("parameters", [])}
    if "requestBody" in described:
        names.add("body")
    module = importlib.import_module(f"norce_order_api.api.{operation.module}")
    assert set(inspect.signature(module._get_kwargs).parameters) == names
    assert {int(status) for status in described["responses"]} == module.STATUSES
    ids = {name: "x1" for name in names if "{" + name + "}" in path}
    body: Any = {"body": sample_body(operation)} if "body" in names else {}
    built = V0.endpoint(operation).build(**ids, **body, x_merchant="m", x_channel="c", x_adapterid="a")
    assert (built["method"], built["url"]) == (method, path.format(**ids))
    assert {name.lower() for name in built["headers"]} >= {"x-merchant", "x-channel", "x-adapterid"}
    assert ("json" in built) is ("body" in names)


@every_operation
def test_the_parser_never_raises(operation: Operation) -> None:
    """The parser accepts any status and any JSON, and reports differences."""
    told: list[str] = []
    token = DRIFT.set(lambda where, kind: told.append(kind))
    try:
        for status in (200, 201, 204, 302, 400, 499, 500, 520):
            for data in ODD:
                V0.endpoint(operation).parse(status_code=status, data=data)
    finally:
        DRIFT.reset(token)
    assert "unknown-status" in told


def test_every_query_parameter_of_the_listing_has_a_filter() -> None:
    """Only offset and limit have none, because they belong to the page."""
    _, _, described = DESCRIBED["GetCheckoutOrders"]
    query = {parameter["name"] for parameter in map(followed, described["parameters"]) if parameter["in"] == "query"}
    assert set(OrderFilter.__dataclass_fields__) == query - {"offset", "limit"}


def test_the_statuses_are_the_description_s() -> None:
    """The known statuses are exactly those of the description."""
    assert set(STATUSES) == set(DESCRIPTION["components"]["schemas"]["OrderStatus"]["enum"])


def test_members_that_the_client_reads() -> None:
    """Parts of the handle and natural keys are members of the models."""
    members = models.OrderData.MEMBERS
    assert {"cart", "customer", "payments", "shippings", "consents", "hooks", "notifications", "validations"} <= members
    assert {"state", "reference", "total", "created", "lastModified", "attributes"} <= members
    kinds: dict[str, type[Model]] = {
        "payments": models.Payment,
        "shippings": models.Shipping,
        "consents": models.Consent,
        "hooks": models.Hook,
        "notifications": models.Notification,
        "validations": models.Callback,
    }
    for operation in OPERATIONS:
        if operation.natural_key:
            assert set(operation.natural_key.keys) <= kinds[operation.natural_key.member].MEMBERS
            assert "id" in kinds[operation.natural_key.member].MEMBERS
