"""PaymentType."""

from typing import Final, Literal, TypeAlias

PaymentType: TypeAlias = Literal["default", "prepaid", "voucher"]

PAYMENT_TYPE_VALUES: Final[frozenset[PaymentType]] = frozenset(
    {
        "default",
        "prepaid",
        "voucher",
    }
)

PAYMENT_TYPE_WORDS: Final[dict[str, PaymentType]] = {
    "default": "default",
    "prepaid": "prepaid",
    "voucher": "voucher",
}
"""Each word by its lower-case form."""
