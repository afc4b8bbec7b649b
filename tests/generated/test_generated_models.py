"""Models: their members, what they send and what they show."""

# These tests are about JSON data of unknown shape.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import copy
import math
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_api import models
from norce_order_api.models import (
    Address,
    Cart,
    Customer,
    Item,
    Logistics,
    Notification,
    OrderData,
    Payment,
    PaymentAction,
    Price,
    Recurring,
    Shipping,
    State,
)


def test_optional_member_left_alone_is_none_and_not_sent() -> None:
    """None means that the member is not there."""
    cart = Cart(reference="c1")
    assert cart.total is None
    assert cart.to_dict() == {"reference": "c1"}


def test_members_are_sent_in_the_spelling_of_the_api() -> None:
    """Names and nested models are in the service's spelling, numbers as they were given."""
    item = Item(image_url="u", vat_rate=0.25, total=Price(including_vat=1234, excluding_vat=987.2), upsell=False)
    sent = item.to_dict()
    assert sent == {
        "imageUrl": "u",
        "vatRate": 0.25,
        "total": {"includingVat": 1234, "excludingVat": 987.2},
        "upsell": False,
    }
    assert type(sent["total"]["includingVat"]) is int


@pytest.mark.parametrize("model", [PaymentAction, Recurring, Shipping])
def test_required_members_must_be_given(model: type[Any]) -> None:
    with pytest.raises(TypeError, match="missing"):
        model()


@pytest.mark.parametrize("model", [OrderData, Customer, Payment, Notification, Cart])
def test_a_body_needs_nothing_that_the_service_sets(model: type[Any]) -> None:
    """These models require no member, and read-only members least of all."""
    assert model().to_dict() == {}


def test_free_form_data_is_a_plain_dict_kept_whole() -> None:
    """Nulls in attributes are values in both directions, and no text inside is interpreted."""
    attributes = {"a": None, "Type": {"b": [None, 1]}}
    order = OrderData.from_dict({"attributes": attributes})
    assert order.attributes == attributes
    assert order.to_dict() == {"attributes": attributes}
    assert models.Attributes == dict[str, Any]


def test_plain_data_inside_a_model_is_accepted() -> None:
    """A dict in the API's own spelling is accepted where a model is."""
    plain: Any = {"includingVat": 1, "note": None}
    item: Any = {"total": Price(including_vat=2)}
    cart = Cart(total=plain, items=[item, Item(name="n")])
    assert cart.to_dict() == {
        "total": {"includingVat": 1, "note": None},
        "items": [{"total": {"includingVat": 2}}, {"name": "n"}],
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_refused_by_name(value: float) -> None:
    """The error names the class and the member."""
    with pytest.raises(ValueError, match=r"Payment\.amount"):
        Payment(amount=value).to_dict()


def test_a_time_without_zone_is_refused_by_name() -> None:
    """The error names the class, the member and the right form."""
    with pytest.raises(ValueError, match=r"Logistics\.shippingDate.*timezone\.utc"):
        Logistics(shipping_date=datetime(2026, 1, 2)).to_dict()


@given(st.datetimes(timezones=st.just(UTC)))
@settings(deadline=None)
def test_a_time_in_utc_is_written_as_isoformat_does(time: datetime) -> None:
    """A time of any year, with or without a fraction, is written like this, and reading the text gives the same
    time."""
    text = OrderData(created=time).to_dict()["created"]
    assert text == time.isoformat().removesuffix("+00:00") + "Z"
    assert datetime.fromisoformat(text) == time


@pytest.mark.parametrize(
    ("offset", "text"),
    [(UTC, "2026-01-02T03:04:05Z"), (timezone(timedelta(hours=2)), "2026-01-02T03:04:05+02:00")],
)
def test_times_are_sent_with_their_offset(offset: timezone, text: str) -> None:
    """UTC is written as Z."""
    assert Logistics(shipping_date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=offset)).to_dict() == {"shippingDate": text}


def test_repr_shows_nothing_personal() -> None:
    """A repr shows ids, words, numbers and times, but no text, no attributes and no nested model."""
    person = Address(given_name="Rosalina", national_identification_number="890201-3286", attributes={"pin": "1234"})
    order = OrderData(id="o1", reference="secret", customer=Customer(billing=person, type_="person"))
    payment = Payment(id="p1", amount=20, state="intent", name="Rosalina", attributes={"pin": "1234"})
    shown = repr(person) + repr(order) + repr(order.customer) + repr(payment)
    for personal in ("Rosalina", "890201", "1234", "secret"):
        assert personal not in shown
    assert "o1" in repr(order)
    assert "person" in repr(order.customer)
    assert "amount=20" in repr(payment)
    assert "intent" in repr(payment)


