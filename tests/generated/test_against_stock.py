"""The models of our templates compared with those of the generator's own templates, for the same descriptions."""

# These tests are about JSON data of unknown shape.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from types import ModuleType
from typing import Any, NamedTuple

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from norce_order_api import models
from tests.support.turns import examples

from . import kinds, stock
from .described import Body, Described, anything, misfits

VENDOR: dict[str, Any] = stock.DESCRIPTION["components"]["schemas"]
CLASSES = [
    *(("vendor", name) for name, schema in VENDOR.items() if "properties" in schema),
    *(("kinds", name) for name, schema in kinds.SCHEMAS.items() if "properties" in schema),
]
PROPERTIES = 4
"""Tests below that each class takes."""


def classes(turn: int) -> pytest.MarkDecorator:
    """Choose the classes with a member of every kind, and every fourth one of the vendor's, so that each is in one of
    the tests of an ordinary run. In a soak every test has all of them."""
    vendors = [which == "vendor" for which, _ in CLASSES]
    return pytest.mark.parametrize(
        ("which", "name"),
        [
            pytest.param(*each, marks=[pytest.mark.soak] if vendor and number % PROPERTIES != turn else [])
            for number, (each, vendor) in enumerate(zip(CLASSES, vendors, strict=True))
        ],
    )


