"""OrderVersion."""

from typing import Final, Literal, TypeAlias

OrderVersion: TypeAlias = Literal["v0", "v1"]

ORDER_VERSION_VALUES: Final[frozenset[OrderVersion]] = frozenset(
    {
        "v0",
        "v1",
    }
)

ORDER_VERSION_WORDS: Final[dict[str, OrderVersion]] = {
    "v0": "v0",
    "v1": "v1",
}
"""Each word by its lower-case form."""
