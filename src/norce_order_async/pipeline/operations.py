"""Describes each operation of the API: may it be repeated, what must its answer hold, how is its effect found again.

One row per operation of the description; a test compares the two. The rules behind the kinds are in
``docs/reliability.md``.
"""

from __future__ import annotations

import enum
import functools
import importlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast

from norce_order_async._api import PACKAGE
from norce_order_async._json import mapping_or_empty, text_or_none

if TYPE_CHECKING:
    from norce_order_async._api import Client

Tag = Literal["checkout", "checkout_payment", "checkout_shipping"]


MAX_IDLE: Final = 1.0
"""Seconds. If the server closes a connection while a request is written to it, the client can't know whether the
request arrived. Servers close connections that were idle for longer than this."""


class Kind(enum.Enum):
    """What may be done after an attempt whose outcome is unknown."""

    SAFE = "safe"
    """Changes nothing: repeat."""
    IDEMPOTENT = "idempotent"
    """Sets a value or removes: repeat."""
    STATE = "state"
    """Sets the status: read the order first, never roll a newer status back."""
    CREATE_ORDER = "create order"
    """Creates an order with a cart reference: read back, adopt, else repeat once."""
    CREATE = "create"
    """Creates something else: read back, adopt, never repeat."""
    EXECUTE = "execute"
    """May move money: never repeat."""

    @property
    def max_idle(self) -> float | None:
        """The most seconds that a connection may have been idle to carry such a call. Short for calls that can't be
        repeated; None for the engine's own limit."""
        creates_or_executes = self is Kind.CREATE or self is Kind.CREATE_ORDER or self is Kind.EXECUTE
        return MAX_IDLE if creates_or_executes else None


class Expects(enum.Enum):
    """What the answer of a successful call must hold."""

    NOTHING = "nothing"
    VALUE = "value"
    """A body that can be read."""
    ID = "id"
    """The id of what was created: in an object, as a bare string, or at the end of the Location header."""
    REPORT = "report"
    """A validation report; a 400 with a list of failures is one too."""


@dataclass(frozen=True, slots=True)
class NaturalKey:
    """How a created entry is recognised when the order is read back."""

    member: str
    """The list of the order that holds it."""
    keys: tuple[str, ...]
    """The members that identify it, in the API's spelling."""
    about: tuple[str, ...] = ()
    """Further members. Entries that differ in these are different on purpose."""

    def of(self, body: object) -> tuple[str, ...] | None:
        """The key's values in a body; None if one is missing."""
        values = [text_or_none(mapping_or_empty(body).get(key)) for key in self.keys]
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(values) else None


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table."""

    id: str
    tag: Tag
    kind: Kind
    brings: Expects = Expects.NOTHING
    natural_key: NaturalKey | None = None
    removes: bool = False
    """Whether a 404 after an unknown outcome means that it is done."""
    answers: str = ""
    """The name of the id in its address that the answer must hold; empty if the answer is not the addressed thing. An
    answer with another id belongs to another request."""
    reads_late: bool = False
    """Whether the models of its answer are made only when a caller asks for them."""

    module: str = field(init=False)
    """The generated module of its endpoint, below the ``api`` of the generated package."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "module", f"{self.tag}.{re.sub(r'(?<!^)(?=[A-Z])', '_', self.id).lower()}")

    def kind_for(self, body: object) -> Kind:
        """The kind of one call. Creating an order without a cart reference is of the kind ``CREATE``."""
        if self.kind is Kind.CREATE_ORDER and cart_reference_of(body) is None:
            return Kind.CREATE
        return self.kind

    def identity_of(self, body: object) -> tuple[str | None, ...] | None:
        """The list that a body's entry is added to, and the values that identify the entry there; None if nothing
        identifies it."""
        if self.kind is Kind.CREATE_ORDER:
            reference = cart_reference_of(body)
            return None if reference is None else ("orders", reference)
        natural_key = self.natural_key
        key = natural_key.of(body) if natural_key else None
        if natural_key is None or key is None:
            return None
        words = (text_or_none(mapping_or_empty(body).get(name)) for name in natural_key.about)
        return (natural_key.member, *key, *(word and word.lower() for word in words))


def cart_reference_of(body: object) -> str | None:
    """The cart reference in the body of an order, if there is one."""
    return text_or_none(mapping_or_empty(mapping_or_empty(body).get("cart")).get("reference"))


_PAYMENT = NaturalKey("payments", ("reference",))
_SHIPPING = NaturalKey("shippings", ("reference",))
_CONSENT = NaturalKey("consents", ("id",))
_HOOK = NaturalKey("hooks", ("adapterId", "invoke"), about=("subscribeTo", "target"))
_NOTIFICATION = NaturalKey("notifications", ("adapterId", "invoke"), about=("scope",))
_VALIDATION = NaturalKey("validations", ("adapterId", "url"))

CREATE_ORDER = Operation("CreateCheckoutOrder", "checkout", Kind.CREATE_ORDER, Expects.ID)
LIST_ORDERS = Operation("GetCheckoutOrders", "checkout", Kind.SAFE, Expects.VALUE, reads_late=True)
GET_ORDER = Operation("GetCheckoutOrder", "checkout", Kind.SAFE, Expects.VALUE, answers="order_id", reads_late=True)
DELETE_ORDER = Operation("DeleteCheckoutOrder", "checkout", Kind.IDEMPOTENT, removes=True)
SET_STATE = Operation("UpdateCheckoutOrderState", "checkout", Kind.STATE)
SET_CART = Operation("UpdateCheckoutOrderCart", "checkout", Kind.IDEMPOTENT)
SET_BILLING = Operation("UpdateCheckoutOrderCustomerBilling", "checkout", Kind.IDEMPOTENT)
SET_SHIPPING_ADDRESS = Operation("UpdateCheckoutOrderCustomerShipping", "checkout", Kind.IDEMPOTENT)
SET_REFERENCE = Operation("UpdateCheckoutOrderReference", "checkout", Kind.IDEMPOTENT)
PATCH_ATTRIBUTES = Operation("PatchCheckoutOrderAttributes", "checkout", Kind.IDEMPOTENT)
VALIDATE = Operation("Validate", "checkout", Kind.SAFE, Expects.REPORT)

