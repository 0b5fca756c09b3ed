"""Whose a capture is: one session, a mix of two, or nobody's that can be named.

Every session is weighed alone, and every pair with one of the likelier sessions in it, as an
explanation of the evidence. The likeliest names the accused. How sure that is, is another
question, answered without any model of how the capture was made: bits of a session that has
nothing to do with it are fair coins, so the probability that chance makes one of N innocent
sessions look like this is at most

* ``N P(Bin(n, 1/2) >= k)`` for a session that agrees with ``k`` of ``n`` bits;
* for a session of a pair, ``N P(Bin(m, 1/2) >= a)``, where ``a`` of the ``m`` bits that the other
  one does not explain are explained, plus the probability that any pair of innocents explains
  as much. Each test counts double, because the better of the two is used.

Nobody is named whose probability is above the limit, however likely the explanation. Whoever
explains as much as the best of them is named beside it: of pictures that are the average of two
copies, the segments where both have the same bit are left, and both sessions explain all of them.

Source: the marking assumption of Boneh and Shaw, Collusion-secure fingerprinting for digital data,
1998 (where sessions have the same bit, a mix of them has it too); fair bits are the best against
pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transcode.watermark.evidence import ERROR_RATES, Evidence, fold

LIMIT = 1e-3
"""Probability of a false accusation above which nobody is named."""
_LIKELY = 64
"""Sessions that are tried as the stronger one of a pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A session that explains the evidence, alone or with another."""

    session: str
    agreeing: int
    """Bits that it agrees with."""
    of: int
    """Bits that are known."""
    false_probability: float
    """At most so probable that an innocent session would look like this, of all that were given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the evidence says."""

    suspects: tuple[Suspect, ...]
    """The likeliest explanation, one session or two, and whoever explains as much; most agreeing
    first."""
    limit: float
    """Most that ``false_probability`` may be for a session to be named."""
    sessions: int
    """How many were given."""
    bits: int
    """How many places of the pattern are known, those with both bits included."""

    @property
    def named(self) -> tuple[Suspect, ...]:
        """Those that the evidence is strong enough for."""
        return tuple(each for each in self.suspects if each.false_probability <= self.limit)


def accuse(
    evidence: Evidence,
    sessions: Sequence[str],
    patterns: Sequence[bytes],
    *,
    limit: float = LIMIT,
) -> Verdict:
    """Find whose the capture is.

    Args:
        evidence: What it shows.
        sessions: Ids of all sessions that may have made it.
        patterns: Their patterns, all of the same length.
        limit: Most that the probability of a false accusation may be.

    Raises:
        ValueError: patterns of different lengths.
    """
    lengths = {len(pattern) for pattern in patterns}
    if len(lengths) > 1:
        raise ValueError(f"patterns of {sorted(lengths)} bytes; expected one length")
    if not patterns:
        return Verdict(suspects=(), limit=limit, sessions=0, bits=0)
    table = np.unpackbits(np.frombuffer(b"".join(patterns), np.uint8)).reshape(len(patterns), -1)
    folded = fold(evidence, table.shape[1])
    signs = 1 - 2 * table.astype(np.float32)
    seen = _Seen(
        signs[:, folded.places] * (1 - 2 * folded.bits.astype(np.float32)),
        signs[:, folded.both],
        ERROR_RATES[evidence.how],
    )
    places = _explanation(seen)
    chances = _chances(seen, places)
    others = _as_good(seen, places, limit)
    places = (*places, *others)
    chances += [seen.alone(place) for place in others]
    suspects = [
        Suspect(
            session=sessions[place],
            agreeing=seen.agreeing(place),
            of=seen.known,
            false_probability=chance,
        )
        for place, chance in zip(places, chances, strict=True)
    ]
    suspects.sort(key=lambda each: -each.agreeing)
    bits = seen.known + seen.both.shape[1]
    return Verdict(suspects=tuple(suspects), limit=limit, sessions=len(sessions), bits=bits)


class _Seen:
    """Every session against the evidence."""

    def __init__(
        self, agreement: NDArray[np.float32], both: NDArray[np.float32], error_rate: float
    ) -> None:
        self.agreement = agreement
        """+1 where a session agrees with a known bit, -1 where it does not, shape (N, n)."""
        self.both = both
        """The bits of sessions where both were seen, as +1 and -1, shape (N, m)."""
        self.error_rate = error_rate

    def __repr__(self) -> str:
        return f"<_Seen of {self.count} sessions, {self.known} bits>"

    @property
    def count(self) -> int:
        return len(self.agreement)

    @property
    def known(self) -> int:
        return int(self.agreement.shape[1])

    def agreeing(self, place: int) -> int:
        return int((self.agreement[place] > 0).sum())

    def alone(self, place: int) -> float:
        """How probable it is that chance makes an innocent session agree as much."""
        return min(1.0, self.count * _tail(self.known, self.agreeing(place)))


def _explanation(seen: _Seen) -> tuple[int, ...]:
    """The likeliest session or pair, by place; none where nothing is known."""
    known, both = seen.known, seen.both.shape[1]
    if known + both == 0:
        return ()
    right, wrong = math.log1p(-seen.error_rate), math.log(seen.error_rate)
    sums = seen.agreement.sum(axis=1)
    agreeing = (known + sums) / 2
    alone = agreeing * right + (known - agreeing + both) * wrong - math.log(seen.count)
    best = int(alone.argmax())
    likeliest = float(alone[best])
    found: tuple[int, ...] = (best,)
    pairs = math.log(max(1, seen.count * (seen.count - 1) / 2))
    for first in np.argsort(-sums, kind="stable")[:_LIKELY].tolist():
        alike = seen.agreement @ seen.agreement[first]
        agree = (known + sums + sums[first] + alike) / 4
        neither = (known - sums - sums[first] + alike) / 4
        same = (both + seen.both @ seen.both[first]) / 2
        together = (
            agree * right
            + (neither + same) * wrong
            + (known - agree - neither + both - same) * math.log(0.5)
            - pairs
        )
        together[first] = -math.inf
        second = int(together.argmax())
        if together[second] > likeliest:
            likeliest, found = float(together[second]), (first, second)
    return found


def _as_good(seen: _Seen, places: Sequence[int], limit: float) -> list[int]:
    """Other sessions that agree too much for chance, and as much as the best of ``places``."""
    if not places:
        return []
    agreeing = (seen.agreement > 0).sum(axis=1)
    # As many bits may be misread as three standard deviations hold.
    misread = math.floor(3 * math.sqrt(seen.known * seen.error_rate))
    best = max(seen.agreeing(place) for place in places)
    found: list[int] = np.flatnonzero(agreeing >= best - misread).tolist()
    return [each for each in found if each not in places and seen.alone(each) <= limit]


def _chances(seen: _Seen, places: Sequence[int]) -> list[float]:
    """For each accused, how probable it is at most that chance made an innocent look like it."""
    alone = [seen.alone(place) for place in places]
    if len(places) < 2:
        return alone
    pair = _chance_of_pair(seen, *places)
    given = [_chance_given(seen, *places), _chance_given(seen, *reversed(places))]
    return [min(1.0, 2 * min(own, other + pair)) for own, other in zip(alone, given, strict=True)]


def _chance_given(seen: _Seen, place: int, other: int) -> float:
    """The same for one of a pair, given that the other is guilty."""
    left = seen.agreement[other] < 0
    explained = int((seen.agreement[place][left] > 0).sum())
    explained += int((seen.both[place] != seen.both[other]).sum())
    return seen.count * _tail(int(left.sum()) + seen.both.shape[1], explained)


def _chance_of_pair(seen: _Seen, one: int, other: int) -> float:
    """How probable it is at most that any pair of innocents explains as much as this one."""
    # Where one bit was seen three of four pairs explain it; where both were, one of two.
    missed = int(((seen.agreement[one] < 0) & (seen.agreement[other] < 0)).sum())
    missed += int((seen.both[one] == seen.both[other]).sum())
    known, both = seen.known, int(seen.both.shape[1])
    chance = sum(
        _exactly(known, first, 0.25) * _exactly(both, missed_both, 0.5)
        for first in range(min(missed, known) + 1)
        for missed_both in range(min(missed - first, both) + 1)
    )
    return seen.count * (seen.count - 1) / 2 * chance


def _tail(count: int, least: int) -> float:
    """``P(Bin(count, 1/2) >= least)``."""
    ways: int = sum(math.comb(count, each) for each in range(least, count + 1))
    return ways / (1 << count)


def _exactly(count: int, hits: int, chance: float) -> float:
    return math.comb(count, hits) * math.pow(chance, hits) * math.pow(1 - chance, count - hits)


def bits_needed(sessions: int, *, limit: float = LIMIT, colluders: int = 1) -> int:
    """How many bits name the guilty among ``sessions``, where nothing is unclear.

    Args:
        sessions: How many may have made the capture.
        limit: Most that the probability of a false accusation may be.
        colluders: 1, or 2 who give the same share each; then as many bits as come out on average.
    """
    if colluders == 1:
        return max(1, math.ceil(math.log2(sessions / limit)))
    for count in range(4, 4096, 4):
        given = sessions * _tail(count // 4, count // 4)
        pair = sessions * (sessions - 1) / 2 * 0.75**count
        alone = sessions * _tail(count, 3 * count // 4)
        if 2 * min(alone, given + pair) <= limit:
            return count
    raise ValueError(f"over 4096 bits for {sessions} sessions and a limit of {limit}")
