"""Which keys proved uncacheable lately: their requests need not wait for each other.

Without this memory every request for such a key would wait for the one before it, only to learn
that its answer cannot be shared. The memory is bounded and forgets.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_KEYS = 10_000
"""Most keys remembered; the oldest are forgotten."""


class HitForMiss:
    """Keys whose latest response could be used for one request only.

    Args:
        ttl_s: How long that is believed.
    """

    def __init__(self, *, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        self._until_s: OrderedDict[str, float] = OrderedDict()

    def __repr__(self) -> str:
        return f"<HitForMiss of {len(self._until_s)} keys>"

    def note(self, key: str, *, now_s: float) -> None:
        """Remember that the response of ``key`` was of use to nobody else."""
        self._until_s.pop(key, None)
        self._until_s[key] = now_s + self.ttl_s
        if len(self._until_s) > MAX_KEYS:
            self._until_s.popitem(last=False)

    def forget(self, key: str) -> None:
        """Forget ``key``: its latest response can be used again."""
        self._until_s.pop(key, None)

    def covers(self, key: str, *, now_s: float) -> bool:
        """Whether ``key`` is believed to be uncacheable."""
        until_s = self._until_s.get(key)
        if until_s is None:
            return False
        if now_s < until_s:
            return True
        del self._until_s[key]
        return False
