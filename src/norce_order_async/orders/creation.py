"""The body of a new order, and the members that it can't have.

The service ignores read-only members. An order created with payments in its body would have none, and one created as
``completed`` would be in ``checkout``. So members whose loss would change the order are refused, with the name of the
method to use. Members that the service sets itself (``id``, times, the grand total) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypedDict

from norce_order_async import models
from norce_order_async._json import Unshown, mapping_or_empty
from norce_order_async.checking import mapping_of
from norce_order_async.context import Context
from norce_order_async.errors import InvalidRequestError
from norce_order_async.orders.amounts import check_amounts, with_total
from norce_order_async.orders.checking import check_address, check_pattern, model_of, models_of, written
from norce_order_async.orders.lifecycle import FIRST_STATUS

if TYPE_CHECKING:
    from norce_order_async.models import (
        Cart,
        CartDict,
        Consent,
        ConsentDict,
        Customer,
        CustomerDict,
        OrderData,
        OrderDataDict,
    )


class NewOrder(TypedDict, total=False):
    """The members of a new order: keywords of ``orders.create`` and ``orders.get_or_create``. None means "not given".

    Example::

        new: NewOrder = {"culture": "sv-SE", "currency": "SEK", "country": "SE"}
        order = await norce.orders.create(**new)
    """

    culture: str | None
    """Language and region, such as ``sv-SE``. It can't be changed later."""

    currency: str | None
    """The currency's ISO 4217 code, such as ``SEK``. It can't be changed later."""

    country: str | None
    """The country's ISO 3166 code, such as ``SE``. It can't be changed later."""

    cart: Cart | CartDict | None
    """The items to buy."""

    customer: Customer | CustomerDict | None
    """The buyer, with billing and shipping address."""

    consents: Iterable[Consent | ConsentDict] | None
    """Consents to show in the checkout."""

    reference: str | None
    """The order's identifier in another system."""

    attributes: Mapping[str, Any] | None
    """Free-form data."""


_MADE_BY_A_CALL: Final = ("payments", "shippings")
_CALLBACKS: Final = ("hooks", "validations", "notifications")
_LEFT_OUT: Final = ("id", "created", "lastModified", "total", "state")


def new_body(context: Context, order: OrderData | OrderDataDict | None, given: NewOrder, **checks: bool) -> Unshown:
    """The body of a new order to send.

    Args:
        context: merchant and channel of the order.
        order: the whole body. A given model is not changed.
        given: members that win over it.
        checks: see :func:`check_new`.

    Raises:
        InvalidRequestError: it can't be sent.
        TypeError: a keyword is not a member of :class:`NewOrder`.
    """
    for name in given:
        if name not in NewOrder.__optional_keys__:
            known = ", ".join(NewOrder.__annotations__)
            raise TypeError(f"got an unexpected keyword argument {name!r}; members of a new order are {known}")
    readers: dict[str, Callable[[Any], Any]] = {
        "cart": lambda cart: model_of(models.Cart, cart, "cart"),
        "customer": lambda customer: model_of(models.Customer, customer, "customer"),
        "consents": lambda consents: models_of(models.Consent, consents, "consents"),
        "attributes": lambda attributes: mapping_of("attributes", attributes, InvalidRequestError),
    }
    members = {
        name: readers[name](value) if name in readers else value for name, value in given.items() if value is not None
    }
    body = models.OrderData() if order is None else model_of(models.OrderData, order, "order")
    copy = models.OrderData.from_dict(written(body, "order"))
    for name, value in members.items():
        setattr(copy, name, value)
    return Unshown(check_new(written(copy, "order", is_new=True), context, **checks))


def check_new(
    body: dict[str, Any], context: Context, *, check_total: bool, allow_fractions: bool, callbacks_in_body: bool
) -> dict[str, Any]:
    """Check the body of a new order, and return the members to send.

    Args:
        body: the order as plain data in the API's spelling.
        context: merchant and channel of the order.
        check_total: whether the cart's total must be the sum of its lines. A missing total is added.
        allow_fractions: whether amounts may have more than two decimals.
        callbacks_in_body: whether hooks, validations and notifications are sent with it.

    Raises:
        InvalidRequestError: it holds a member that a creation ignores, or a value that the description does not allow.
    """
    for member in (*_MADE_BY_A_CALL, *(() if callbacks_in_body else _CALLBACKS)):
        if body.get(member):
            _refuse(member)
    status = mapping_or_empty(body.get("state")).get("currentStatus")
    if isinstance(status, str) and (not status.isascii() or status.lower() != FIRST_STATUS):
        raise InvalidRequestError(
            f"order.state: an order begins in {FIRST_STATUS}: create it, then await order.transition_to(...)"
        )
    for member, ours in (("merchant", context.merchant), ("channel", context.channel)):
        if body.get(member) not in (None, ours):
            raise InvalidRequestError(
                f"order.{member} is not the {member} of this client ({ours}): leave it out, or use "
                f"norce.scoped({member}=...)"
            )
    for member in ("culture", "currency", "country"):
        check_pattern("Order", member, body.get(member), member)
    customer = mapping_or_empty(body.get("customer"))
    for side in ("billing", "shipping"):
        check_address(customer.get(side), f"customer.{side}")
    check_amounts("Order", body, "order", allow_fractions=allow_fractions)
    sent = {name: value for name, value in body.items() if name not in _LEFT_OUT and not _is_empty_list(name, value)}
    if check_total and (cart := sent.get("cart")):
        sent["cart"] = with_total(cart, "cart")
    return sent


def _refuse(member: str) -> NoReturn:
    instead = f"create the order, then await order.{member}.create(...)"
    if member in _CALLBACKS:
        # The description does not mark them read-only, but calls them "managed through their own endpoint".
        raise InvalidRequestError(
            f"order.{member} may be ignored by the service: {instead}, or pass callbacks_in_body=True"
        )
    raise InvalidRequestError(f"order.{member} would be ignored by the service: {instead}")


def _is_empty_list(name: str, value: object) -> bool:
    return value == [] and name in (*_MADE_BY_A_CALL, *_CALLBACKS)
