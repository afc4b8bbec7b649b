"""CustomerType."""

from typing import Final, Literal, TypeAlias

CustomerType: TypeAlias = Literal["organization", "person"]

CUSTOMER_TYPE_VALUES: Final[frozenset[CustomerType]] = frozenset(
    {
        "organization",
        "person",
    }
)

CUSTOMER_TYPE_WORDS: Final[dict[str, CustomerType]] = {
    "organization": "organization",
    "person": "person",
}
"""Each word by its lower-case form."""
