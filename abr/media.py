"""What is played: a presentation as a player and its algorithm see it.

A ``Presentation`` holds bitrates, sizes and durations as read-only arrays, and the sizes
of what a player fetches beside segments. Rung 0 is the lowest. This module knows nothing
of files, of playlists as text, or of codecs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from abr.errors import ConfigError

FloatArray = NDArray[np.float64]

KEY_BYTES = 16
"""Size of a content key of AES-128 as served."""


def frozen_array(values: ArrayLike) -> FloatArray:
    """A read-only float64 copy of ``values``."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


_SIDE_ARRAYS = ("listed_sizes_bytes", "listed_rates_bps", "playlist_bytes", "init_bytes", "keys")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SideFiles:
    """What a player fetches beside segments, each once: playlists, initialisation sections, keys.

    A playback asks for the multivariant playlist, then for the media playlists of rung 0
    and of the audio together. A rung's own playlist is fetched before its first segment;
    its initialisation section and a key that is new are fetched beside a segment.
    """

    multivariant_bytes: float
    """Size of the multivariant playlist."""
    listed_sizes_bytes: FloatArray
    """Sizes of segments as media playlists state them, shape (R, N): what a player knows
    of a rung once it has read the rung's playlist. Before, it scales by the next field."""
    listed_rates_bps: FloatArray
    """Mean rate of each rung's own segments, audio of its own not included, shape (R,)."""
    playlist_bytes: FloatArray
    """Size of each rung's media playlist, shape (R,)."""
    init_bytes: FloatArray
    """Size of each rung's initialisation section, shape (R,); 0 where there is none."""
    audio_playlist_bytes: float = 0.0
    """Size of the audio's media playlist; not used without audio of its own."""
    audio_init_bytes: float = 0.0
    """Size of the audio's initialisation section; 0 where there is none."""
    keys: FloatArray | None = None
    """Number of the key of every segment, from 0, -1 where it is clear, shape (N,); None
    where nothing is encrypted. All tracks share them."""
    init_key: int = -1
    """Number of the key of all initialisation sections; -1 where they are clear."""

    def __post_init__(self) -> None:
        for name in _SIDE_ARRAYS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, frozen_array(value))
        sizes = [self.multivariant_bytes, self.audio_playlist_bytes, self.audio_init_bytes]
        for value in (*sizes, *self.playlist_bytes.tolist(), *self.init_bytes.tolist()):
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"a side file of {value} bytes; expected 0 or more")
        if not -1 <= self.init_key < max(self.key_count, 0):
            raise ValueError(f"init_key is {self.init_key}; expected -1 or the number of a key")

    @property
    def key_count(self) -> int:
        """How many keys there are."""
        return 0 if self.keys is None else int(self.keys.max(initial=-1)) + 1

    def check(self, rungs: int, segments: int) -> None:
        """Raise ``ValueError`` unless the shapes are those of R rungs and N segments."""
        shapes: tuple[tuple[int, ...], ...]
        shapes = ((rungs, segments), (rungs,), (rungs,), (rungs,), (segments,))
        for name, shape in zip(_SIDE_ARRAYS, shapes, strict=True):
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} has shape {value.shape}, expected {shape}")

    def digest(self) -> bytes:
        """SHA-256 over everything, in a fixed order."""
        hasher = hashlib.sha256()
        numbers = (
            self.multivariant_bytes,
            self.audio_playlist_bytes,
            self.audio_init_bytes,
            self.init_key,
        )
        keys = () if self.keys is None else self.keys
        arrays = (self.listed_sizes_bytes, self.listed_rates_bps, self.playlist_bytes)
        for part in (numbers, *arrays, self.init_bytes, keys):
            hasher.update(np.asarray(part, dtype="<f8").tobytes() + b"|")
        return hasher.digest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Presentation:
    """R rungs by N segments, rung 0 lowest."""

    bitrates_bps: FloatArray
    """Nominal mean bit rate per rung, ascending, shape (R,)."""
    sizes_bytes: FloatArray
    """Size of every segment at every rung, shape (R, N)."""
    durations_s: FloatArray
    """Media seconds per segment, shape (N,)."""
    quality: FloatArray | None = None
    """Quality per segment and rung, shape (R, N), in the metric named beside it."""
    quality_metric: str | None = None
    """Name of the quality metric, such as ``vmaf``; None without ``quality``."""
    title: str = ""
    """Name for reports."""
    listed_first: int = -1
    """Rung that a multivariant playlist lists first; -1 where nobody says."""
    audio_sizes_bytes: FloatArray | None = None
    """Size of the audio that goes with every segment, shape (N,), where it is fetched on
    its own; None where there is none, or it lies within the video."""
    audio_durations_s: FloatArray | None = None
    """Seconds of that audio, shape (N,), where its segments do not end with the video's;
    None: they do."""
    side_files: SideFiles | None = None
    """What is fetched beside segments; None: nothing is, everything is known beforehand."""
    peak_bitrates_bps: FloatArray | None = None
    """Peak bit rate per rung as a multivariant playlist states it (BANDWIDTH), sound included,
    shape (R,); None where nobody stated it."""
    heights: FloatArray | None = None
    """Lines of the picture per rung, shape (R,); None where nobody says. No part of the digest:
    they matter only to ``up_to``."""

    def __post_init__(self) -> None:
        for name in ("bitrates_bps", "sizes_bytes", "durations_s"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        rungs, segments = len(self.bitrates_bps), len(self.durations_s)
        if not -1 <= self.listed_first < rungs:
            raise ValueError(f"listed_first is {self.listed_first}; expected -1 or a rung")
        if rungs == 0 or segments == 0:
            raise ValueError("a presentation needs at least one rung and one segment")
        if self.sizes_bytes.shape != (rungs, segments):
            raise ValueError(
                f"sizes_bytes has shape {self.sizes_bytes.shape}, expected {(rungs, segments)}"
            )
        if not (np.diff(self.bitrates_bps) >= 0).all():
            raise ValueError("bitrates_bps must not decrease: rung 0 is the lowest")
        for name in ("bitrates_bps", "sizes_bytes", "durations_s"):
            array = getattr(self, name)
            if not (np.isfinite(array).all() and (array > 0).all()):
                raise ValueError(f"{name} must be finite and positive")
        for name in ("audio_sizes_bytes", "audio_durations_s"):
            value = getattr(self, name)
            if value is None:
                continue
            audio = frozen_array(value)
            if audio.shape != (segments,):
                raise ValueError(f"{name} has shape {audio.shape}, expected {(segments,)}")
            if not (np.isfinite(audio).all() and (audio >= 0).all()):
                raise ValueError(f"{name} must be finite, and 0 or more")
            object.__setattr__(self, name, audio)
        self._check_rungs()
        self._check_quality()
        if self.side_files is not None:
            self.side_files.check(rungs, segments)

    def _check_rungs(self) -> None:
        for name in ("peak_bitrates_bps", "heights"):
            if (value := getattr(self, name)) is None:
                continue
            each = frozen_array(value)
            if each.shape != (self.rungs,) or not (np.isfinite(each).all() and (each > 0).all()):
                raise ValueError(f"{name} is {each}; expected {self.rungs} positive numbers")
            object.__setattr__(self, name, each)

    def _check_quality(self) -> None:
        if (self.quality is None) != (self.quality_metric is None):
            raise ValueError("quality and quality_metric: expected both or neither")
        if self.quality is None:
            return
        quality = frozen_array(self.quality)
        if quality.shape != self.sizes_bytes.shape or not np.isfinite(quality).all():
            raise ValueError(
                f"quality has shape {quality.shape}; expected finite numbers of shape "
                f"{self.sizes_bytes.shape}"
            )
        object.__setattr__(self, "quality", quality)

    @property
    def rungs(self) -> int:
        """Number of rungs, R."""
        return len(self.bitrates_bps)

    @property
    def segments(self) -> int:
        """Number of segments, N."""
        return len(self.durations_s)

    @property
    def duration_s(self) -> float:
        """Media seconds in all."""
        return float(self.durations_s.sum())

    @property
    def peaks_bps(self) -> FloatArray:
        """Peak bit rate per rung, the mean where none was stated, shape (R,)."""
        stated = self.peak_bitrates_bps
        return self.bitrates_bps if stated is None else stated

    def up_to(self, max_bitrate_bps: float = 0.0, max_height: float = 0.0) -> Presentation:
        """The rungs below the first that exceeds a ceiling, the lowest always; 0: no ceiling.

        Raises:
            ConfigError: heights matter, and nobody says them.
        """
        above = np.zeros(self.rungs, dtype=bool)
        if max_bitrate_bps > 0:
            above |= self.bitrates_bps > max_bitrate_bps
        if max_height > 0:
            if self.heights is None:
                raise ConfigError(
                    f"max_height is {max_height:g}, and the presentation {self.title!r} does not "
                    "say how high its pictures are; set max_bitrate_bps instead"
                )
            above |= self.heights > max_height
        above[0] = False
        return self if not above.any() else self._lowest(int(np.argmax(above)))

    def _lowest(self, count: int) -> Presentation:
        side = self.side_files
        if side is not None:
            names = ("listed_sizes_bytes", "listed_rates_bps", "playlist_bytes", "init_bytes")
            side = replace(side, **{name: getattr(side, name)[:count] for name in names})
        cut = {
            name: getattr(self, name)[:count]
            for name in ("bitrates_bps", "sizes_bytes", "quality", "peak_bitrates_bps", "heights")
            if getattr(self, name) is not None
        }
        first = min(self.listed_first, count - 1)
        return replace(self, **cut, side_files=side, listed_first=first)

    def digest(self) -> str:
        """SHA-256 over ladder, sizes, durations and side files: equal on every machine."""
        hasher = hashlib.sha256()
        for array in (self.bitrates_bps, self.sizes_bytes, self.durations_s):
            hasher.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        if self.listed_first >= 0:
            hasher.update(b"listed first %d" % self.listed_first)
        # Only where there are any, so that presentations without keep the digest they had.
        if self.audio_sizes_bytes is not None:
            hasher.update(b"audio" + self.audio_sizes_bytes.astype("<f8").tobytes())
        if self.audio_durations_s is not None:
            hasher.update(b"lasting" + self.audio_durations_s.astype("<f8").tobytes())
        if self.peak_bitrates_bps is not None:
            hasher.update(b"peaks" + self.peak_bitrates_bps.astype("<f8").tobytes())
        if self.side_files is not None:
            hasher.update(b"side files" + self.side_files.digest())
        return hasher.hexdigest()


def constant_presentation(
    bitrates_bps: Sequence[float], *, segments: int, segment_s: float, title: str = "constant"
) -> Presentation:
    """A presentation whose segments all have their rung's nominal size."""
    rates = frozen_array(bitrates_bps)
    return Presentation(
        bitrates_bps=rates,
        sizes_bytes=np.outer(rates * segment_s / 8, np.ones(segments)),
        durations_s=np.full(segments, segment_s),
        title=title,
    )
