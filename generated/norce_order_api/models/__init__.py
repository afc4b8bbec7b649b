"""The models, each imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .addon import Addon
    from .address import Address
    from .attributes import Attributes
    from .base_error import BaseError
    from .callback import Callback
    from .cart import Cart
    from .consent import Consent
    from .create_response import CreateResponse
    from .customer import Customer
    from .customer_type import CustomerType
    from .delivery_details import DeliveryDetails
    from .discount import Discount
    from .discount_type import DiscountType
    from .hook import Hook
    from .item import Item
    from .json_schema import JsonSchema
    from .logistics import Logistics
    from .notification import Notification
    from .order_data import OrderData
    from .order_list_order_by import OrderListOrderBy
    from .order_list_order_by_direction import OrderListOrderByDirection
    from .order_pagination_set import OrderPaginationSet
    from .order_status import OrderStatus
    from .order_version import OrderVersion
    from .pagination import Pagination
    from .payment import Payment
    from .payment_action import PaymentAction
    from .payment_event import PaymentEvent
    from .payment_state import PaymentState
    from .payment_transaction import PaymentTransaction
    from .payment_type import PaymentType
    from .pickup_location import PickupLocation
    from .pickup_location_address import PickupLocationAddress
    from .price import Price
    from .product import Product
    from .product_type import ProductType
    from .recurring import Recurring
    from .shipping import Shipping
    from .shipping_state import ShippingState
    from .state import State
    from .transition import Transition
    from .upsell import Upsell
    from .upsell_state import UpsellState
    from .upsell_transaction import UpsellTransaction
    from .validation_error import ValidationError
    from .validation_errors import ValidationErrors

__all__ = (
    "Addon",
    "Address",
    "Attributes",
    "BaseError",
    "Callback",
    "Cart",
    "Consent",
    "CreateResponse",
    "Customer",
    "CustomerType",
    "DeliveryDetails",
    "Discount",
    "DiscountType",
    "Hook",
    "Item",
    "JsonSchema",
    "Logistics",
    "Notification",
    "OrderData",
    "OrderListOrderBy",
    "OrderListOrderByDirection",
    "OrderPaginationSet",
    "OrderStatus",
    "OrderVersion",
    "Pagination",
    "Payment",
    "PaymentAction",
    "PaymentEvent",
    "PaymentState",
    "PaymentTransaction",
    "PaymentType",
    "PickupLocation",
    "PickupLocationAddress",
    "Price",
    "Product",
    "ProductType",
    "Recurring",
    "Shipping",
    "ShippingState",
    "State",
    "Transition",
    "Upsell",
    "UpsellState",
    "UpsellTransaction",
    "ValidationError",
    "ValidationErrors",
)

_MODULES = {
    "Addon": ".addon",
    "Address": ".address",
    "Attributes": ".attributes",
    "BaseError": ".base_error",
    "Callback": ".callback",
    "Cart": ".cart",
    "Consent": ".consent",
    "CreateResponse": ".create_response",
    "Customer": ".customer",
    "CustomerType": ".customer_type",
    "DeliveryDetails": ".delivery_details",
    "Discount": ".discount",
    "DiscountType": ".discount_type",
    "Hook": ".hook",
    "Item": ".item",
    "JsonSchema": ".json_schema",
    "Logistics": ".logistics",
    "Notification": ".notification",
    "OrderData": ".order_data",
    "OrderListOrderBy": ".order_list_order_by",
    "OrderListOrderByDirection": ".order_list_order_by_direction",
    "OrderPaginationSet": ".order_pagination_set",
    "OrderStatus": ".order_status",
    "OrderVersion": ".order_version",
    "Pagination": ".pagination",
    "Payment": ".payment",
    "PaymentAction": ".payment_action",
    "PaymentEvent": ".payment_event",
    "PaymentState": ".payment_state",
    "PaymentTransaction": ".payment_transaction",
    "PaymentType": ".payment_type",
    "PickupLocation": ".pickup_location",
    "PickupLocationAddress": ".pickup_location_address",
    "Price": ".price",
    "Product": ".product",
    "ProductType": ".product_type",
    "Recurring": ".recurring",
    "Shipping": ".shipping",
    "ShippingState": ".shipping_state",
    "State": ".state",
    "Transition": ".transition",
    "Upsell": ".upsell",
    "UpsellState": ".upsell_state",
    "UpsellTransaction": ".upsell_transaction",
    "ValidationError": ".validation_error",
    "ValidationErrors": ".validation_errors",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
