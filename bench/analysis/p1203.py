"""Results as input of ITU-T P.1203, which scores a session from what was played.

Recommendation ITU-T P.1203 models the quality of adaptive streaming. Its open
implementation reads one JSON file per session: segments of audio (``I11``) and video
(``I13``) with bit rate, codec and picture, stalls by media time (``I23``) and the screen
(``IGen``). This module writes that input; no model is part of abrkit.

Startup is the stall at media time 0, as P.1203.3 counts initial loading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.experiments.results import Row

PICTURES: tuple[tuple[float, str], ...] = (
    (0.0, "416x234"),
    (0.5e6, "640x360"),
    (1.0e6, "854x480"),
    (1.6e6, "1280x720"),
    (3.5e6, "1920x1080"),
)
"""Picture size from this bit rate on, where a presentation does not say: an assumption."""

DEVICES = {"pc": ("1920x1080", "150cm"), "mobile": ("1920x1080", "40cm")}


def picture_for(bitrate_bps: float) -> str:
    """The assumed picture of a rung."""
    return [size for least_bps, size in PICTURES if bitrate_bps >= least_bps][-1]


def p1203_input(
    row: Row,
    presentation: Mapping[str, Any],
    *,
    audio_kbps: float = 128.0,
    frame_rate: float = 24.0,
    device: str = "pc",
) -> dict[str, Any]:
    """The input of P.1203 for one session.

    Args:
        row: Of the results.
        presentation: What the header says of it: ``ladder_bps`` and ``durations_s``.
        audio_kbps: Of the sound that went with it, which experiments leave out; 0: none.
        frame_rate: Of the picture.
        device: ``pc`` or ``mobile``.
    """
    ladder_bps: Sequence[float] = presentation["ladder_bps"]
    video, start_s = [], 0.0
    for rung, duration_s in zip(row["rungs"], presentation["durations_s"], strict=False):
        video.append(
            {
                "start": round(start_s, 6),
                "duration": duration_s,
                "bitrate": ladder_bps[rung] / 1000,
                "codec": "h264",
                "fps": frame_rate,
                "resolution": picture_for(ladder_bps[rung]),
            }
        )
        start_s += duration_s
    sound = {"start": 0, "duration": round(start_s, 6), "bitrate": audio_kbps, "codec": "aaclc"}
    startup = [] if row["startup_s"] is None else [[0, round(row["startup_s"], 6)]]
    screen, distance = DEVICES[device]
    return {
        "I11": {"segments": [sound] if audio_kbps > 0 and video else [], "streamId": 0},
        "I13": {"segments": video, "streamId": 0},
        "I23": {"stalling": [*startup, *row["stalls"]], "streamId": 0},
        "IGen": {"displaySize": screen, "device": device, "viewingDistance": distance},
    }
