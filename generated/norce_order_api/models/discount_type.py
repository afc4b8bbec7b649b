"""DiscountType."""

from typing import Final, Literal, TypeAlias

DiscountType: TypeAlias = Literal["item", "shipping"]

DISCOUNT_TYPE_VALUES: Final[frozenset[DiscountType]] = frozenset(
    {
        "item",
        "shipping",
    }
)

DISCOUNT_TYPE_WORDS: Final[dict[str, DiscountType]] = {
    "item": "item",
    "shipping": "shipping",
}
"""Each word by its lower-case form."""
