"""Opus by libopus: options, and how its delay is hidden.

The encoder puts 312 samples in front of the sound. Silence that fills them up to a whole
packet goes before it, and that packet is dropped: what remains begins with the sound, so
``PreSkip`` is 0 and nothing depends on a player that honours it.

Source: RFC 7845, 4.2 (pre-skip); Encapsulation of Opus in ISO Base Media File Format, 4.3.2.
"""

from __future__ import annotations

from typing import Any

PACKET_SAMPLES = 960
"""Of 20 ms at 48 kHz."""
DELAY_SAMPLES = 312
"""What libopus puts in front, at 48 kHz."""
LEAD_SAMPLES = PACKET_SAMPLES - DELAY_SAMPLES
"""Silence that makes the delay one packet."""


def opus_options(*, bitrate_bps: int, sample_rate: int) -> dict[str, Any]:
    """Options of ffmpeg for one rendition."""
    return {
        "c:a": "libopus",
        "b:a": bitrate_bps,
        "ar": sample_rate,
        "frame_duration": 20,
        "application": "audio",
    }
