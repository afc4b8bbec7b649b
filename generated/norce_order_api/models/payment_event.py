"""PaymentEvent."""

from typing import Final, Literal, TypeAlias

PaymentEvent: TypeAlias = Literal[
    "cancel", "capture", "confirm", "open", "paymentAction", "process", "refund", "reopen"
]

PAYMENT_EVENT_VALUES: Final[frozenset[PaymentEvent]] = frozenset(
    {
        "cancel",
        "capture",
        "confirm",
        "open",
        "paymentAction",
        "process",
        "refund",
        "reopen",
    }
)

PAYMENT_EVENT_WORDS: Final[dict[str, PaymentEvent]] = {
    "cancel": "cancel",
    "capture": "capture",
    "confirm": "confirm",
    "open": "open",
    "paymentaction": "paymentAction",
    "process": "process",
    "refund": "refund",
    "reopen": "reopen",
}
"""Each word by its lower-case form."""
