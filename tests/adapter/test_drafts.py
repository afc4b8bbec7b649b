"""Edits of a draft become a patch that makes the same edits, for random orders and random edits.

Each edit is made twice: to the draft's models, and by hand to the JSON data. Applied to the proposed order, the patch
must give that data.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norce_order_async.adapter import NULL
from norce_order_async.adapter.bodies import in_v0, read_order
from norce_order_async.adapter.drafts import Draft
from norce_order_async.adapter.patches import PARTS, DraftError, applied, operations, same
from norce_order_async.models import Item, Payment
from tests.adapter.conftest import ORDER
from tests.support.turns import examples

Json = dict[str, Any]

_texts = st.sampled_from(["", "a", "Person", "person", "åäö", "2026-01-02T03:04:05Z", "a/b~c", "0"])
_names = st.sampled_from(["a", "b", "a/b", "~", "~1", "", "0", "-"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2, width=16) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=6,
)
_attributes = st.dictionaries(_names, _values, max_size=3)


def _object(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object in which each member may be missing, null, or of a kind that the description does not have."""
    wrong: list[Any] = [None, [], {}, "x", True, 7]
    odd = st.sampled_from(wrong)
    return st.fixed_dictionaries(
        {}, optional={**{name: values | odd for name, values in members.items()}, "unknown": _values}
    )


_payments = _object(
    id=st.sampled_from(["p1", "p2", "p3"]),
    amount=st.integers(0, 3) | st.floats(0, 2, width=16),
    state=st.sampled_from(["Intent", "intent", "removed", "new-word"]),
    attributes=_attributes,
)
_items = _object(
    id=st.sampled_from(["ci1", "ci2"]), quantity=st.integers(0, 2) | st.just(2.0), sku=_texts, attributes=_attributes
)
_orders = _object(
    reference=_texts,
    created=st.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.1234567Z", "2026-01-02", "soon"]),
    state=_object(currentStatus=st.sampled_from(["checkout", "Checkout", "new"])),
    cart=_object(reference=_texts, items=st.lists(_items | st.just("odd"), max_size=3)),
    customer=_object(type=_texts, billing=_object(email=_texts), consents=_values),
    payments=st.lists(_payments, max_size=3),
    attributes=_attributes,
).map(lambda members: json.loads(json.dumps({"id": "o1", **members})))  # so that no object is in it twice


class Edit:
    """One change that can be made to the models and to the data."""

    def __init__(self, name: str, to_draft: Callable[[Any], Any], to_data: Callable[[Json], Any]) -> None:
        self.name, self.to_draft, self.to_data = name, to_draft, to_data

    def __repr__(self) -> str:
        return self.name


def _within(data: Json, *path: str) -> Json:
    """An object in the data. It is added if it is missing."""
    for name in path:
        if not isinstance(data.get(name), dict):
            data[name] = {}
        data = data[name]
    return data


def _list(data: Json, *path: str) -> list[Any]:
    holder = _within(data, *path[:-1])
    if not isinstance(holder.get(path[-1]), list):
        holder[path[-1]] = []
    found: list[Any] = holder[path[-1]]
    return found


def _reference(value: str | None) -> Edit:
    def to_data(data: Json) -> None:
        if value is None:
            data.pop("reference", None)
        else:
            data["reference"] = value

    return Edit(f"reference={value!r}", lambda draft: setattr(draft, "reference", value), to_data)


def _null_reference() -> Edit:
    return Edit(
        "reference=NULL", lambda draft: setattr(draft, "reference", NULL), lambda data: data.update(reference=None)
    )


def _email(value: str) -> Edit:
    return Edit(
        f"billing.email={value!r}",
        lambda draft: setattr(draft.customer.billing, "email", value),
        lambda data: _within(data, "customer", "billing").update(email=value),
    )


def _attribute(name: str, value: Any) -> Edit:
    return Edit(
        f"attributes[{name!r}]={value!r}",
        lambda draft: draft.attributes.update({name: deepcopy(value)}),
        lambda data: _within(data, "attributes").update({name: deepcopy(value)}),
    )


def _appended(amount: float) -> Edit:
    return Edit(
        f"payments.append({amount})",
        lambda draft: draft.payments.append(Payment(amount=amount)),
        lambda data: _list(data, "payments").append({"amount": amount}),
    )


