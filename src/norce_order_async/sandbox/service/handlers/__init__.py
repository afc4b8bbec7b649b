"""Every operation of the description and who carries it out, with the part of the order it needs open."""

from __future__ import annotations

from collections.abc import Mapping

from norce_order_async.sandbox.policy import Area
from norce_order_async.sandbox.service.calls import CallsOut, Changes, Handler, OnWorld, Reads
from norce_order_async.sandbox.service.handlers import cart, consents, listing, orders, payments, shippings, state
from norce_order_async.sandbox.service.handlers import registrations as callbacks

HANDLERS: Mapping[str, Handler] = {
    "CreateCheckoutOrder": OnWorld(orders.create),
    "GetCheckoutOrders": OnWorld(listing.page),
    "GetCheckoutOrder": OnWorld(orders.fetch),
    "DeleteCheckoutOrder": OnWorld(orders.delete),
    "UpdateCheckoutOrderState": Changes(None, state.put),
    "UpdateCheckoutOrderCart": Changes(Area.CHECKOUT, cart.put),
    "UpdateCheckoutOrderCustomerBilling": Changes(Area.CHECKOUT, orders.put_billing),
    "UpdateCheckoutOrderCustomerShipping": Changes(Area.CHECKOUT, orders.put_shipping),
    "CreateCheckoutOrderConsent": Changes(Area.CHECKOUT, consents.create),
    "PatchCheckoutOrderConsents": Changes(Area.CHECKOUT, consents.patch_many),
    "PatchCheckoutOrderConsent": Changes(Area.CHECKOUT, consents.patch_one),
    "RemoveCheckoutOrderConsent": Changes(Area.CHECKOUT, consents.remove),
    "PatchCheckoutOrderAttributes": Changes(Area.AFTERMATH, orders.patch_attributes),
    "UpdateCheckoutOrderReference": Changes(Area.AFTERMATH, orders.put_reference),
    "CreateCheckoutOrderValidation": Changes(Area.DELIVERY, callbacks.create_validation),
    "UpdateCheckoutOrderValidation": Changes(Area.DELIVERY, callbacks.put_validation),
    "RemoveCheckoutOrderValidation": Changes(Area.DELIVERY, callbacks.remove_validation),
    "Validate": CallsOut(state.validate),
    "CreateCheckoutOrderHook": Changes(Area.DELIVERY, callbacks.create_hook),
    "DeleteCheckoutOrderHook": Changes(Area.DELIVERY, callbacks.remove_hook),
    "CreateCheckoutOrderNotification": Changes(Area.DELIVERY, callbacks.create_notification),
    "DeleteCheckoutOrderNotification": Changes(Area.DELIVERY, callbacks.remove_notification),
    "CreateOrderPayment": Changes(Area.AFTERMATH, payments.create),
    "GetOrderPayments": Reads(payments.list_all),
    "GetOrderPayment": Reads(payments.fetch),
    "UpdateOrderPayment": Changes(Area.AFTERMATH, payments.put, shows=payments.fetch),
    "AddPaymentAction": Changes(Area.AFTERMATH, payments.create_action),
    "ExecutePaymentAction": CallsOut(payments.execute_action),
    "GetTransactionsForOrderPayment": Reads(payments.list_transactions),
    "AddTransactionForOrderPayment": Changes(Area.AFTERMATH, payments.create_transaction),
    "CreateOrderShipping": Changes(Area.DELIVERY, shippings.create),
    "GetOrderShippings": Reads(shippings.list_all),
    "GetOrderShipping": Reads(shippings.fetch),
    "UpdateOrderShipping": Changes(Area.DELIVERY, shippings.put, shows=shippings.fetch),
}
"""By operationId."""
