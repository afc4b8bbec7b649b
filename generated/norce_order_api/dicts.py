"""What is sent, as dicts in the API's own spelling: for type checkers and editors.

A dict that has been made elsewhere is no such type; the models' from_dict reads it, or a cast says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict

from .models.addon import Addon
from .models.address import Address
from .models.callback import Callback
from .models.cart import Cart
from .models.consent import Consent
from .models.customer import Customer
from .models.customer_type import CustomerType
from .models.delivery_details import DeliveryDetails
from .models.discount import Discount
from .models.discount_type import DiscountType
from .models.hook import Hook
from .models.item import Item
from .models.logistics import Logistics
from .models.notification import Notification
from .models.order_status import OrderStatus
from .models.order_version import OrderVersion
from .models.payment_action import PaymentAction
from .models.payment_event import PaymentEvent
from .models.payment_state import PaymentState
from .models.payment_type import PaymentType
from .models.pickup_location import PickupLocation
from .models.pickup_location_address import PickupLocationAddress
from .models.price import Price
from .models.product import Product
from .models.product_type import ProductType
from .models.recurring import Recurring
from .models.shipping_state import ShippingState
from .models.state import State
from .models.upsell import Upsell
from .models.upsell_state import UpsellState
from .models.upsell_transaction import UpsellTransaction

__all__ = (
    "AddonDict",
    "AddressDict",
    "CallbackDict",
    "CartDict",
    "ConsentDict",
    "CustomerDict",
    "DeliveryDetailsDict",
    "DiscountDict",
    "HookDict",
    "ItemDict",
    "LogisticsDict",
    "NotificationDict",
    "OrderDataDict",
    "PaymentDict",
    "PaymentActionDict",
    "PaymentTransactionDict",
    "PickupLocationDict",
    "PickupLocationAddressDict",
    "PriceDict",
    "ProductDict",
    "RecurringDict",
    "ShippingDict",
    "StateDict",
    "UpsellDict",
    "UpsellTransactionDict",
)


class AddonDict(TypedDict, total=False):
    """Extra service bought on top of a delivery option."""

    reference: str
    """Identifier of the add-on at the shipping provider."""

    price: float | int | Decimal
    """What the add-on costs, in whole currency units."""


class AddressDict(TypedDict, total=False):
    """Postal address together with contact and identity details."""

    type: CustomerType | str
    """Whether the address belongs to a private person or a company."""

    givenName: str
    """First name."""

    familyName: str
    """Surname."""

    careOf: str
    """C/o line."""

    reference: str
    """External identifier of the customer."""

    organizationName: str
    """Company name."""

    streetAddress: str
    """Street line one."""

    streetAddress2: str
    """Street line two."""

    postalCode: str
    """Postal or zip code."""

    city: str
    """Town or city."""

    region: str
    """State, county or region."""

    country: str
    """Two-letter ISO 3166 country code."""

    phone: str
    """Telephone number."""

    email: str
    """E-mail."""

    nationalIdentificationNumber: str
    """Identity number of a person, for instance a Swedish personnummer."""

    organizationIdentificationNumber: str
    """Registration number of a legal entity, for instance a Swedish organisationsnummer."""

    attributes: Mapping[str, Any]
    """Free-form extra data kept with the address."""


class CallbackDict(TypedDict, total=False):
    """Validation callback. Called v1 "Validation", with different members."""

    adapterId: str
    """Adapter that owns the callback."""

    url: str
    """Absolute address that receives a POST; an {order_id} placeholder in it is filled in with the id of the order."""


class CartDict(TypedDict, total=False):
    """Contents of the cart."""

    reference: str
    """Identifier of the cart in the commerce platform."""

    items: Sequence[ItemDict | Item]
    """Cart lines."""

    discounts: Sequence[DiscountDict | Discount]
    """Discounts on cart level."""

    total: PriceDict | Price
    """Sum of the cart without shipping."""

    attributes: Mapping[str, Any]
    """Free-form extra data kept with the cart."""


class ConsentDict(TypedDict, total=False):
    """A consent shown in the checkout."""

    id: str
    """Identifier of the consent."""

    checked: bool
    """Whether the customer has ticked it."""

    text: str
    """Wording shown to the customer."""

    required: bool
    """If set, the order cannot move to processing until it is ticked."""


class CustomerDict(TypedDict, total=False):
    """Customer of the order."""

    billing: AddressDict | Address
    """Who is invoiced."""

    shipping: AddressDict | Address
    """Where goods are sent."""

    type: CustomerType | str
    """Private person or company."""

    attributes: Mapping[str, Any]
    """Free-form extra data kept with the customer."""


DeliveryDetailsDict = TypedDict(
    "DeliveryDetailsDict",
    {
        "carrier": "str",
        "carrierProductId": "str",
        "class": "str",
        "product": "ProductDict | Product",
        "pickupLocation": "PickupLocationDict | PickupLocation",
    },
    total=False,
)
"""How a shipping is delivered."""


class DiscountDict(TypedDict, total=False):
    """A price reduction."""

    type: DiscountType | str
    """What the discount reduces: items or shipping."""

    name: str
    """Display name."""

    reference: str
    """External identifier of the discount."""

    description: str
    """Explanatory text."""

    code: str
    """Code that activated it."""

    value: PriceDict | Price
    """Amount taken off in total."""

    attributes: Mapping[str, Any]
    """Free-form extra data kept with the discount."""


class HookDict(TypedDict, total=False):
    """Synchronous callback run when part of the order changes."""

    adapterId: str
    """Adapter that owns the hook."""

    subscribeTo: str
    """JSON pointer into the order whose change triggers the hook, for instance /reference."""

    target: str
    """JSON pointer of the part of the order that the hook answers with patches to."""

    invoke: str
    """Absolute address that receives a POST; an {order_id} placeholder in it is filled in with the id of the order."""

    version: OrderVersion | str
    """Which shape of the order is posted to the address."""


class ItemDict(TypedDict, total=False):
    """One line of the cart."""

    id: str
    """Identifier of the line."""

    reference: str
    """Identifier of the line in the commerce platform; may be left out."""

    name: str
    """Display name."""

    sku: str
    """Article number."""

    productType: ProductType | str
    """Kind of product; physical when left out."""

    items: Sequence[ItemDict | Item]
    """Parts of a bundle."""

    url: str
    """Address of the product page."""

    imageUrl: str
    """Address of a picture."""

    quantity: int
    """How many."""

    unit: str
    """Unit of the quantity, such as st or kg."""

    price: PriceDict | Price
    """Price for one, before discount."""

    total: PriceDict | Price
    """Line sum after discount."""

    originalTotal: PriceDict | Price
    """Line sum before discount."""

    vatRate: float | int | Decimal
    """VAT as a fraction; 0.25 stands for 25 %."""

    discounts: Sequence[DiscountDict | Discount]
    """Discounts on this line."""

    logistics: LogisticsDict | Logistics
    """Weight, measures and the like, used for shipping."""

    upsell: bool
    """True for a line that is to be added once the order has been accepted."""

    attributes: Mapping[str, Any]
    """Free-form extra data kept with the line."""


class LogisticsDict(TypedDict, total=False):
    """Shipping-related facts about an item."""

    weight: int
    """Grams."""

    height: int
    """Millimetres."""

    width: int
    """Millimetres."""

    length: int
    """Millimetres."""

    tags: list[str] | tuple[str, ...]
    """Labels that delivery rules can refer to."""

    shippingDate: datetime | str
    """Date connected with the dispatch of the line (the pages give no text for it)."""


class NotificationDict(TypedDict, total=False):
    """Asynchronous callback sent after something has happened to the order."""

    id: str
    """Identifier of the notification."""

    adapterId: str
    """System responsible for it; also selects the configuration that placeholders in invoke are read from."""

    reference: str
    """Name used to follow the same notification over many orders; best kept unique within one order."""

    description: str
    """What it is for."""

    scope: str
    """JSON pointer into the order; elements of arrays cannot be addressed."""

    schema: Mapping[str, Any]
    """JSON Schema (2020-12) that the value at scope must satisfy for the notification to be sent."""

    invoke: str
    """Address to call; may hold {configuration...} and {order...} placeholders."""

    version: OrderVersion | str
    """Which shape of the order is posted to the address."""

    delay: int
    """Milliseconds to wait before sending."""


class OrderDataDict(TypedDict, total=False):
    """The checkout order."""

    reference: str
    """Identifier of the order in another system."""

    state: StateDict | State
    """Where in its life cycle the order is."""

    culture: str
    """Language and region (RFC 1766)."""

    currency: str
    """Three-letter ISO 4217 currency code."""

    country: str
    """Two-letter ISO 3166 country code."""

    cart: CartDict | Cart
    """Cart of the order."""

    customer: CustomerDict | Customer
    """Who orders."""

    consents: Sequence[ConsentDict | Consent]
    """Consents of the order."""

    validations: Sequence[CallbackDict | Callback]
    """Callbacks that must succeed for a step such as validate to go through (unless they run out of time)."""

    hooks: Sequence[HookDict | Hook]
    """Hooks; managed through their own endpoint."""

    notifications: Sequence[NotificationDict | Notification]
    """Callbacks made after an event, such as the order being completed."""

    total: PriceDict | Price
    """Grand total with shipping."""

    attributes: Mapping[str, Any]
    """Free-form extra data kept with the order."""


class PaymentDict(TypedDict, total=False):
    """A payment of an order."""

    adapterId: str
    """Adapter that owns the payment."""

    name: str
    """Name of the payment provider."""

    merchant: str
    """Merchant."""

    channel: str
    """Channel."""

    currency: str
    """Three-letter ISO 4217 currency code."""

    type: PaymentType | str
    """Kind of payment."""

    orderId: str
    """Order that it pays for."""

    amount: float | int | Decimal
    """Part of the order total that this payment covers, in whole currency units."""

    upperLimitAmount: float | int | Decimal
    """Most that this payment can cover, for instance the balance of a gift card, in whole currency units."""

    state: PaymentState | str
    """State of the payment."""

    reference: str
    """Identifier at the payment provider."""

    attributes: Mapping[str, Any]
    """Free-form extra data kept with the payment."""

    actions: Sequence[PaymentActionDict | PaymentAction]
    """Actions available once the payment has been made."""

    recurring: RecurringDict | Recurring
    """Data for charging again later."""

    upsell: UpsellDict | Upsell
    """State of purchases added after the checkout."""


class PaymentActionDict(TypedDict, total=False):
    """Something that can be done with a payment afterwards."""

    adapterId: str
    """Adapter that carries it out."""

    type: str
    """Kind of action."""

    url: str
    """Address that carries it out."""


class PaymentTransactionDict(TypedDict, total=False):
    """Entry in the log of a payment."""

    event: PaymentEvent | str
    """What caused it."""

    pspEvent: str
    """Event name at the payment provider."""

    amount: float | int | Decimal
    """Amount after the transaction, in whole currency units."""

    isSuccess: bool
    """Whether it went through."""

    errorDetail: str
    """What went wrong."""

    pspStatus: str
    """Status at the payment provider."""

    requestJson: str
    """What was sent, as a JSON text."""

    responseJson: str
    """What came back, as a JSON text."""

    paymentAction: PaymentActionDict | PaymentAction
    """Action that it belongs to."""


class PickupLocationDict(TypedDict, total=False):
    """A pickup point."""

    reference: str
    """Identifier of the pickup point."""

    name: str
    """Name of the pickup point."""

    address: PickupLocationAddressDict | PickupLocationAddress
    """Where it is."""


class PickupLocationAddressDict(TypedDict, total=False):
    """Address of a pickup point."""

    streetAddress: str
    """Street."""

    city: str
    """Town or city."""

    postalCode: str
    """Postal or zip code."""

    country: str
    """Two-letter ISO 3166 country code."""


class PriceDict(TypedDict, total=False):
    """An amount with and without VAT."""

    includingVat: float | int | Decimal
    """With VAT, in whole units of the order currency."""

    excludingVat: float | int | Decimal
    """Without VAT, in whole units of the order currency."""


class ProductDict(TypedDict, total=False):
    """A product of a carrier."""

    reference: str
    """Identifier of the product."""

    name: str
    """The carrier's name for the product."""


