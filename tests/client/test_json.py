"""Reading and writing JSON gives the same results with orjson and without it."""

# These tests are about JSON data of unknown shape.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import json
import math
import struct
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_api.models import OrderData
from norce_order_api.types import Word
from norce_order_async import _json as plain
from norce_order_async._json import UNREADABLE, read_json, write_json


@pytest.fixture(params=["orjson", "standard library"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Use the fast extra, or hide it."""
    assert plain.orjson is not None, "the fast extra belongs to what is tested"
    if request.param == "standard library":
        monkeypatch.setattr(plain, "orjson", None)
    return str(request.param)


def shown(value: Any) -> str:
    """Return the value's repr, which keeps 1, 1.0 and True apart."""
    return repr(value)


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Shape(StrEnum):
    ROUND = "round"


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Thing:
    x: int


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, true, null, "\\u00e5"]}', {"a": [1, 2.5, True, None, "å"]}),
        (b'{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        (b"[1e999]", [math.inf]),
        (b"[-0, -0.0]", [0, -0.0]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\ud800"', "\ud800"),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": "å"}'.encode("utf-16"), {"a": "å"}),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775809", -(2**63) - 1),
        (b"[18446744073709551615, 18446744073709551616]", [2**64 - 1, 2**64]),
        (b'{"a":1,"b":[-123456789012345678901234567890]}', {"a": 1, "b": [-123456789012345678901234567890]}),
        (b'["12345678901234567890", 0.10000000000000000555]', ["12345678901234567890", 0.1]),
        (b"[" * 254 + b"]" * 254, None),
    ],
)  # fmt: skip
def test_reading(body: bytes, value: Any) -> None:
    """Numbers of any length are read, NaN as null, the last of two members with one name, and any encoding of
    Unicode."""
    read = read_json(body)
    if value is None:
        assert read == json.loads(body)
    else:
        assert shown(read) == shown(value)


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"<html>", b"{", b'{"a": }', b"[1,]", b"01", b"1.", b"1 2", b"nul", b"'a'", b'"\x00"', b'"\xff"',
        b"\xff\xfe", b'{"a": 1}}', b"[" * 255 + b"]" * 255, b"[" * 100_000 + b"]" * 100_000, b"1" * 5000,
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_invalid_json_is_a_value_of_its_own(body: bytes) -> None:
    """No body raises."""
    assert read_json(body) is UNREADABLE


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"å": "\u2028", "a": [1, True, None, "\x1f"]}, '{"å":"\u2028","a":[1,true,null,"\\u001f"]}'),
        ([0.1, 1234.0, 0.1 + 0.2, -0.0], "[0.1,1234.0,0.30000000000000004,-0.0]"),
        (-(10**30), "-1000000000000000000000000000000"),
        ({1: "a", None: "b"}, '{"1":"a","null":"b"}'),
        ([Word("person", "Person"), Shape.ROUND, Size.BIG, Colour.RED], '["person","round",3,"red"]'),
        ({Shape.ROUND: OrderedDict(a=1)}, '{"round":{"a":1}}'),
        ([Point(1, 2), (3,)], "[[1,2],[3]]"),
        ([UUID(int=1)], '["00000000-0000-0000-0000-000000000001"]'),
        ("null", '"null"'),
    ],
)  # fmt: skip
def test_writing(value: Any, text: str) -> None:
    """The text is the shortest, in UTF-8, with amounts as Python writes them and enums as their values."""
    assert write_json(value) == text.encode()


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (math.nan, ValueError),
        ({"a": [math.inf]}, ValueError),
        ({"a": None, "b": -math.inf}, ValueError),
        ("secret \ud800", ValueError),
        ({"secret": Decimal("1.10")}, TypeError),
        ({"secret": datetime(2026, 1, 2, tzinfo=UTC)}, TypeError),
        ({"secret": b"secret"}, TypeError),
        ({"secret": {"secret"}}, TypeError),
        ({"secret": Thing(1)}, TypeError),
        ({("secret",): 1}, TypeError),
        ({"secret": object()}, TypeError),
    ],
)
def test_values_that_can_not_be_written(value: Any, error: type[Exception]) -> None:
    """Both raise the same errors, and none shows the body."""
    with pytest.raises(error) as refused:
        write_json(value)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert not hasattr(refused.value, "object")


@pytest.mark.usefixtures("codec")
def test_data_that_holds_itself_is_refused() -> None:
    """Data that holds itself or is nested extremely deeply is refused."""
    ring: list[Any] = []
    ring.append(ring)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (ring, deep):
        with pytest.raises(ValueError, match=r"nested too deeply|Circular"):
            write_json(value)


@pytest.mark.usefixtures("codec")
def test_data_nested_deeper_than_orjson_goes_is_written() -> None:
    """orjson stops at a depth of 254, and deeper data is written all the same."""
    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    assert json.loads(write_json(deep)) == deep


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def written_by(codec: object, value: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "orjson", codec)
        try:
            return write_json(value)
        except ValueError:
            return "refused"


def read_by(codec: object, body: bytes) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "orjson", codec)
        return read_json(body)


@given(value=json_data)
@settings(deadline=None)
def test_both_write_the_same_data(value: Any) -> None:
    """Both write the data or both refuse it. Numbers may be spelled differently, but are the same to the last bit."""
    fast, standard = written_by(plain.orjson, value), written_by(None, value)
    assert (fast == "refused") == (standard == "refused")
    if fast != "refused":
        assert shown(json.loads(fast)) == shown(json.loads(standard)) == shown(value)


@given(body=st.binary() | json_data.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_both_read_the_same_data(body: bytes) -> None:
    """Both read the same data from any bytes."""
    assert shown(read_by(plain.orjson, body)) == shown(read_by(None, body))


@given(digits=st.from_regex(rb"\A-?[1-9][0-9]{15,30}\Z"), before=st.integers(0, 9))
@settings(deadline=None)
def test_no_digit_of_a_long_number_is_lost(digits: bytes, before: int) -> None:
    """A long number keeps all its digits wherever it is in the body."""
    body = b'{"a":"' + b"x" * before + b'","b":[' + digits + b"]}"
    assert read_by(plain.orjson, body)["b"] == [int(digits)]


@given(amount=st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_an_amount_survives_to_the_last_bit(amount: float) -> None:
    """An amount that goes from a model to bytes and back is the same to the last bit."""
    sent = written_by(plain.orjson, OrderData.from_dict({"total": {"includingVat": amount}}).to_dict())
    read = OrderData.from_dict(read_by(plain.orjson, sent))
    assert read.total is not None
    assert read.total.including_vat is not None
    assert struct.pack("d", read.total.including_vat) == struct.pack("d", amount)
    assert struct.pack("d", json.loads(sent)["total"]["includingVat"]) == struct.pack("d", amount)