def _inserted(sku: str) -> Edit:
    return Edit(
        f"items.insert({sku!r})",
        lambda draft: draft.cart.items.insert(0, Item(sku=sku)),
        lambda data: _list(data, "cart", "items").insert(0, {"sku": sku}),
    )


def _reversed() -> Edit:
    return Edit(
        "items.reverse()",
        lambda draft: draft.cart.items.reverse(),
        lambda data: _list(data, "cart", "items").reverse(),
    )


def _popped() -> Edit:
    def to_draft(draft: Any) -> None:
        if draft.payments:
            draft.payments.pop(0)

    def to_data(data: Json) -> None:
        if found := _list(data, "payments"):
            found.pop(0)

    return Edit("payments.pop(0)", to_draft, to_data)


def _amount(value: float) -> Edit:
    def to_draft(draft: Any) -> None:
        if draft.payments:
            draft.payments[-1].amount = value

    def to_data(data: Json) -> None:
        if found := _list(data, "payments"):
            found[-1]["amount"] = value

    return Edit(f"payments[-1].amount={value}", to_draft, to_data)


_edits = st.one_of(
    st.one_of(st.none(), _texts).map(_reference),
    st.just(_null_reference()),
    _texts.map(_email),
    st.builds(_attribute, _names, _values),
    st.floats(0, 2, width=16).map(_appended),
    _texts.map(_inserted),
    st.just(_reversed()),
    st.just(_popped()),
    st.sampled_from([0.0, 1.0, 1.5]).map(_amount),
)


def _without_empty(before: Any, data: Any) -> Any:
    """The data without containers that a test added and that stayed empty."""
    if not isinstance(data, dict):
        return data
    known: Json = cast("Json", before) if isinstance(before, dict) else {}
    result: Json = {}
    for name, value in cast("Json", data).items():
        one = _without_empty(known.get(name), value)
        if one not in ({}, []) or known.get(name) is not None or name not in _CONTAINERS:
            result[name] = one
        elif name in known and known[name] is None:
            result[name] = None
    return result


_CONTAINERS = {"customer", "billing", "attributes", "payments", "cart", "items"}


def _fits(order: Json) -> bool:
    """Whether the parts that are edited are as described. Other tests are about unusual ones."""

    def is_kind(value: Any, kind: Any) -> bool:
        return value is None or isinstance(value, kind)

    if not all(is_kind(order.get(name), dict) for name in ("cart", "customer", "attributes")):
        return False
    cart: Json = order.get("cart") or {}
    customer: Json = order.get("customer") or {}
    billing: Any = customer.get("billing")
    payments: Any = order.get("payments")
    return (
        is_kind(payments, list)
        and is_kind(order.get("reference"), str)
        and is_kind(billing, dict)
        and is_kind(cast("Json", billing or {}).get("email"), str)
        and is_kind(cart.get("items"), list)
        and "odd" not in (cart.get("items") or ())
        and all(is_kind(one.get("amount"), int | float) for one in payments or ())
    )


@settings(deadline=None, max_examples=examples(50, soak=150))
@given(_orders.filter(_fits), st.lists(_edits, max_size=5))
def test_the_patch_makes_the_edits(order: Json, edits: list[Edit]) -> None:
    draft = Draft(deepcopy(order))
    edited = deepcopy(order)
    for edit in edits:
        edit.to_draft(draft.order)
        edit.to_data(edited)
    found = draft.operations(None)
    for operation in found:
        assert operation["op"] in ("add", "replace", "remove")
        assert operation.keys() == ({"op", "path"} if operation["op"] == "remove" else {"op", "path", "value"})
        assert operation["path"].split("/")[1] in PARTS
    expected = _without_empty(order, edited)
    if order.get("reference", 0) is None:
        # A null reads as None, so None in the draft is no edit.
        expected.setdefault("reference", None)
    assert same(applied(found, order), expected), (found, expected)
    if same(expected, order):
        assert found == []


@settings(deadline=None, max_examples=examples(50, soak=150))
@given(_orders)
def test_without_edits_there_is_no_patch_for_any_order(order: Json) -> None:
    """Words in another case, unknown members, nulls and values of a wrong kind are no edits, even after everything
    was read."""
    draft = Draft(deepcopy(order))
    repr(draft.order)
    assert draft.operations(None) == []
    assert draft.operations("/payments") == []


