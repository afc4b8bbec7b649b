"""ProductType."""

from typing import Final, Literal, TypeAlias

ProductType: TypeAlias = Literal["bundle", "digital", "giftCard", "physical"]

PRODUCT_TYPE_VALUES: Final[frozenset[ProductType]] = frozenset(
    {
        "bundle",
        "digital",
        "giftCard",
        "physical",
    }
)

PRODUCT_TYPE_WORDS: Final[dict[str, ProductType]] = {
    "bundle": "bundle",
    "digital": "digital",
    "giftcard": "giftCard",
    "physical": "physical",
}
"""Each word by its lower-case form."""
