"""Every operation of the description and who carries it out, with the part of the order it needs open."""

from collections.abc import Mapping

from norce_order_async.sandbox.operation import CallsOut, Changes, Handler, OnWorld, Reads
from norce_order_async.sandbox.rules import Area

from . import (
    actions,
    callbacks,
    cart,
    consents,
    customer,
    listing,
    orders,
    payments,
    remarks,
    shippings,
    state,
    transactions,
    validate,
)

HANDLERS: Mapping[str, Handler] = {
    "CreateCheckoutOrder": OnWorld(orders.create),
    "GetCheckoutOrders": OnWorld(listing.page),
    "GetCheckoutOrder": OnWorld(orders.fetch),
    "DeleteCheckoutOrder": OnWorld(orders.delete),
    "UpdateCheckoutOrderState": Changes(None, state.put),
    "UpdateCheckoutOrderCart": Changes(Area.CHECKOUT, cart.put),
    "UpdateCheckoutOrderCustomerBilling": Changes(Area.CHECKOUT, customer.put_billing),
    "UpdateCheckoutOrderCustomerShipping": Changes(Area.CHECKOUT, customer.put_shipping),
    "CreateCheckoutOrderConsent": Changes(Area.CHECKOUT, consents.create),
    "PatchCheckoutOrderConsents": Changes(Area.CHECKOUT, consents.patch_many),
    "PatchCheckoutOrderConsent": Changes(Area.CHECKOUT, consents.patch_one),
    "RemoveCheckoutOrderConsent": Changes(Area.CHECKOUT, consents.remove),
    "PatchCheckoutOrderAttributes": Changes(Area.AFTERMATH, remarks.patch_attributes),
    "UpdateCheckoutOrderReference": Changes(Area.AFTERMATH, remarks.put_reference),
    "CreateCheckoutOrderValidation": Changes(Area.DELIVERY, callbacks.create_validation),
    "UpdateCheckoutOrderValidation": Changes(Area.DELIVERY, callbacks.put_validation),
    "RemoveCheckoutOrderValidation": Changes(Area.DELIVERY, callbacks.remove_validation),
    "Validate": CallsOut(validate.validate),
    "CreateCheckoutOrderHook": Changes(Area.DELIVERY, callbacks.create_hook),
    "DeleteCheckoutOrderHook": Changes(Area.DELIVERY, callbacks.remove_hook),
    "CreateCheckoutOrderNotification": Changes(Area.DELIVERY, callbacks.create_notification),
    "DeleteCheckoutOrderNotification": Changes(Area.DELIVERY, callbacks.remove_notification),
    "CreateOrderPayment": Changes(Area.AFTERMATH, payments.create),
    "GetOrderPayments": Reads(payments.list_all),
    "GetOrderPayment": Reads(payments.fetch),
    "UpdateOrderPayment": Changes(Area.AFTERMATH, payments.put, shows=payments.fetch),
    "AddPaymentAction": Changes(Area.AFTERMATH, actions.create),
    "ExecutePaymentAction": CallsOut(actions.execute),
    "GetTransactionsForOrderPayment": Reads(transactions.list_all),
    "AddTransactionForOrderPayment": Changes(Area.AFTERMATH, transactions.create),
    "CreateOrderShipping": Changes(Area.DELIVERY, shippings.create),
    "GetOrderShippings": Reads(shippings.list_all),
    "GetOrderShipping": Reads(shippings.fetch),
    "UpdateOrderShipping": Changes(Area.DELIVERY, shippings.put, shows=shippings.fetch),
}
"""By operationId."""