@settings(deadline=None, max_examples=examples(50, soak=150))
@given(_orders, st.lists(_edits, min_size=1, max_size=4), st.sampled_from(PARTS))
def test_nothing_outside_of_the_target_is_changed(order: Json, edits: list[Edit], part: str) -> None:
    draft = Draft(deepcopy(order))
    for edit in edits:
        try:
            edit.to_draft(draft.order)
        except (AttributeError, TypeError, IndexError):
            return  # the draft of an unusual order has no such place
    try:
        found = draft.operations(f"/{part}")
    except DraftError:
        return
    changed = applied(found, order)
    assert {name for name in {**order, **changed} if not same(order.get(name, 0), changed.get(name, 0))} <= {part}


@settings(deadline=None, max_examples=examples(50, soak=150))
@given(_orders, _orders)
def test_any_two_orders_have_a_patch(one: Json, other: Json) -> None:
    """If the library's patch is wrong, our own comparison makes one."""
    allowed = {name: value for name, value in other.items() if name in PARTS}
    rest = {name: value for name, value in one.items() if name not in PARTS}
    after = {**rest, **allowed}
    assert same(applied(operations(one, after, None), one), after)


def test_our_comparison_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(old: Json, new: Json) -> None:
        del old, new

    monkeypatch.setattr("norce_order_async.adapter.patches.by_library", fails)
    before: Json = {"payments": [1, {"a": 1, "b": 2}, 3], "attributes": {"a/b": 1}}
    after: Json = {"payments": [{"x": 1}, {"a": 1, "c": []}], "attributes": {"a/b": True}, "reference": "r"}
    found = operations(before, after, None)
    assert applied(found, before) == after
    assert {one["op"] for one in found} == {"add", "remove", "replace"}


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [(125, 125.0, True), (1, True, False), ("1", 1, False), ([1], [1.0], True), ({"a": 0}, {"a": False}, False)],
)
def test_equal_values_in_json_are_equal(one: Any, other: Any, alike: bool) -> None:
    assert same(one, other) is alike
    assert bool(operations({"attributes": one}, {"attributes": other}, None)) is not alike


def test_a_number_in_another_notation_is_not_an_edit() -> None:
    draft = Draft(deepcopy(ORDER))
    draft.order.payments[0].amount = 125.0
    assert draft.operations(None) == []


def test_a_draft_of_a_v1_body_is_in_the_spelling_of_v0() -> None:
    v1 = {
        "hooks": [{"id": "h1", "scope": "/state"}],
        "validations": [{"id": "v1", "invoke": "https://a"}],
        "payments": [],
    }
    order = read_order(json.dumps(v1).encode())
    assert order == {
        "hooks": [{"id": "h1", "subscribeTo": "/state"}],
        "validations": [{"id": "v1", "url": "https://a"}],
        "payments": [],
    }
    assert order is not None
    assert in_v0(deepcopy(order)) == order
    draft = Draft(order)
    assert draft.order.hooks
    assert draft.order.hooks[0].subscribe_to == "/state"
    draft.order.payments.append(Payment(amount=1))
    assert draft.operations(None) == [{"op": "add", "path": "/payments/0", "value": {"amount": 1}}]


@pytest.mark.parametrize("wrong", [float("nan"), object(), {1, 2}, "\ud800"])
def test_a_value_that_json_has_not_is_an_error_of_the_handler(wrong: Any) -> None:
    draft = Draft(deepcopy(ORDER))
    draft.order.attributes["a"] = wrong
    with pytest.raises(DraftError):
        draft.operations(None)


def test_a_model_in_place_of_a_list_is_an_error_of_the_handler() -> None:
    draft = Draft(deepcopy(ORDER))
    draft.order.payments = 7  # type: ignore[assignment]
    with pytest.raises(DraftError):
        draft.operations(None)


def test_a_list_with_unreadable_entries_is_kept_whole() -> None:
    """The draft has only the other entries. A patch from it would remove the unreadable ones."""
    order: Json = {"id": "o1", "payments": [{"id": "p1", "amount": 1}, "odd"], "cart": {"items": ["odd", {"sku": "a"}]}}
    draft = Draft(deepcopy(order))
    draft.order.reference = "r"
    assert draft.operations(None) == [{"op": "add", "path": "/reference", "value": "r"}]
    draft.order.payments[0].amount = 2
    with pytest.raises(DraftError, match="payments of the draft can't be edited"):
        draft.operations(None)
