"""Marks in decoded pictures: where in the film a capture begins, and which variant it shows.

Pictures are small and grey here, ``COLUMNS`` by ``ROWS``: what encoding anew and scaling do to a
capture is mostly gone at that size, and a mark is not. Between the capture and the middle of the
two variants lies half their difference, added or taken off; how much of it, is fitted together
with the brightness and contrast of the capture.

Arithmetic on arrays; nothing is decoded here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 64, 36
"""Size of the pictures that marks are looked for in."""
COARSE_COLUMNS, COARSE_ROWS = 16, 9
"""Size of those by which a capture is found in the film."""
FOUND = 8.0
"""Standard deviations by which the right place stands out from all others, or else"""
ALIKE = 0.8
"""the correlation of its pictures with those of the capture: films may repeat themselves."""
_TRIED = 32
"""Places that are compared picture by picture."""
SEEN = 3.0
"""Standard errors from none at which a mark is taken for seen. Of unmarked segments one in 230
would pass; wrong bits make it harder to name somebody, never easier."""
LEAST_SHARE = 0.1
"""Of the mark; less is no mark, however steady."""
REACH_FRAMES = 3
"""How far a segment may lie from where the whole capture says: frame rates are rounded."""
_TILE_COLUMNS, _TILE_ROWS = 8, 6
_FLATTEST = 1e-6

Pictures = NDArray[np.float32]


def coarse(pictures: NDArray[np.uint16] | Pictures) -> Pictures:
    """Pictures at the size for finding, shape (N, ``COARSE_ROWS`` * ``COARSE_COLUMNS``)."""
    across, down = COLUMNS // COARSE_COLUMNS, ROWS // COARSE_ROWS
    cells = pictures.reshape(-1, COARSE_ROWS, down, COARSE_COLUMNS, across)
    small: Pictures = cells.mean(axis=(2, 4), dtype=np.float32)
    return small.reshape(len(small), -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a capture lies in a film."""

    frame: int
    """Frame of the film that the capture's first one shows; below 0: it begins earlier."""
    likeness: float
    """By how many standard deviations this place stands out."""
    alike: float
    """Mean correlation of pictures there, from -1 to 1."""

    @property
    def is_sure(self) -> bool:
        """Whether it is this film at all."""
        return self.likeness >= FOUND or self.alike >= ALIKE


