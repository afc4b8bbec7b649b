"""Reading: nothing raises, nothing is lost, every surprise is told."""

# JSON data, of which nothing is known, is what these tests are about.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import copy
import json
import math
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from norce_order_api import models, types
from norce_order_api.models import Cart, Customer, Item, OrderData, Payment, PaymentAction, Price, Shipping, State
from norce_order_api.types import NULL, UNSET, Word

Told = list[tuple[str, str]]
CLASSES: list[Any] = [kind for name in models.__all__ if hasattr(kind := getattr(models, name), "from_dict")]


def test_a_body_as_described_tells_nothing(told: Told) -> None:
    """The common case is silent."""
    body = {"id": "o1", "state": {"currentStatus": "checkout", "transitions": []}, "cart": {"items": [{"quantity": 1}]}}
    order = OrderData.from_dict(body)
    assert order.state is not None
    assert order.state.current_status == "checkout"
    assert order.to_dict() == body
    assert told == []


def test_words_are_read_in_any_case_and_written_as_they_came(told: Told) -> None:
    """Person reads as person, and goes back as Person; this is how the vendor himself writes, so it is no drift."""
    customer = Customer.from_dict({"type": "Person"})
    assert customer.type_ == "person"
    assert customer.to_dict() == {"type": "Person"}
    assert {"person": 1}[customer.type_ or ""] == 1
    assert told == []


def test_an_unknown_word_is_kept_and_told(told: Told) -> None:
    """A new status does not lose the order."""
    state = State.from_dict({"currentStatus": "Paused"})
    assert state.current_status == "Paused"
    assert state.to_dict() == {"currentStatus": "Paused"}
    assert told == [("State.currentStatus", "unknown-word")]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_sentinels_and_words_survive_copying(again: Any) -> None:
    """`is` holds for UNSET and NULL whatever is done to them; a word keeps its spelling."""
    assert again(UNSET) is UNSET
    assert again([UNSET])[0] is UNSET
    assert again(NULL) is NULL
    word = again(Word("person", "Person"))
    assert (word, word.spelled) == ("person", "Person")


def test_null_where_none_is_described_reads_as_none(told: Told) -> None:
    """Told, and not sent back."""
    order = OrderData.from_dict({"id": None, "cart": None, "created": None, "state": {"currentStatus": None}})
    assert order == OrderData(state=State())
    assert sorted(told) == [
        ("OrderData.cart", "null"),
        ("OrderData.created", "null"),
        ("OrderData.id", "null"),
        ("State.currentStatus", "null"),
    ]


def test_a_missing_required_member_reads_as_none(told: Told) -> None:
    """Told once each, as missing or as null."""
    shipping = Shipping.from_dict({"id": "s1", "vatRate": None})
    assert (shipping.total, shipping.vat_rate) == (None, None)
    assert told == [("Shipping.total", "missing"), ("Shipping.vatRate", "null")]
    assert shipping.to_dict() == {"id": "s1"}


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


def test_a_member_that_is_set_wins_over_what_came() -> None:
    """Mending a wrong value is what the caller meant."""
    order = OrderData.from_dict({"cart": "<html>", "reference": 7})
    order.cart = Cart(reference="c1")
    order.reference = "r1"
    assert order.to_dict() == {"cart": {"reference": "c1"}, "reference": "r1"}


def test_bad_elements_leave_the_good_ones_readable(told: Told) -> None:
    """The list goes back whole while nobody has changed it."""
    body: dict[str, Any] = {"items": [{"name": "a", "more": 1}, 7, None, {"name": "b"}]}
    cart = Cart.from_dict(body)
    assert [item.name for item in cart.items or []] == ["a", "b"]
    assert ("Cart.items", "wrong-type") in told
    told.clear()
    assert cart.to_dict() == body
    assert told == []


def test_a_changed_list_wins_over_what_came() -> None:
    """Changing an element or the list itself sends what the caller sees."""
    body: dict[str, Any] = {"items": [{"name": "a"}, 7]}
    cart = Cart.from_dict(body)
    assert cart.items is not None
    cart.items[0].name = "z"
    assert cart.to_dict() == {"items": [{"name": "z"}]}
    cart.items = []
    assert cart.to_dict() == {"items": []}


