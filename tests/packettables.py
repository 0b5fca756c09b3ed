"""Packets of made-up masters, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from transcode.masters.packets import DISCARD, KEY, Packets

Times = Sequence[float] | npt.NDArray[Any]


def packets(
    times_s: Times,
    *,
    decoded_s: Times | None = None,
    lasts_s: float = 0.04,
    key_every: int = 1,
    places: Sequence[int] | None = None,
    hidden: int = 0,
) -> Packets:
    """Packets shown at ``times_s``.

    Args:
        times_s: One for each packet; nan for none.
        decoded_s: When each is decoded; when it is shown if None.
        lasts_s: What the container says of each; nan for nothing.
        key_every: Distance of key frames.
        places: Of packets in the file; spaced by their time when None.
        hidden: So many at the start are decoded and not shown.
    """
    times = np.asarray(times_s, dtype=np.float64)
    flags = np.zeros(len(times), dtype=np.uint8)
    flags[::key_every] |= KEY
    flags[:hidden] |= DISCARD
    own = np.arange(len(times)) if places is None else np.asarray(places)
    return Packets(
        pts_s=times,
        dts_s=times if decoded_s is None else np.asarray(decoded_s, dtype=np.float64),
        duration_s=np.full(len(times), lasts_s),
        flags=flags,
        places=own.astype(np.int64),
        size_bytes=1000 * len(times),
    )


def interleave(
    *tracks: Times,
) -> list[list[int]]:
    """Places of the packets of several tracks that are written side by side, by their times."""
    everyone = sorted(
        (time, track, number) for track, times in enumerate(tracks)
        for number, time in enumerate(times)
    )  # fmt: skip
    places = [[0] * len(times) for times in tracks]
    for place, (_, track, number) in enumerate(everyone):
        places[track][number] = place
    return places
