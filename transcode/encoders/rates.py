"""How many bits an encoder may spend: constant quality under a cap, or a mean.

Constant quality needs no memory of earlier pictures, so a film encoded in chunks looks as if
it had been encoded whole. A mean does: each chunk begins to search for it anew. The figures
behind this are in ``docs/codecs.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RateControl:
    """Of one rung."""

    peak_bps: int
    """Fill rate of the decoder's buffer."""
    buffer_bits: int
    """Size of the decoder's buffer."""
    crf: float | None = None
    """Constant quality on the encoder's own scale; None aims at ``mean_bps``."""
    mean_bps: int = 0
    """Only without ``crf``."""

    def options(self) -> dict[str, Any]:
        """Options of ffmpeg, the same for all encoders."""
        aim = {"b:v": self.mean_bps} if self.crf is None else {"crf": f"{self.crf:g}"}
        return {**aim, "maxrate:v": self.peak_bps, "bufsize:v": self.buffer_bits}
