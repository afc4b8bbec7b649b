"""Reading never raises and loses nothing, and every difference is reported."""

# These tests are about JSON data of unknown shape.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import copy
import json
import math
import pickle
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from norce_order_api import models, types
from norce_order_api.models import Cart, Customer, Item, OrderData, Payment, PaymentAction, Price, Shipping, State
from norce_order_api.types import NULL, UNSET, Word, without_nulls
from tests.support.turns import examples

Told = list[tuple[str, str]]
CLASSES: list[Any] = [kind for name in models.__all__ if hasattr(kind := getattr(models, name), "from_dict")]


def test_a_body_as_described_reports_nothing(told: Told) -> None:
    body = {"id": "o1", "state": {"currentStatus": "checkout", "transitions": []}, "cart": {"items": [{"quantity": 1}]}}
    order = OrderData.from_dict(body)
    assert order.state is not None
    assert order.state.current_status == "checkout"
    assert order.to_dict() == body
    assert told == []


def test_words_are_read_in_any_case_and_written_as_they_came(told: Told) -> None:
    """Person reads as person and goes back as Person. The vendor writes it so, and so it is not drift."""
    customer = Customer.from_dict({"type": "Person"})
    assert customer.type_ == "person"
    assert customer.to_dict() == {"type": "Person"}
    assert {"person": 1}[customer.type_ or ""] == 1
    assert told == []


def test_an_unknown_word_is_kept_and_reported(told: Told) -> None:
    """An order with a status that is not in the description can be read and goes back as it came."""
    state = State.from_dict({"currentStatus": "Paused"})
    assert state.current_status == "Paused"
    assert state.to_dict() == {"currentStatus": "Paused"}
    assert told == [("State.currentStatus", "unknown-word")]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_sentinels_and_words_survive_copying(again: Any) -> None:
    """`is` works for UNSET and NULL after any copy; a word keeps its spelling."""
    assert again(UNSET) is UNSET
    assert again([UNSET])[0] is UNSET
    assert again(NULL) is NULL
    word = again(Word("person", "Person"))
    assert (word, word.spelled) == ("person", "Person")


def test_an_undescribed_null_reads_as_none(told: Told) -> None:
    """A null that the description does not allow is reported, and sent back as it came."""
    body = {"id": None, "cart": None, "created": None, "state": {"currentStatus": None}}
    order = OrderData.from_dict(body)
    assert order == OrderData(state=State())
    assert order.additional_properties == {}
    assert order.to_dict() == body
    assert sorted(told) == [
        ("OrderData.cart", "null"),
        ("OrderData.created", "null"),
        ("OrderData.id", "null"),
        ("State.currentStatus", "null"),
    ]


def test_a_missing_required_member_reads_as_none(told: Told) -> None:
    """Each such member is reported once, as missing or as null."""
    shipping = Shipping.from_dict({"id": "s1", "vatRate": None})
    assert (shipping.total, shipping.vat_rate) == (None, None)
    assert told == [("Shipping.total", "missing"), ("Shipping.vatRate", "null")]
    assert shipping.to_dict() == {"id": "s1", "vatRate": None}


@pytest.mark.parametrize(
    ("kind", "member", "attribute", "value"),
    [
        (Price, "includingVat", "including_vat", "12"),
        (Price, "includingVat", "including_vat", True),
        (Item, "quantity", "quantity", True),
        (Item, "quantity", "quantity", 1.5),
        (Item, "upsell", "upsell", 1),
        (Item, "name", "name", 7),
        (Item, "price", "price", [1]),
        (Item, "discounts", "discounts", {"a": 1}),
        (Item, "attributes", "attributes", "a"),
        (Item, "productType", "product_type", {"a": 1}),
        (OrderData, "created", "created", "yesterday"),
        (OrderData, "created", "created", 1700000000),
        (OrderData, "cart", "cart", "<html>"),
    ],
)
def test_a_wrong_type_reads_as_none_and_goes_back_as_it_came(
    kind: Any, member: str, attribute: str, value: Any, told: Told
) -> None:
    """The raw value stays in additional_properties."""
    model = kind.from_dict({member: value})
    assert getattr(model, attribute) is None
    assert model.additional_properties == {member: value}
    assert model.to_dict() == {member: value}
    assert told == [(f"{kind.__name__}.{member}", "wrong-type")]