class RecurringDict(TypedDict, total=False):
    """Data of a recurring payment."""

    token: str
    """Token that later charges are made with."""

    description: str
    """Explanatory text."""

    attributes: Mapping[str, Any]
    """Free-form extra data."""


class ShippingDict(TypedDict, total=False):
    """A shipping of an order."""

    total: PriceDict | Price
    """What the shipping costs in total."""

    vatRate: float | int | Decimal
    """VAT as a fraction; 0.25 stands for 25 %."""

    merchant: str
    """Merchant."""

    channel: str
    """Channel."""

    state: ShippingState | str
    """State of the shipping."""

    reference: str
    """Identifier in another system."""

    tmsReference: str
    """Identifier in the transport management system."""

    orderId: str
    """Order that it belongs to."""

    adapterId: str
    """Adapter that owns the shipping."""

    name: str
    """Display name."""

    deliveryDetails: DeliveryDetailsDict | DeliveryDetails
    """How it is delivered."""

    addons: Sequence[AddonDict | Addon]
    """Bought extras."""

    attributes: Mapping[str, Any]
    """Free-form extra data kept with the shipping."""


class StateDict(TypedDict, total=False):
    """Status of an order and its history."""

    currentStatus: OrderStatus | str
    """Present status."""


class UpsellDict(TypedDict, total=False):
    """Sales added after the checkout."""

    eligible: bool
    """Whether more can be sold on this payment."""

    expiration: datetime | str
    """If present, when the possibility ends."""

    transactions: Sequence[UpsellTransactionDict | UpsellTransaction]
    """Attempts so far."""

    attributes: Mapping[str, Any]
    """Free-form extra data."""


class UpsellTransactionDict(TypedDict, total=False):
    """One upsell attempt."""

    id: str
    """Identifier of the attempt at the payment provider."""

    state: UpsellState | str
    """State, translated from the provider's own."""

    attributes: Mapping[str, Any]
    """Data that differs between providers."""
