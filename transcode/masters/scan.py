"""Whether pictures are fields in pairs, by measurement: flags are often wrong.

A field is every other line of a picture. Where something moves, the lines of two fields fit each
other best when both were taken at the same moment. So three fits are compared, block by block: top
and bottom of one picture (``d0``), the bottom with the next top (``d1``), and the top with the next
bottom (``d2``). Progressive pictures have the least ``d0``; with the top field first ``d1`` is as
good as ``d0`` and ``d2``, three fields apart, is bad; with the bottom first it is the other way
round. Blocks vote, because one object that moves by a line a field fools any sum over the picture.

deviation: ffmpeg's ``idet`` compares sums over whole pictures, and calls its own moving test
pattern interlaced. Where blocks do not agree, the flags are believed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
Energy = NDArray[np.float64]
Kind = Literal["progressive", "interlaced", "telecined", "mixed"]
"""``mixed``: interlaced in parts."""

PROGRESSIVE_CODECS = frozenset(
    {"vp8", "vp9", "av1", "gif", "apng", "png", "webp", "theora", "flv1", "h261", "h263"}
)
"""Codecs that have no fields; nothing is measured for them."""
_BLOCK_LINES, _BLOCK_COLUMNS = 8, 32
_FLOOR = 6.0
"""Code values, summed over both second differences, below which a block does not move."""
_LEAST_VOTES = 20
_WOVEN, _WOVEN_UNFLAGGED = 0.7, 0.8
"""Share of blocks that it takes to call pictures interlaced: as flags say, and against them."""
_CADENCE = "PPIII"
"""Pairs of pictures of a film in 3:2 pulldown: three of five hold mixed fields."""
_NTSC = (Fraction(30000, 1001), Fraction(30))


@dataclass(frozen=True, slots=True)
class Scan:
    """How lines make up pictures."""

    kind: Kind = "progressive"
    top_first: bool = True
    """Which field is earlier; of no meaning for progressive pictures."""

    def __str__(self) -> str:
        if self.kind == "progressive":
            return self.kind
        return f"{self.kind}, {'top' if self.top_first else 'bottom'} field first"

    @property
    def film_ratio(self) -> Fraction:
        """Pictures that come out for each that goes in: four of five of a telecined film."""
        return Fraction(4, 5) if self.kind == "telecined" else Fraction(1)


@dataclass(frozen=True, slots=True)
class Votes:
    """What moving blocks of one look at the film say, pair of pictures by pair."""

    progressive: tuple[int, ...]
    top_first: tuple[int, ...]
    bottom_first: tuple[int, ...]

    @property
    def total(self) -> int:
        """Blocks that voted."""
        return sum(self.progressive) + sum(self.top_first) + sum(self.bottom_first)


def votes_of(pictures: Pictures) -> Votes:
    """Votes of every block between pictures that follow each other.

    Args:
        pictures: Luma, shape (pictures, lines, columns); the first line belongs to a top field.
    """
    counts: list[tuple[int, int, int]] = []
    lines = pictures.shape[1] // 2 * 2
    if lines >= 2 * _BLOCK_LINES and pictures.shape[2] >= _BLOCK_COLUMNS:
        wide = (each[:lines].astype(np.int16) for each in pictures)  # one at a time: less memory
        fields = ((each[0::2], each[1::2]) for each in wide)
        for (top, bottom), (next_top, next_bottom) in itertools.pairwise(fields):
            counts.append(_vote(_fit(top, bottom), _fit(next_top, bottom), _fit(top, next_bottom)))
    columns = list(zip(*counts, strict=True)) or [(), (), ()]
    return Votes(*columns)


def _fit(top: NDArray[np.int16], bottom: NDArray[np.int16]) -> Energy:
    """Mean second difference between lines of two fields, block by block."""
    energy = np.abs(top[:-1] + top[1:] - 2 * bottom[:-1])
    energy += np.abs(bottom[:-1] + bottom[1:] - 2 * top[1:])
    high = energy.shape[0] // _BLOCK_LINES
    wide = energy.shape[1] // _BLOCK_COLUMNS
    whole = energy[: high * _BLOCK_LINES, : wide * _BLOCK_COLUMNS]
    return np.asarray(whole.reshape(high, _BLOCK_LINES, wide, _BLOCK_COLUMNS).mean(axis=(1, 3)))


def _vote(same: Energy, with_next_top: Energy, with_next_bottom: Energy) -> tuple[int, int, int]:
    low = np.minimum(with_next_top, with_next_bottom)
    high = np.maximum(with_next_top, with_next_bottom)
    moves = high - np.minimum(low, same) > np.maximum(_FLOOR, 0.15 * high)
    gain, span = low - same, high - same
    whole = moves & (gain > 0.6 * span) & (gain > _FLOOR / 2)
    woven = moves & (gain < 0.4 * span) & (high - low > np.maximum(_FLOOR / 2, 0.1 * low))
    top = woven & (with_next_top < with_next_bottom)
    return int(whole.sum()), int(top.sum()), int((woven & ~top).sum())


def is_clear(looks: Sequence[Votes]) -> bool:
    """Whether more looks would hardly change the verdict."""
    progressive, top, bottom = _sums(looks)
    votes = progressive + top + bottom
    return votes >= 10 * _LEAST_VOTES and max(progressive, top, bottom) >= 0.9 * votes


def judge(looks: Sequence[Votes], *, flagged: Scan, rate: Fraction | None) -> Scan:
    """How the pictures really are.

    Args:
        looks: At several places of the film.
        flagged: What the stream says; believed where blocks do not agree or nothing moves.
        rate: Pictures per second; a film is telecined to 29.97 or 30.
    """
    progressive, top, bottom = _sums(looks)
    votes, woven = progressive + top + bottom, top + bottom
    if votes < _LEAST_VOTES:
        return flagged
    if rate in _NTSC and woven and _has_cadence(looks):
        return Scan("telecined", top_first=top >= bottom)
    kinds = {_part(look) for look in looks}
    if "progressive" in kinds and "interlaced" in kinds:
        return Scan("mixed", top_first=top >= bottom)
    if progressive >= 0.8 * votes:
        return Scan()
    # A line a picture of test patterns comes to 0.74 here; fields against their flags, to 0.9.
    least = _WOVEN_UNFLAGGED if flagged.kind == "progressive" else _WOVEN
    if woven >= least * votes and max(top, bottom) >= 0.85 * woven:
        return Scan("interlaced", top_first=top > bottom)
    return flagged


def _part(look: Votes) -> Kind | None:
    """What one look says beyond doubt."""
    progressive, top, bottom = _sums([look])
    if look.total < 2 * _LEAST_VOTES:
        return None
    if progressive >= 0.85 * look.total:
        return "progressive"
    return "interlaced" if max(top, bottom) >= 0.85 * look.total else None


def note_of(scan: Scan, *, flagged: Scan) -> str | None:
    """What the user should know of it, in words; None when flags are right and nothing is done."""
    if scan.kind == "telecined":
        return "a film in 3:2 pulldown; its own pictures are taken, four for every five"
    if scan.kind == "mixed":
        return (
            "interlaced in parts, and whole in others; all of it is deinterlaced, which takes some "
            "sharpness from whole pictures"
        )
    if scan.kind == "interlaced":
        doubt = "" if scan == flagged else f" (flagged as {flagged})"
        return f"{scan}{doubt}; deinterlaced at the rate of its pictures"
    return None if flagged == scan else f"flagged as {flagged}, but pictures are whole; kept so"


def _sums(looks: Sequence[Votes]) -> tuple[int, int, int]:
    return (
        sum(sum(look.progressive) for look in looks),
        sum(sum(look.top_first) for look in looks),
        sum(sum(look.bottom_first) for look in looks),
    )


def _has_cadence(looks: Sequence[Votes]) -> bool:
    """Whether mixed and whole pictures take turns as 3:2 pulldown has them."""
    seen = right = 0
    for look in looks:
        turns = _turns(look)
        seen += sum(turn != "." for turn in turns)
        right += max(_agreement(turns, phase) for phase in range(len(_CADENCE)))
    return seen >= 3 * len(_CADENCE) and right >= 0.8 * seen


def _turns(look: Votes) -> str:
    rows = zip(look.progressive, look.top_first, look.bottom_first, strict=True)
    return "".join(
        "." if not any(row) else "P" if row[0] > row[1] + row[2] else "I" for row in rows
    )


def _agreement(turns: str, phase: int) -> int:
    expected = (_CADENCE[(at + phase) % len(_CADENCE)] for at in range(len(turns)))
    return sum(turn == wanted for turn, wanted in zip(turns, expected, strict=True))