CREATE_CONSENT = Operation("CreateCheckoutOrderConsent", "checkout", Kind.CREATE, natural_key=_CONSENT)
PATCH_CONSENTS = Operation("PatchCheckoutOrderConsents", "checkout", Kind.IDEMPOTENT)
PATCH_CONSENT = Operation("PatchCheckoutOrderConsent", "checkout", Kind.IDEMPOTENT)
REMOVE_CONSENT = Operation("RemoveCheckoutOrderConsent", "checkout", Kind.IDEMPOTENT, removes=True)

CREATE_VALIDATION = Operation("CreateCheckoutOrderValidation", "checkout", Kind.CREATE, natural_key=_VALIDATION)
UPDATE_VALIDATION = Operation("UpdateCheckoutOrderValidation", "checkout", Kind.IDEMPOTENT)
REMOVE_VALIDATION = Operation("RemoveCheckoutOrderValidation", "checkout", Kind.IDEMPOTENT, removes=True)
CREATE_HOOK = Operation("CreateCheckoutOrderHook", "checkout", Kind.CREATE, natural_key=_HOOK)
DELETE_HOOK = Operation("DeleteCheckoutOrderHook", "checkout", Kind.IDEMPOTENT, removes=True)
CREATE_NOTIFICATION = Operation("CreateCheckoutOrderNotification", "checkout", Kind.CREATE, natural_key=_NOTIFICATION)
DELETE_NOTIFICATION = Operation("DeleteCheckoutOrderNotification", "checkout", Kind.IDEMPOTENT, removes=True)

CREATE_PAYMENT = Operation("CreateOrderPayment", "checkout_payment", Kind.CREATE, Expects.ID, _PAYMENT)
LIST_PAYMENTS = Operation("GetOrderPayments", "checkout_payment", Kind.SAFE, Expects.VALUE)
GET_PAYMENT = Operation("GetOrderPayment", "checkout_payment", Kind.SAFE, Expects.VALUE, answers="payment_id")
UPDATE_PAYMENT = Operation("UpdateOrderPayment", "checkout_payment", Kind.IDEMPOTENT, answers="payment_id")
ADD_PAYMENT_ACTIONS = Operation("AddPaymentAction", "checkout_payment", Kind.CREATE)
EXECUTE_PAYMENT_ACTION = Operation("ExecutePaymentAction", "checkout_payment", Kind.EXECUTE)
LIST_TRANSACTIONS = Operation("GetTransactionsForOrderPayment", "checkout_payment", Kind.SAFE, Expects.VALUE)
ADD_TRANSACTION = Operation("AddTransactionForOrderPayment", "checkout_payment", Kind.CREATE)

CREATE_SHIPPING = Operation("CreateOrderShipping", "checkout_shipping", Kind.CREATE, Expects.ID, _SHIPPING)
LIST_SHIPPINGS = Operation("GetOrderShippings", "checkout_shipping", Kind.SAFE, Expects.VALUE)
GET_SHIPPING = Operation("GetOrderShipping", "checkout_shipping", Kind.SAFE, Expects.VALUE, answers="shipping_id")
UPDATE_SHIPPING = Operation("UpdateOrderShipping", "checkout_shipping", Kind.IDEMPOTENT, answers="shipping_id")

OPERATIONS: tuple[Operation, ...] = tuple(row for row in list(globals().values()) if isinstance(row, Operation))
"""All operations."""


class Endpoint(Protocol):
    """The part of a generated endpoint module that calls use."""

    @property
    def statuses(self) -> frozenset[int]:
        """All statuses of its answers in the description. The lowest one is a success."""
        ...

    def build(self, **arguments: Any) -> dict[str, Any]:
        """The request as data: method, url, params, headers, json."""
        ...

    def parse(self, *, status_code: int, data: Any) -> Any:
        """The models for an answer's JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """One version of the API: its operations, and the generated package that writes requests and reads answers."""

    package: str
    operations: tuple[Operation, ...]

    def endpoint(self, operation: Operation) -> Endpoint:
        """The generated endpoint module of an operation, imported at its first use."""
        return _endpoint(self.package, operation.module)

    def client(self) -> type[Client]:
        """The class of the generated client."""
        found: type[Client] = importlib.import_module(self.package).Client
        return found


V0: Final = Api(PACKAGE, OPERATIONS)
"""The version of the API that this package uses."""


@dataclass(frozen=True, slots=True)
class _GeneratedEndpoint:
    statuses: frozenset[int]
    build: Any
    parse: Any


@functools.cache
def _endpoint(package: str, module: str) -> Endpoint:
    generated = importlib.import_module(f"{package}.api.{module}")
    # The generator names its keyword builder as private; its shape is pinned by a test.
    found = _GeneratedEndpoint(generated.STATUSES, generated._get_kwargs, generated.parse)  # noqa: SLF001
    return cast("Endpoint", found)
