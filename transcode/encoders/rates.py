"""How many bits an encoder may spend: constant quality under a cap.

Constant quality needs no memory of earlier pictures, so a film encoded in chunks looks as if
it had been encoded whole. A mean does: each chunk would begin to search for it anew. The
figures behind this are in ``docs/codecs.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RateControl:
    """Of one rung."""

    crf: float
    """Constant quality on the encoder's own scale."""
    peak_bps: int
    """Fill rate of the decoder's buffer."""
    buffer_bits: int
    """Size of the decoder's buffer."""

    def options(self) -> dict[str, Any]:
        """Options of ffmpeg, the same for all encoders."""
        return {
            "crf": f"{self.crf:g}",
            "maxrate:v": self.peak_bps,
            "bufsize:v": self.buffer_bits,
        }
