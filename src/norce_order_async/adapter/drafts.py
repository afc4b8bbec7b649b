"""The draft of a hook: the proposed order as models that can be edited, and the edits as a patch.

Where the order has no list, no attributes or no nested object, the draft has an empty one, so that
``draft.attributes["a"] = 1`` and ``draft.payments.append(...)`` work. If they stay empty, they don't count as edits.
"""

# DraftOrder and its parts narrow the types of members that are never None in a draft.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from norce_order_async import models
from norce_order_async._api import NULL as _NULL
from norce_order_async._api import Model, plain
from norce_order_async._json import is_list, is_mapping, read_json, write_json
from norce_order_async.adapter.patches import DraftError, Operation, operations

if TYPE_CHECKING:
    from norce_order_async.models import (
        Address,
        Attributes,
        Cart,
        Consent,
        Customer,
        Item,
        OrderData,
        Payment,
        Shipping,
        State,
    )

    # Types for type checkers alone: while the program runs, these are the models themselves.

    class DraftCart(Cart):
        """A cart with a list of items."""

        items: list[Item]
        attributes: Attributes

    class DraftCustomer(Customer):
        """A customer with both addresses."""

        billing: Address
        shipping: Address
        attributes: Attributes

    class DraftOrder(OrderData):
        """An order whose lists, attributes and nested objects are all there, if only empty."""

        state: State
        cart: DraftCart
        customer: DraftCustomer
        consents: list[Consent]
        payments: list[Payment]
        shippings: list[Shipping]
        attributes: Attributes


NULL: Final[Any] = _NULL
"""JSON null in a draft, where None removes the member: ``call.draft.reference = NULL``."""


class Draft:
    """One order as models that can be edited, and as it was before the edits.

    Args:
        order: the proposed order. It must not be shared, because the models use its parts.
    """

    __slots__ = ("_before", "_fills", "_partial", "order")

    def __init__(self, order: dict[str, Any]) -> None:
        # Copied before the models are made, because they use its free-form data without a copy.
        self._before = cast("dict[str, Any]", read_json(write_json(order)))
        self.order = cast("DraftOrder", models.OrderData.from_dict(order))
        self._fills: list[_Fill] = []
        self._partial: list[_Partial] = []
        _fill(self.order, self._fills, self._partial)

    def operations(self, target: str | None) -> list[Operation]:
        """Return the edits as JSON Patch in the documented form; empty if nothing was edited.

        The patch is applied to the order that came, to check that the result is the edited order.

        Raises:
            DraftError: an edit can't be sent, or lies outside of ``target``.
        """
        return operations(self._before, self._written(), target)

    def _written(self) -> dict[str, Any]:
        """The order with its edits, as JSON data."""
        # Inner containers come first: without them, the outer ones may be empty.
        away = [fill for fill in reversed(self._fills) if fill.leave_out()]
        try:
            for partial in self._partial:
                partial.refuse_edits()
            with ExitStack() as undo:
                for model in _models_in(self.order):
                    for member in _members(model):
                        if getattr(model, member.attribute) is _NULL:
                            undo.enter_context(_as_null(model, member))
                data = read_json(write_json(plain(self.order.to_dict())))
        except (TypeError, ValueError, AttributeError) as wrong:
            raise DraftError(f"the edited draft can't be sent: {_reason(wrong)}") from wrong
        finally:
            for fill in away:
                fill.put_back()
        if not is_mapping(data):
            raise DraftError("the edited draft can't be sent: it is nested too deeply")
        return dict(data)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f"a member is of a wrong type ({type(error).__name__})"


class _Member:
    """One member of a model: its attribute, its name in JSON, and a function for an empty value of a container."""

    __slots__ = ("attribute", "empty", "name")

    def __init__(self, attribute: str, name: str, empty: Callable[[], Any] | None) -> None:
        self.attribute = attribute
        self.name = name
        self.empty = empty


def _members(model: Model) -> tuple[_Member, ...]:
    return _members_of(cast("Any", type(model)))


@cache
def _members_of(kind: type[Any]) -> tuple[_Member, ...]:
    return tuple(
        _Member(one.name, _json_name(one.name), _empty_of(str(one.type)))
        for one in attrs.fields(kind)
        if not one.name.startswith("_")
    )


def _json_name(attribute: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), attribute.rstrip("_"))


def _empty_of(annotation: str) -> Callable[[], Any] | None:
    """Return a function that makes an empty value, if a member is a list, free-form data or a model."""
    kind = annotation.removesuffix(" | None")
    if kind.startswith("list["):
        return list
    if kind in models.__all__:
        named = getattr(models, kind)
        if isinstance(named, type) and issubclass(named, Model):
            return lambda: named.from_dict({})
        if kind == "Attributes":
            return dict
    return None


class _Fill:
    """A container that the order did not have."""

    __slots__ = ("attribute", "model", "value")

    def __init__(self, model: Model, attribute: str, value: Any) -> None:
        self.model = model
        self.attribute = attribute
        self.value = value

    def leave_out(self) -> bool:
        """Remove the container if it is still empty, and return whether it was; :meth:`put_back` undoes that."""
        if getattr(self.model, self.attribute) is not self.value or not self._is_empty():
            return False
        setattr(self.model, self.attribute, None)
        return True

    def put_back(self) -> None:
        """Undo :meth:`leave_out`."""
        setattr(self.model, self.attribute, self.value)

    def _is_empty(self) -> bool:
        if not isinstance(self.value, Model):
            return not self.value
        # Empty containers inside it were removed before.
        return not self.value.additional_properties and all(
            getattr(self.value, member.attribute) is None for member in _members(self.value)
        )


class _Partial:
    """A list with entries that could not be read, which the model lacks. To write it back would lose them."""

    __slots__ = ("attribute", "before", "model", "name")

    def __init__(self, model: Model, member: _Member) -> None:
        self.model = model
        self.attribute = member.attribute
        self.name = member.name
        self.before = self._written()

    def refuse_edits(self) -> None:
        """Check that the list was not edited.

        Raises:
            DraftError: it was.
        """
        if self._written() != self.before:
            raise DraftError(
                f"{self.name} of the draft can't be edited: the order has entries there that can't be read"
            )

    def _written(self) -> bytes:
        return write_json(plain(getattr(self.model, self.attribute)))


def _fill(model: Model, fills: list[_Fill], partial: list[_Partial]) -> None:
    """Add empty containers to a model and to those in it, and list them, the outer ones first."""
    for member in _members(model):
        value = getattr(model, member.attribute)
        if value is None and member.empty is not None and member.name not in model.additional_properties:
            value = member.empty()
            setattr(model, member.attribute, value)
            fills.append(_Fill(model, member.attribute, value))
        if isinstance(value, Model):
            _fill(value, fills, partial)
        elif is_list(value):
            if member.name in model.additional_properties:
                partial.append(_Partial(model, member))
            for one in value:
                if isinstance(one, Model):
                    _fill(one, fills, partial)


def _models_in(model: Model) -> Iterator[Model]:
    yield model
    for member in _members(model):
        value = getattr(model, member.attribute)
        for one in value if is_list(value) else [value]:
            if isinstance(one, Model):
                yield from _models_in(one)


@contextmanager
def _as_null(model: Model, member: _Member) -> Generator[None]:
    """Inside, the model writes null for a member, as for one that the description does not have."""
    rest: Mapping[str, Any] = dict(model.additional_properties)
    setattr(model, member.attribute, None)
    model.additional_properties = {**rest, member.name: None}
    try:
        yield
    finally:
        setattr(model, member.attribute, _NULL)
        model.additional_properties = dict(rest)
