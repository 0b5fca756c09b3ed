"""The graph of the sound: constant sample rate from time 0, as long as the pictures."""

from __future__ import annotations

from typing import Any

from transcode.graphs.clock import place_sound
from transcode.plan import SAMPLE_RATE, AudioPlan


def sound(audio: AudioPlan, source: Any) -> Any:
    """Decoded and filled with silence, up to a second more than the pictures."""
    layout = {1: "mono", 2: "stereo"}[audio.channels]
    return (
        place_sound(source[str(audio.index)], audio.clock)
        .filter("aresample", SAMPLE_RATE, **{"async": 1000, "first_pts": 0})
        .filter("aformat", sample_fmts="fltp", channel_layouts=layout)
        # The surplus is cut off at the end of the video.
        .filter("apad", whole_dur=f"{audio.duration_s + 1:.3f}")
    )
