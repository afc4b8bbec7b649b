"""OrderListOrderByDirection."""

from typing import Final, Literal, TypeAlias

OrderListOrderByDirection: TypeAlias = Literal["asc", "desc"]

ORDER_LIST_ORDER_BY_DIRECTION_VALUES: Final[frozenset[OrderListOrderByDirection]] = frozenset(
    {
        "asc",
        "desc",
    }
)

ORDER_LIST_ORDER_BY_DIRECTION_WORDS: Final[dict[str, OrderListOrderByDirection]] = {
    "asc": "asc",
    "desc": "desc",
}
"""Each word by its lower-case form."""
