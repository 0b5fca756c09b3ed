"""With which token a parent is asked: the viewer's own, or one of this tier's.

With a secret that the tiers share, a parent sees no viewer's token but where it must: to renew it.
What binds a token to a viewer (an address, a single use) is then checked by the first tier alone.
A parent that does not take tokens of tiers, as its trust feed says, is shown the viewer's.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.config import EdgeConfig
from origin.paths import Target
from origin.tokens.permission import Permission
from origin.tokens.tiertoken import TierTokens, tier_tokens
from origin.tokens.verifier import Form
from transcode.packaging.layout import segment_number
from transcode.watermark.pattern import bit_of, one_variant


class Upward:
    """Chooses the token that goes up.

    Args:
        config: Holds the secret, if there is one.
        judged_s: The time by which tokens are judged.
    """

    def __init__(self, config: EdgeConfig, *, judged_s: Callable[[], float]) -> None:
        self._judged_s = judged_s
        self.takes_tiers: Callable[[], bool] = _no
        """Whether every parent takes tokens of tiers."""
        self.reconfigure(config)

    def __repr__(self) -> str:
        return f"<Upward with {self.tiers!r}>"

    def reconfigure(self, config: EdgeConfig) -> None:
        """Use other settings from now on."""
        self.tiers: TierTokens | None = tier_tokens(config.tier_secret, where="edge.tier_secret")
        """Makes and verifies tokens of tiers; None without a secret."""

    @property
    def forms(self) -> tuple[Form, ...]:
        """The form of tiers' tokens, to be accepted from the tiers behind this one."""
        return () if self.tiers is None else (self.tiers,)

    def knows(self, bearer: str | None) -> bool:
        """Whether a bearer shows that who asks is a tier."""
        return self.tiers is not None and self.tiers.is_tier(bearer, now_s=self._judged_s())

    def token_for(self, target: Target, said: Permission) -> str:
        """The token to ask a parent with, for a viewer whose token was checked.

        Args:
            target: What the viewer asks for.
            said: What the viewer's token says.
        """
        assert target.token is not None
        if self.tiers is None or not self.takes_tiers():
            return target.token
        if target.kind == "object":
            # Which variant, and not whose: viewers who get the same are not told apart above.
            number = segment_number(target.path) if said.watermark else None
            mark = b"" if number is None else one_variant(bit_of(said.watermark, number))
            return self.tiers.for_title(target.title, now_s=self._judged_s(), watermark=mark)
        if target.kind in _OF_VIEWERS:
            return self.tiers.for_viewer(said, target.title, now_s=self._judged_s())
        return target.token

    def shown_to_parents(self) -> tuple[tuple[str, str], ...]:
        """Fields that show a parent that this is a tier."""
        if self.tiers is None:
            return ()
        token = self.tiers.for_tier(now_s=self._judged_s())
        return (("Authorization", f"Bearer {token}"),)


_OF_VIEWERS = frozenset({"key", "licence"})


def _no() -> bool:
    """Nobody has said so yet."""
    return False
