"""A rung as a ladder states it: what every way of choosing a ladder comes to."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from abr.errors import ConfigError

LONGEST = 32
"""Most rungs of a ladder."""
CODECS = ("h264", "hevc", "av1")
"""What a rung may be encoded with."""


@dataclass(frozen=True, slots=True)
class PlannedRung:
    """One rung to encode."""

    width: int
    height: int
    bitrate_bps: int
    """Target mean of the video alone. With ``crf``: the mean that is expected."""
    crf: float | None = None
    """Constant rate factor: the encoder keeps this quality, whatever the scene needs, up to
    ``cap_bps``. None: it keeps the mean."""
    cap_bps: int | None = None
    """Fill rate of the decoder's buffer, the most that a hard scene gets; None: the mean times
    the setting ``peak_ratio``."""
    codec: str = "h264"
    target: float | None = None
    """Quality that was promised when the rung was chosen, in the metric it was chosen by."""
    gain: float | None = None
    """Quality that a constant rate factor lower by one would have brought in the trials."""


def check_rungs(rungs: Sequence[PlannedRung], *, where: str) -> tuple[PlannedRung, ...]:
    """``rungs`` as a ladder: not too many, and rising in rate within each codec.

    Raises:
        ConfigError: they are not; the message begins with ``where``.
    """
    if len(rungs) > LONGEST or not rungs:
        raise ConfigError(f"{where}: {len(rungs)} rungs; expected at most {LONGEST}")
    for codec in {rung.codec for rung in rungs}:
        same = [rung for rung in rungs if rung.codec == codec]
        for low, high in itertools.pairwise(same):
            if low.bitrate_bps >= high.bitrate_bps:
                raise ConfigError(
                    f"{where}: {low.bitrate_bps / 1000:g} kbit/s is followed by "
                    f"{high.bitrate_bps / 1000:g} kbit/s; bit rates must rise, lowest first"
                )
    return tuple(rungs)


def suggest(word: str, known: Collection[str]) -> str:
    """``; did you mean …?`` where one of ``known`` is much like ``word``, else nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