several_times = settings(
    max_examples=examples(7, soak=20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Pair(NamedTuple):
    """One description, and its models from both sets of templates."""

    described: Described
    ours: ModuleType
    theirs: ModuleType


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, Pair]]:
    """Generate the models of the vendor's description, and of the one with every kind of member."""
    # Under xdist every process has its own folder below the run's folder.
    run = tmp_path_factory.getbasetemp()
    folder = (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "stock"
    folder.mkdir(exist_ok=True)
    with (
        stock.made(folder, "stock_vendor", stock.DESCRIPTION) as theirs,
        stock.made(folder, "stock_kinds", kinds.DESCRIPTION) as their_kinds,
        stock.made(folder, "our_kinds", kinds.DESCRIPTION, ours=True) as our_kinds,
    ):
        yield {
            "vendor": Pair(Described(VENDOR), models, theirs),
            "kinds": Pair(Described(kinds.SCHEMAS), our_kinds, their_kinds),
        }


def class_of(package: ModuleType, name: str) -> Any:
    """Return the model class of a schema; only the order's has another name."""
    return getattr(package, "OrderData" if name == "Order" else name)


@contextmanager
def reported_by(package: ModuleType) -> Generator[list[tuple[str, str]]]:
    """Collect place and kind of every difference that these models report."""
    drift = importlib.import_module(f"{package.__name__.rpartition('.')[0]}.types").DRIFT
    record: list[tuple[str, str]] = []
    token = drift.set(lambda where, what: record.append((where, what)))
    try:
        yield record
    finally:
        drift.reset(token)


def assert_read_alike(ours: Any, theirs: Any) -> None:
    """Check that both kinds of models have the same value: missing, null, a list, a model, free data or a plain one."""
    if type(theirs).__name__ == "Unset":
        assert ours is None
    elif theirs is None:
        assert repr(ours) == "NULL" or ours is None
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_read_alike(one, other)
    elif attrs.has(type(theirs)):
        assert_models_alike(ours, theirs)
    else:
        assert (type(ours), ours) == (type(theirs), theirs)


def assert_models_alike(ours: Any, theirs: Any, but: str | None = None) -> None:
    """Check that all members but one are equal, and the unknown members too."""
    if isinstance(ours, dict):
        assert ours == theirs.to_dict()
        return
    for member in attrs.fields_dict(type(theirs)):
        if member not in ("additional_properties", but):
            assert_read_alike(getattr(ours, member), getattr(theirs, member))
    if but is None:
        assert ours.additional_properties == theirs.additional_properties


def in_one_notation(value: Any) -> Any:
    """Turn times in the data into datetimes, because the two templates write UTC in different ways."""
    if isinstance(value, dict):
        return {name: in_one_notation(one) for name, one in value.items()}
    if isinstance(value, list):
        return [in_one_notation(one) for one in value]
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


@classes(turn=0)
@several_times
@given(data=st.data())
def test_a_valid_body_is_read_and_written_alike(
    which: str, name: str, data: st.DataObject, pairs: dict[str, Pair]
) -> None:
    """Both give the same members and the same JSON, and only unknown members are reported."""
    described, ours, theirs = pairs[which]
    body = data.draw(described.bodies(name))
    kind = class_of(ours, name)
    with reported_by(ours) as told:
        read = kind.from_dict(body)
    stock_read = class_of(theirs, name).from_dict(body)
    assert_models_alike(read, stock_read)
    assert in_one_notation(stock_read.to_dict()) == in_one_notation(body)
    assert read.to_dict() == body
    assert {what for _, what in told} <= {"extra"}


@classes(turn=1)
@several_times
@given(data=st.data())
def test_one_invalid_member_costs_no_other(which: str, name: str, data: st.DataObject, pairs: dict[str, Pair]) -> None:
    """The others read as without it. The invalid member reads as None, is kept and reported, and goes back as it
    came."""
    described, ours, theirs = pairs[which]
    valid = data.draw(described.bodies(name))
    # Only a member with a type can be invalid.
    typed = {member: schema for member, schema in described.members(name).items() if "type" in schema}
    odd = data.draw(st.sampled_from(sorted(typed)))
    value = data.draw(misfits(typed[odd]))
    kind = class_of(ours, name)
    with reported_by(ours) as told:
        read = kind.from_dict({**valid, odd: value})
    attribute = attribute_of(kind, odd)
    assert getattr(read, attribute) is None
    assert read.additional_properties[odd] == value
    assert (f"{kind.__name__}.{odd}", "wrong-type") in told
    assert_models_alike(read, class_of(theirs, name).from_dict(valid), but=attribute)
    if value != math.inf:
        assert read.to_dict()[odd] == value


@classes(turn=2)
@several_times
@given(data=st.data())
def test_a_null_or_a_gap_costs_no_other(which: str, name: str, data: st.DataObject, pairs: dict[str, Pair]) -> None:
    """A null that the description does not allow reads as None and is reported, and so is a missing required member."""
    described, ours, theirs = pairs[which]
    valid = data.draw(described.bodies(name))
    schema = described.schemas[name]
    odd = data.draw(st.sampled_from(sorted(schema["properties"])))
    there = data.draw(st.booleans())
    kind = class_of(ours, name)
    with reported_by(ours) as told:
        read = kind.from_dict({**{k: v for k, v in valid.items() if k != odd}, **({odd: None} if there else {})})
    nullable, typed = schema["properties"][odd].get("nullable"), "type" in described.members(name)[odd]
    required = odd in schema.get("required", ())
    attribute = attribute_of(kind, odd)
    assert repr(getattr(read, attribute)) == ("NULL" if nullable and there else "None")
    assert read.to_dict().get(odd, "absent") == (None if there else "absent")
    told_of = not nullable and (required or typed) if there else required
    expected = ["null" if there else "missing"] if told_of else []
    assert [what for where, what in told if where == f"{kind.__name__}.{odd}"] == expected
    assert_models_alike(read, class_of(theirs, name).from_dict(valid), but=attribute)


@classes(turn=3)
@several_times
@given(data=st.data())
def test_any_value_goes_back(which: str, name: str, data: st.DataObject, pairs: dict[str, Pair]) -> None:
    """Any data under any member is read without an error, and reading what is written gives the same."""
    described, ours, _ = pairs[which]
    members = st.sampled_from(sorted(described.members(name)))
    kind = class_of(ours, name)
    read = kind.from_dict(data.draw(st.dictionaries(members, anything, max_size=4)))
    again = kind.from_dict(read.to_dict())
    assert in_one_notation(again.to_dict()) == in_one_notation(read.to_dict())


def attribute_of(kind: Any, member: str) -> str:
    """Return the Python name of a member. The attributes are in the description's order."""
    return [name for name in attrs.fields_dict(kind) if not name.startswith("_")][_order(kind).index(member)]


def _order(kind: Any) -> list[str]:
    name = "Order" if kind.__name__ == "OrderData" else kind.__name__
    schema: Body = VENDOR[name] if kind.__module__.startswith("norce_order_api") else kinds.SCHEMAS[name]
    required = schema.get("required", ())
    members = list(schema["properties"])
    return [one for one in members if one in required] + [one for one in members if one not in required]
