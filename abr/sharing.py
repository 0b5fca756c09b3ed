"""How transfers share a link equally: sums that move only when their number changes.

With n transfers under way each has received ``share`` bits since the link was last idle,
and ``share`` grows by 1/n of what the link offers. A transfer ends when ``share`` reaches
a mark fixed at its first byte. As nothing is summed in between, asking how far a transfer
has come, however often, changes no result.

Plain functions, used by ``abr.link.SharedLink`` and compiled by ``player.batch.abrkit``.
"""

from __future__ import annotations

from typing import NamedTuple


class Sharing(NamedTuple):
    """What transfers have got of a link."""

    active: int
    """Transfers under way."""
    share: float
    """Bits each of them had got at ``changed_s``; 0 while the link is idle."""
    offered_bits: float
    """What the link had offered by then."""
    changed_s: float
    """When their number changed last."""


IDLE = Sharing(0, 0.0, 0.0, 0.0)


def share_by(sharing: Sharing, offered_bits: float) -> float:
    """Bits that each transfer has got once the link has offered ``offered_bits``."""
    if sharing.active == 0:
        return sharing.share
    return sharing.share + max(offered_bits - sharing.offered_bits, 0.0) / sharing.active


def bits_until(sharing: Sharing, mark: float) -> float:
    """What the link will have offered when ``share`` reaches ``mark``, if none joins."""
    return sharing.offered_bits + (mark - sharing.share) * sharing.active


def join(sharing: Sharing, offered_bits: float, now_s: float) -> Sharing:
    """A transfer begins at ``now_s``, by when the link has offered ``offered_bits``."""
    share = share_by(sharing, offered_bits)
    return Sharing(sharing.active + 1, share, offered_bits, now_s)


def abandon(sharing: Sharing, offered_bits: float, now_s: float) -> Sharing:
    """A transfer is given up at ``now_s``."""
    return _without_one(sharing, share_by(sharing, offered_bits), offered_bits, now_s)


def finish(sharing: Sharing, mark: float, now_s: float) -> Sharing:
    """The transfer that ends at ``mark`` is complete."""
    # From the mark, not from the time: bits stay exact where the link is fast.
    return _without_one(sharing, mark, bits_until(sharing, mark), now_s)


def _without_one(sharing: Sharing, share: float, offered_bits: float, now_s: float) -> Sharing:
    active = sharing.active - 1
    # Sums start afresh on an idle link, which keeps them small.
    return Sharing(active, share if active > 0 else 0.0, offered_bits, now_s)
