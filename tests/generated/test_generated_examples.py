"""The bodies in the vendor's public reference, by operation."""

# These tests are about JSON data of unknown shape.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import json
import re
from pathlib import Path
from typing import Any

import pytest

from norce_order_api import models

EXAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
]
INCOMPLETE = re.compile(r"\b(cut|lost|collapsed|completed|filled)\b")

# The model of each operation's request and answer is here; None is data without a model.
BODIES: dict[tuple[str, str], str | None] = {
    ("CreateCheckoutOrder", "request"): "OrderData",
    ("CreateCheckoutOrder", "response"): "CreateResponse",
    ("GetCheckoutOrder", "response"): "OrderData",
    ("UpdateCheckoutOrderState", "request"): "State",
    ("UpdateCheckoutOrderCart", "request"): "Cart",
    ("UpdateCheckoutOrderCustomerBilling", "request"): "Address",
    ("UpdateCheckoutOrderCustomerShipping", "request"): "Address",
    ("CreateCheckoutOrderConsent", "request"): "Consent",
    ("PatchCheckoutOrderConsents", "request"): "Consent",
    ("PatchCheckoutOrderConsent", "request"): "Consent",
    ("PatchCheckoutOrderAttributes", "request"): None,
    ("CreateCheckoutOrderValidation", "request"): "Callback",
    ("CreateCheckoutOrderHook", "request"): "Hook",
    ("CreateCheckoutOrderNotification", "request"): "Notification",
    ("Validate", "response"): "ValidationError",
    ("CreateOrderPayment", "request"): "Payment",
    ("GetOrderPayment", "response"): "Payment",
    ("AddTransactionForOrderPayment", "request"): "PaymentTransaction",
    ("AddTransactionForOrderPayment", "response"): "PaymentTransaction",
    ("CreateOrderShipping", "request"): "Shipping",
    ("CreateOrderShipping", "response"): "CreateResponse",
    ("GetOrderShipping", "response"): "Shipping",
}


def model_of(example: dict[str, Any]) -> Any:
    """Return the model class of an example, or None for free-form data."""
    schema = re.fullmatch(r"\(schema (\w+)\)", example["operation"])
    name = schema[1] if schema else BODIES[example["operation"], example["kind"]]
    return getattr(models, name) if name else None


def title(example: dict[str, Any]) -> str:
    return f"{example['operation']}-{example['kind']}"


def written_again(example: dict[str, Any]) -> Any:
    kind, body = model_of(example), example["body"]
    if kind is None:
        return body
    return [kind.from_dict(one).to_dict() for one in body] if isinstance(body, list) else kind.from_dict(body).to_dict()


@pytest.mark.parametrize("example", EXAMPLES, ids=title)
def test_every_example_can_be_read(example: dict[str, Any], told: list[tuple[str, str]]) -> None:
    """Only incomplete samples report differences."""
    written_again(example)
    if not INCOMPLETE.search(example["note"]) and not isinstance(example["body"], str):
        assert told == []


@pytest.mark.parametrize("example", [one for one in EXAMPLES if not INCOMPLETE.search(one["note"])], ids=title)
def test_a_whole_example_goes_back_as_it_came(example: dict[str, Any]) -> None:
    """Spellings such as Person and Intent, nulls in attributes and times with Z go back as they came."""
    if "contradicted by the tutorial" in example["note"]:
        # The reference shows a bare text, but the service answers an object: there is no member for it.
        assert written_again(example) == {}
    else:
        assert written_again(example) == example["body"]


def test_the_examples_hold_the_special_values() -> None:
    """The examples contain the spellings and nulls that the tests above are about."""
    whole = json.dumps([one["body"] for one in EXAMPLES if not INCOMPLETE.search(one["note"])])
    for spelling in ('"Person"', '"Intent"', '"property1": null', 'Z"', '"merchant"'):
        assert spelling in whole
