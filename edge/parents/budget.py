"""A budget for asking again: retries and hedges may add a share of the load, and no more.

Each first request puts a fraction of a token into the bucket and each second request takes a
whole one. When a whole tier fails, retries then add ``share`` to its load instead of
multiplying it.

Source: the retry budget of Finagle (public documentation, "Retries": ttl, minRetriesPerSec,
percentCanRetry), as a token bucket.
"""

from __future__ import annotations


class RetryBudget:
    """Tokens for second requests.

    Args:
        share: Second requests per first request, in the long run.
        least_per_s: So many per second are possible even without first requests.
        reserve: Most tokens that are saved up, and how many there are at first.
    """

    def __init__(
        self, *, share: float = 0.2, least_per_s: float = 1.0, reserve: float = 20.0
    ) -> None:
        self._share, self._least_per_s, self._reserve = share, least_per_s, reserve
        self._tokens = reserve
        self._filled_s: float | None = None

    def __repr__(self) -> str:
        return f"<RetryBudget {self._tokens:.1f} of {self._reserve:g} tokens>"

    def deposit(self) -> None:
        """Note a first request."""
        self._tokens = min(self._reserve, self._tokens + self._share)

    def withdraw(self, now_s: float) -> bool:
        """Take a token for a second request; False: do without."""
        if self._filled_s is not None:
            passed_s = max(0.0, now_s - self._filled_s)
            self._tokens = min(self._reserve, self._tokens + passed_s * self._least_per_s)
        self._filled_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
