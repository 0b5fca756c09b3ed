"""AAC by ffmpeg's own encoder: options."""

from __future__ import annotations

from typing import Any


def aac_options(*, bitrate_bps: int, sample_rate: int) -> dict[str, Any]:
    """Options of ffmpeg for one rendition."""
    return {"c:a": "aac", "b:a": bitrate_bps, "ar": sample_rate}