def test_a_list_where_none_belongs_gives_way_to_what_is_set() -> None:
    """It came instead of a cart, and a cart took its place."""
    order = OrderData.from_dict({"cart": [{"items": []}], "hooks": [7]})
    assert order.to_dict() == {"cart": [{"items": []}], "hooks": [7]}
    order.cart = Cart(reference="c1")
    assert order.to_dict() == {"cart": {"reference": "c1"}, "hooks": [7]}


def test_unknown_members_go_back_and_are_told(told: Told) -> None:
    """Told by name where the name is a word, and without it where it could be somebody's address."""
    body = {"reference": "r", "loyalty": {"points": 1}, "anna@example.com": None}
    cart = Cart.from_dict(body)
    assert cart.additional_properties == {"loyalty": {"points": 1}, "anna@example.com": None}
    assert cart.to_dict() == body
    assert sorted(told) == [("Cart.?", "extra"), ("Cart.loyalty", "extra")]


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "2026-01-02T04:04:05+01:00"])
def test_times_are_aware(text: str, told: Told) -> None:
    """Whichever way the offset is written."""
    assert OrderData.from_dict({"created": text}).created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert told == []


def test_a_time_without_offset_is_utc(told: Told) -> None:
    """And told."""
    created = OrderData.from_dict({"created": "2026-01-02T03:04:05"}).created
    assert created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert told == [("OrderData.created", "no-offset")]


def test_whole_numbers_stay_whole() -> None:
    """1234 stays 1234, and 2.0 is a quantity of 2."""
    price = Price.from_dict({"includingVat": 1234})
    assert json.dumps(price.to_dict()) == '{"includingVat": 1234}'
    assert Item.from_dict({"quantity": 2.0}).quantity == 2


@pytest.mark.parametrize("answer", [None, "text", 7, True, [], [{"id": "o1"}]])
def test_an_answer_that_is_no_object_reads_as_an_empty_model(answer: Any, told: Told) -> None:
    """Told at the class."""
    assert OrderData.from_dict(answer) == OrderData()
    assert [where for where, _ in told] == ["OrderData"]


def test_an_outlet_is_not_needed() -> None:
    """Without one, surprises pass silently."""
    assert types.DRIFT.get() is None
    assert PaymentAction.from_dict({"id": 1}).additional_properties == {"id": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def bodies(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects whose names are mostly the model's own, and whose values are anything."""
    names = st.sampled_from(sorted(kind.MEMBERS)) | st.text(max_size=8)
    values = json_values | st.sampled_from(["2026-01-02T03:04:05Z", "Person", "checkout", [{}, 1], [{"id": 1}, None]])
    return st.dictionaries(names, values, max_size=6)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_json_comes_is_read_and_goes_back(kind: Any, data: st.DataObject) -> None:
    """Nothing raises, and nothing that was not null is lost."""
    kind.from_dict(data.draw(json_values))
    body = data.draw(bodies(kind))
    before = copy.deepcopy(body)
    written = kind.from_dict(body).to_dict()
    assert body == before
    json.dumps(written)
    # The only other way to write a value: the same time in another notation.
    assert without_nulls(times_at_utc(written)) == without_nulls(times_at_utc(body))


def without_nulls(value: Any) -> Any:
    """Nulls of objects may go; those in a list hold a place."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def times_at_utc(value: Any) -> Any:
    """Texts that are times, in one notation."""
    if isinstance(value, dict):
        return {name: times_at_utc(one) for name, one in value.items()}
    if isinstance(value, list):
        return [times_at_utc(one) for one in value]
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            return value
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
    return value


def test_a_payment_never_turns_into_another_amount() -> None:
    """Big and small numbers come back as they went in."""
    for amount in (10**30, 0.1, 1e-300, -5, math.pi):
        assert Payment.from_dict({"amount": amount}).to_dict() == {"amount": amount}
