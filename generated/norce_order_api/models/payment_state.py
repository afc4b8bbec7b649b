"""PaymentState."""

from typing import Final, Literal, TypeAlias

PaymentState: TypeAlias = Literal[
    "cancelled",
    "captured",
    "confirmed",
    "credited",
    "declined",
    "failed",
    "intent",
    "pending",
    "processing",
    "refunded",
    "removed",
    "reserved",
]

PAYMENT_STATE_VALUES: Final[frozenset[PaymentState]] = frozenset(
    {
        "cancelled",
        "captured",
        "confirmed",
        "credited",
        "declined",
        "failed",
        "intent",
        "pending",
        "processing",
        "refunded",
        "removed",
        "reserved",
    }
)

PAYMENT_STATE_WORDS: Final[dict[str, PaymentState]] = {
    "cancelled": "cancelled",
    "captured": "captured",
    "confirmed": "confirmed",
    "credited": "credited",
    "declined": "declined",
    "failed": "failed",
    "intent": "intent",
    "pending": "pending",
    "processing": "processing",
    "refunded": "refunded",
    "removed": "removed",
    "reserved": "reserved",
}
"""Each word by its lower-case form."""
