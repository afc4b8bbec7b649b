"""OrderListOrderBy."""

from typing import Final, Literal, TypeAlias

OrderListOrderBy: TypeAlias = Literal["billingEmail", "billingName", "cartTotal", "created"]

ORDER_LIST_ORDER_BY_VALUES: Final[frozenset[OrderListOrderBy]] = frozenset(
    {
        "billingEmail",
        "billingName",
        "cartTotal",
        "created",
    }
)

ORDER_LIST_ORDER_BY_WORDS: Final[dict[str, OrderListOrderBy]] = {
    "billingemail": "billingEmail",
    "billingname": "billingName",
    "carttotal": "cartTotal",
    "created": "created",
}
"""Each word by its lower-case form."""