def test_a_member_that_is_set_overrides_the_value_that_came() -> None:
    """A caller may replace a value that did not fit."""
    order = OrderData.from_dict({"cart": "<html>", "reference": 7})
    order.cart = Cart(reference="c1")
    order.reference = "r1"
    assert order.to_dict() == {"cart": {"reference": "c1"}, "reference": "r1"}


def test_bad_elements_leave_the_good_ones_readable(told: Told) -> None:
    """A list goes back whole as long as it is not changed."""
    body: dict[str, Any] = {"items": [{"name": "a", "more": 1}, 7, None, {"name": "b"}]}
    cart = Cart.from_dict(body)
    assert [item.name for item in cart.items or []] == ["a", "b"]
    assert ("Cart.items", "wrong-type") in told
    told.clear()
    assert cart.to_dict() == body
    assert told == []


def test_a_changed_list_overrides_the_list_that_came() -> None:
    """After a change of an element or of the list itself, the caller's list is sent."""
    body: dict[str, Any] = {"items": [{"name": "a"}, 7]}
    cart = Cart.from_dict(body)
    assert cart.items is not None
    cart.items[0].name = "z"
    assert cart.to_dict() == {"items": [{"name": "z"}]}
    cart.items = []
    assert cart.to_dict() == {"items": []}


def test_a_list_in_the_wrong_place_gives_way_to_a_set_value() -> None:
    """A list that came instead of a cart goes back until a cart is set."""
    order = OrderData.from_dict({"cart": [{"items": []}], "hooks": [7]})
    assert order.to_dict() == {"cart": [{"items": []}], "hooks": [7]}
    order.cart = Cart(reference="c1")
    assert order.to_dict() == {"cart": {"reference": "c1"}, "hooks": [7]}


def test_unknown_members_go_back_and_are_reported(told: Told) -> None:
    """Unknown members are reported by name if the name is a word, and without it if it may be a person's address."""
    body = {"reference": "r", "loyalty": {"points": 1}, "anna@example.com": None}
    cart = Cart.from_dict(body)
    assert cart.additional_properties == {"loyalty": {"points": 1}, "anna@example.com": None}
    assert cart.to_dict() == body
    assert sorted(told) == [("Cart.?", "extra"), ("Cart.loyalty", "extra")]


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "2026-01-02T04:04:05+01:00"])
def test_times_are_aware(text: str, told: Told) -> None:
    """A time is aware whatever the notation of its offset."""
    assert OrderData.from_dict({"created": text}).created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert told == []


def test_a_time_without_offset_is_utc(told: Told) -> None:
    """A missing offset is reported."""
    created = OrderData.from_dict({"created": "2026-01-02T03:04:05"}).created
    assert created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert told == [("OrderData.created", "no-offset")]


def test_whole_numbers_stay_whole() -> None:
    """1234 stays 1234, and 2.0 is a quantity of 2."""
    price = Price.from_dict({"includingVat": 1234})
    assert json.dumps(price.to_dict()) == '{"includingVat": 1234}'
    assert Item.from_dict({"quantity": 2.0}).quantity == 2


@pytest.mark.parametrize("answer", [None, "text", 7, True, [], [{"id": "o1"}]])
def test_an_answer_that_is_not_an_object_reads_as_an_empty_model(answer: Any, told: Told) -> None:
    """The wrong type is reported under the class."""
    assert OrderData.from_dict(answer) == OrderData()
    assert [where for where, _ in told] == ["OrderData"]


