"""ShippingState."""

from typing import Final, Literal, TypeAlias

ShippingState: TypeAlias = Literal["confirmed", "failed", "intent", "processing", "removed"]

SHIPPING_STATE_VALUES: Final[frozenset[ShippingState]] = frozenset(
    {
        "confirmed",
        "failed",
        "intent",
        "processing",
        "removed",
    }
)

SHIPPING_STATE_WORDS: Final[dict[str, ShippingState]] = {
    "confirmed": "confirmed",
    "failed": "failed",
    "intent": "intent",
    "processing": "processing",
    "removed": "removed",
}
"""Each word by its lower-case form."""