def place_of(capture: Pictures, film: Pictures) -> Place:
    """Find a capture in a film by how pictures change, given at the same frame rate.

    Args:
        capture: As ``coarse`` makes them, shape (N, cells).
        film: Likewise.
    """
    count = len(capture) + len(film)
    size = 1 << (count - 1).bit_length()
    ours, theirs = _changes(capture), _changes(film)
    spectrum = np.zeros(size // 2 + 1, dtype=np.complex128)
    for cell in range(ours.shape[1]):
        one = np.fft.rfft(ours[:, cell], size)
        spectrum += np.fft.rfft(theirs[:, cell], size) * np.conj(one)
    matching = np.fft.irfft(spectrum, size)
    # Lag k is at place k; those below 0 are at the end.
    lags = np.concatenate([matching[-(len(capture) - 1) :], matching[: len(film)]])
    if len(capture) == 1:
        lags = matching[: len(film)]
    begins = np.arange(len(lags)) - (len(lags) - len(film))
    best, alike = 0, -2.0
    for candidate in _peaks(lags):
        own = _correlation(capture, film, int(begins[candidate]))
        if own > alike:
            best, alike = candidate, own
    others = np.delete(lags, slice(max(0, best - 2), best + 3))
    spread = float(others.std()) if len(others) else 0.0
    likeness = float(lags[best] - others.mean()) / spread if spread > 0 else 0.0
    return Place(frame=int(begins[best]), likeness=likeness, alike=alike)


def _peaks(lags: NDArray[np.float64]) -> list[int]:
    """The highest places, none beside another."""
    left = lags.copy()
    found: list[int] = []
    for _ in range(min(_TRIED, len(left))):
        best = int(left.argmax())
        if left[best] == -np.inf:
            break
        found.append(best)
        left[max(0, best - 2) : best + 3] = -np.inf
    return found


def _correlation(capture: Pictures, film: Pictures, begin: int) -> float:
    """Mean correlation of pictures where the capture begins at a frame of the film."""
    first, last = max(0, begin), min(len(film), begin + len(capture))
    step = max(1, (last - first) // 500)
    theirs = film[first:last:step]
    ours = capture[first - begin : last - begin : step]
    if not len(theirs):
        return -1.0
    ours = ours - ours.mean(axis=1, keepdims=True)
    theirs = theirs - theirs.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    shown = sizes > _FLATTEST
    return (
        float(((ours * theirs).sum(axis=1)[shown] / sizes[shown]).mean()) if shown.any() else -1.0
    )


def _changes(pictures: Pictures) -> Pictures:
    """What changes from one picture to the next; no single cut outweighs everything."""
    steps = np.diff(pictures, axis=0, prepend=pictures[:1])
    sizes = np.linalg.norm(steps, axis=1, keepdims=True)
    typical = float(np.median(sizes[sizes > _FLATTEST])) if (sizes > _FLATTEST).any() else 1.0
    changes: Pictures = steps / (sizes + typical)
    return changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How much of a mark was found."""

    share: float
    """1 is variant A as it was encoded, -1 variant B, 0 neither."""
    strength: float
    """In standard errors; infinite where nothing disturbs it."""

    @property
    def bit(self) -> int | None:
        """0 for A, 1 for B; None: it cannot be told."""
        if abs(self.strength) < SEEN or abs(self.share) < LEAST_SHARE:
            return None
        return 0 if self.share > 0 else 1


def mark_of(capture: Pictures, one: Pictures, other: Pictures) -> Mark:
    """The mark in some pictures of a segment, all of shape (N, ``ROWS`` * ``COLUMNS``).

    Args:
        capture: As captured, of the same frames as the others.
        one: Variant A.
        other: Variant B.
    """
    middle: Pictures = np.float32(0.5) * (one + other)
    half: Pictures = np.float32(0.5) * (one - other)
    rest = _rest(capture, middle)
    half = half - half.mean(axis=1, keepdims=True)
    products, weights = _by_tile(rest * half), _by_tile(half * half)
    total = float(weights.sum())
    if total <= _FLATTEST:
        return Mark(share=0.0, strength=0.0)
    share = float(products.sum()) / total
    errors = products - share * weights
    tiles = len(errors)
    error = float(np.sqrt((errors**2).sum() * tiles / (tiles - 1))) / total
    return Mark(share=share, strength=share / error if error > 0 else np.copysign(np.inf, share))


def shifted(capture: Pictures, first: int, film: Pictures) -> int:
    """By how many frames the pictures of a segment lie off ``first``; at most ``REACH_FRAMES``.

    Args:
        capture: The whole capture.
        first: Frame of the capture where the segment should begin.
        film: The segment.
    """
    found, least = 0, np.inf
    for shift in sorted(range(-REACH_FRAMES, REACH_FRAMES + 1), key=abs):
        begin, end = max(0, first + shift), min(len(capture), first + shift + len(film))
        if end - begin < len(film) / 2:
            continue
        rest = _rest(capture[begin:end], film[begin - first - shift : end - first - shift])
        own = float((rest**2).mean())
        if own < least * (1 - 1e-3):
            found, least = shift, own
    return found


def _rest(capture: Pictures, film: Pictures) -> Pictures:
    """What brightness and contrast do not explain of ``capture``, without the mean of each."""
    centred = film - film.mean(axis=1, keepdims=True)
    own = capture - capture.mean(axis=1, keepdims=True)
    power = float((centred * centred).sum())
    contrast = float((own * centred).sum()) / power if power > _FLATTEST else 1.0
    rest: Pictures = own - np.float32(contrast if 0.5 < contrast < 2.0 else 1.0) * centred
    return rest


def _by_tile(values: Pictures) -> NDArray[np.float64]:
    """Sums over all pictures, by tiles of the picture."""
    across, down = COLUMNS // _TILE_COLUMNS, ROWS // _TILE_ROWS
    cells = values.sum(axis=0, dtype=np.float64).reshape(_TILE_ROWS, down, _TILE_COLUMNS, across)
    sums: NDArray[np.float64] = cells.sum(axis=(1, 3)).ravel()
    return sums