def test_an_outlet_is_not_needed() -> None:
    """Without a place to report to, differences are ignored."""
    assert types.DRIFT.get() is None
    assert PaymentAction.from_dict({"id": 1}).additional_properties == {"id": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def bodies(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw objects whose names are mostly the model's own, and whose values are anything."""
    names = st.sampled_from(sorted(kind.MEMBERS)) | st.text(max_size=8)
    values = json_values | st.sampled_from(
        ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.1234567", "Person", "checkout", [{}, 1], [{"id": 1}, None]]
    )
    return st.dictionaries(names, values, max_size=6)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@settings(max_examples=examples(8, soak=25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_json_is_read_and_goes_back(kind: Any, data: st.DataObject) -> None:
    """Nothing raises, and every body goes back as it came."""
    kind.from_dict(data.draw(json_values))
    body = data.draw(bodies(kind))
    before = copy.deepcopy(body)
    written = kind.from_dict(body).to_dict()
    assert body == before
    json.dumps(written)
    assert written == body
    assert copy.deepcopy(kind.from_dict(body)).to_dict() == body


TIMES = [
    "2026-01-02T03:04:05",
    "2026-01-02T03:04:05.1234567Z",
    "2026-01-02T03:04:05.1234567",
    "2026-01-02T03:04:05.1234567+02:00",
    "2026-01-02T03:04:05.12Z",
    "2026-01-02T03:04:05.000000Z",
    "2026-01-02T03:04:05+00:00",
    "2026-01-02 03:04:05Z",
    "2026-01-02",
    "2026-W01-5T03:04:05Z",
    "20260102T030405Z",
    "2026-01-02T03:04Z",
    pytest.param(
        "2026-01-02T24:00:00Z", marks=pytest.mark.skipif(sys.version_info < (3, 14), reason="no time before 3.14")
    ),
]
COPIES = [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), attrs.evolve]


@pytest.mark.parametrize("again", [lambda model: model, *COPIES])
@pytest.mark.parametrize("text", TIMES)
def test_an_unchanged_time_goes_back_as_it_came(text: str, again: Any) -> None:
    """A time goes back in its notation, even with more digits than a datetime holds."""
    body = {"created": text, "state": {"transitions": [{"status": "Checkout", "timeStamp": text}]}}
    order = again(OrderData.from_dict(body))
    assert order.created is not None
    assert order.created.tzinfo is not None
    assert order.additional_properties == {}
    assert order.to_dict() == body
    assert order == OrderData.from_dict(order.to_dict())


@pytest.mark.parametrize("again", COPIES)
@pytest.mark.parametrize("text", TIMES)
def test_a_changed_time_is_written_again(text: str, again: Any) -> None:
    """A time that was set to another value, by a microsecond too, or removed does not go back as it came."""
    order = again(OrderData.from_dict({"created": text, "lastModified": text}))
    later = order.created + timedelta(microseconds=1)
    assert attrs.evolve(order, created=later).to_dict()["created"] == OrderData(created=later).to_dict()["created"]
    order.created, order.last_modified = datetime(2027, 1, 2, tzinfo=UTC), None
    assert order.to_dict() == {"created": "2027-01-02T00:00:00Z"}


@pytest.mark.parametrize("again", [lambda model: model, *COPIES])
def test_a_null_goes_back_until_something_is_set(again: Any) -> None:
    """Nulls go back at any depth. ``without_nulls`` leaves them out for a new entry made from the same model."""
    body = {"reference": None, "items": [{"sku": None, "attributes": {"a": None}}], "total": None, "more": None}
    cart = again(Cart.from_dict(body))
    assert cart.to_dict() == body
    assert without_nulls(cart) == {"items": [{"attributes": {"a": None}}], "more": None}
    assert cart.to_dict() == body
    cart.reference, cart.items[0].sku = "c1", "T1"
    assert cart.to_dict() == {**body, "reference": "c1", "items": [{"sku": "T1", "attributes": {"a": None}}]}
    assert attrs.evolve(cart, reference=None, items=None).to_dict() == {"reference": None, "total": None, "more": None}


def test_a_removed_list_does_not_come_back() -> None:
    """A list that is set to None is not sent, even if elements of it did not fit."""
    cart = Cart.from_dict({"items": [{"name": "a"}, 7], "discounts": [7]})
    cart.items = None
    assert cart.to_dict() == {"discounts": [7]}
    cart.additional_properties.clear()
    assert cart.to_dict() == {"discounts": []}


def test_a_payment_keeps_its_amount() -> None:
    """Big and small numbers come back as they went in."""
    for amount in (10**30, 0.1, 1e-300, -5, math.pi):
        assert Payment.from_dict({"amount": amount}).to_dict() == {"amount": amount}
