"""OrderStatus."""

from typing import Final, Literal, TypeAlias

OrderStatus: TypeAlias = Literal["accepted", "checkout", "completed", "declined", "processing", "removed"]

ORDER_STATUS_VALUES: Final[frozenset[OrderStatus]] = frozenset(
    {
        "accepted",
        "checkout",
        "completed",
        "declined",
        "processing",
        "removed",
    }
)

ORDER_STATUS_WORDS: Final[dict[str, OrderStatus]] = {
    "accepted": "accepted",
    "checkout": "checkout",
    "completed": "completed",
    "declined": "declined",
    "processing": "processing",
    "removed": "removed",
}
"""Each word by its lower-case form."""
