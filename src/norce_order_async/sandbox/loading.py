"""Reading the order that a call names."""

from . import json_text
from .json_text import Json
from .operation import Call
from .refusals import not_found
from .store import Store


def load(store: Store, call: Call) -> Json:
    """The order, in the scope of the call; `order-not-found` otherwise."""
    return json_text.parsed(load_text(store, call))


def load_text(store: Store, call: Call) -> str:
    """The order as the JSON text that is kept."""
    order_id = call.ids["order_id"]
    document = store.document(call.scope, order_id)
    if document is None:
        raise not_found("order", order_id)
    return document