def test_repr_of_what_did_not_fit_stays_silent() -> None:
    """Raw values in ``additional_properties`` are not shown either."""
    assert "secret" not in repr(Payment.from_dict({"amount": "secret", "more": "secret"}))


ORDER = OrderData.from_dict(
    {
        "id": "o1",
        "created": "2026-01-02T03:04:05Z",
        "customer": {"type": "Person"},
        "cart": {"items": [{"items": [{"quantity": 1}]}, 7]},
        "state": {"currentStatus": "checkout"},
        "more": {"a": [None]},
    }
)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o)), attrs.evolve])
def test_models_survive_copying(again: Any) -> None:
    """Copies are equal and send the same."""
    assert again(ORDER) == ORDER
    assert again(ORDER).to_dict() == ORDER.to_dict()


@pytest.mark.parametrize("evolve", [attrs.evolve, getattr(copy, "replace", attrs.evolve)])
def test_a_changed_copy_keeps_unknown_members(evolve: Any) -> None:
    """A changed copy keeps unknown members and values that did not fit, in nested models too. The original is not
    changed."""
    data = {"sku": "T1", "quantity": 1, "upsell": "maybe", "campaign": {"id": 7}, "price": {"rounding": 0.5}}
    item = Item.from_dict(data)
    changed = evolve(item, quantity=2)
    assert changed.to_dict() == {**data, "quantity": 2}
    assert changed != item
    assert evolve(changed, quantity=1) == item
    assert repr(changed) == repr(item).replace("quantity=1", "quantity=2")
    assert evolve(item, upsell=True).to_dict() == {**data, "upsell": True}
    changed.additional_properties["campaign"] = None
    changed.additional_properties["more"] = 1
    assert item.to_dict() == data
    plain = Item(sku="T1")
    assert evolve(plain, sku="T2") == Item(sku="T2")
    assert evolve(plain, additional_properties={"x": 1}).to_dict() == {"sku": "T1", "x": 1}


def test_models_compare_by_content() -> None:
    """Unknown members count too."""
    assert Price(including_vat=1) == Price(including_vat=1)
    assert Price(including_vat=1) != Price(including_vat=2)
    assert State.from_dict({"x": 1}) != State.from_dict({"x": 2})


def test_an_unknown_member_that_is_set_is_sent() -> None:
    """Unknown members can be set one by one or all at once. Reading the empty dict first changes nothing."""
    price, other = Price(including_vat=1), Price(including_vat=1)
    assert price.additional_properties == {}
    assert price == other
    price.additional_properties["rounding"] = None
    other.additional_properties = {"rounding": None}
    assert price == other != Price(including_vat=1)
    assert price.to_dict() == other.to_dict() == {"rounding": None, "includingVat": 1}
    assert Price().additional_properties == {}


def test_a_class_of_ones_own_reads_as_itself() -> None:
    """A subclass reads as itself, and its nested models are of the generated classes."""

    class Basket(Cart):
        pass

    basket = Basket.from_dict({"items": [{"name": "a"}], "total": {}})
    assert type(basket) is Basket
    assert [type(item) for item in basket.items or []] == [Item]
    assert OrderData(cart=basket).to_dict() == {"cart": {"items": [{"name": "a"}], "total": {}}}


def test_the_lists_of_names_are_complete() -> None:
    """Every name in ``__all__`` exists, and no other name is invented."""
    for name in models.__all__:
        assert getattr(models, name) is not None
    assert "OrderData" in models.__all__
    assert "Order" not in models.__all__
    with pytest.raises(AttributeError, match="Nothing"):
        _ = models.Nothing  # pyright: ignore


def test_importing_loads_only_what_is_used() -> None:
    """The package loads no model and no HTTP library, a model loads only its nested ones, and an endpoint loads no HTTP
    library."""
    program = """
import sys
def models(): return {m.rpartition(".")[2] for m in sys.modules if m.startswith("norce_order_api.models.")}
import norce_order_api
assert not models() and "attrs" not in sys.modules, models()
from norce_order_api.models import Price
assert models() == {"price"}, models()
from norce_order_api.models import PaymentTransaction
assert "cart" not in models() and "payment_action" in models(), models()
from norce_order_api.api.checkout import get_checkout_order, create_checkout_order
create_checkout_order._get_kwargs(body={}, x_merchant="m", x_channel="c")
get_checkout_order.parse(200, {})
from norce_order_api import Client
Client("http://localhost")
assert "httpx" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
