"""The table of operations against the description: each has a kind that its method allows.

The kind that was decided for each is listed in tests/orders/test_every_operation.py.
"""

from __future__ import annotations

import pytest

from norce_order_async.pipeline.operations import OPERATIONS, V0, Expects, Kind, Operation
from tests.support.pipeline import description

EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


def test_the_table_is_the_descriptions() -> None:
    """The table has every operation of the description exactly once, and no other."""
    ids = [operation.id for operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(description())


@EVERY
def test_the_generated_module_exists(operation: Operation) -> None:
    """An operation's tag and name lead to its generated module, which knows the description's statuses."""
    row = description()[operation.id]
    assert [tag.lower().replace(" ", "_") for tag in row["tags"]] == [operation.tag]
    assert V0.endpoint(operation).statuses == set(row["statuses"])


@EVERY
def test_the_kind_fits_the_method(operation: Operation) -> None:
    """GET is safe, DELETE removes, PUT and PATCH set, and only POST creates, executes or checks."""
    kinds = {
        "GET": {Kind.SAFE},
        "DELETE": {Kind.IDEMPOTENT},
        "PUT": {Kind.IDEMPOTENT, Kind.STATE},
        "PATCH": {Kind.IDEMPOTENT},
        "POST": {Kind.CREATE, Kind.CREATE_ORDER, Kind.EXECUTE, Kind.SAFE},
    }
    method = description()[operation.id]["method"]
    assert operation.kind in kinds[method]
    assert operation.removes == (method == "DELETE")
    assert (method == "GET") == (operation.brings is Expects.VALUE)
    assert (operation.kind is Kind.SAFE and method == "POST") == (operation.id == "Validate")


@EVERY
def test_an_operation_that_answers_201_returns_an_id(operation: Operation) -> None:
    """An operation expects an id exactly if the description has a 201 for it."""
    assert (201 in description()[operation.id]["statuses"]) == (operation.brings is Expects.ID)


@pytest.mark.parametrize(
    "body", [None, {}, {"cart": None}, {"cart": {}}, {"cart": {"reference": ""}}, {"cart": {"reference": None}}, [1]]
)
def test_an_order_without_a_cart_reference_is_created_like_anything_else(body: object) -> None:
    """Without a cart reference the service would accept a second order, so the creation is not repeated like one with
    it."""
    (create,) = [row for row in OPERATIONS if row.kind is Kind.CREATE_ORDER]
    assert create.kind_for(body) is Kind.CREATE
    assert create.kind_for({"cart": {"reference": "c1"}}) is Kind.CREATE_ORDER
