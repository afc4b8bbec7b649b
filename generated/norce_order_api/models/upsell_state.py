"""UpsellState."""

from typing import Final, Literal, TypeAlias

UpsellState: TypeAlias = Literal["actionRequired", "completed", "created", "failed"]

UPSELL_STATE_VALUES: Final[frozenset[UpsellState]] = frozenset(
    {
        "actionRequired",
        "completed",
        "created",
        "failed",
    }
)

UPSELL_STATE_WORDS: Final[dict[str, UpsellState]] = {
    "actionrequired": "actionRequired",
    "completed": "completed",
    "created": "created",
    "failed": "failed",
}
"""Each word by its lower-case form."""
