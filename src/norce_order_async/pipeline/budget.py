"""The retry budget: how much repeating one client may do before failing at once is the better answer.

A bucket of tokens. A repeat takes some, a first-try success gives one back, a success after repeats gives back what
those took. While a service fails everything, repeats stop once the bucket is empty, so the load a struggling service
sees falls to one attempt a call. Sizes are the AWS SDKs' defaults of November 2026.
"""

from __future__ import annotations

CAPACITY = 500
RETRY_COST = 14
THROTTLED_RETRY_COST = 5
FIRST_TRY_REFUND = 1


class RetryBudget:
    """A bucket of retry tokens, shared by every call of a client."""

    __slots__ = ("_capacity", "_tokens")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._tokens = capacity

    @property
    def tokens(self) -> int:
        """Tokens left."""
        return self._tokens

    def take(self, *, throttled: bool) -> int | None:
        """Take what a repeat costs: the cost, or None when the bucket does not hold that much."""
        cost = THROTTLED_RETRY_COST if throttled else RETRY_COST
        if self._tokens < cost:
            return None
        self._tokens -= cost
        return cost

    def refund(self, taken: int) -> None:
        """After a success: give back what its repeats took, or one token for a success at the first try."""
        self._tokens = min(self._capacity, self._tokens + (taken or FIRST_TRY_REFUND))
