"""How many bits an encoder may spend: constant quality under a cap.

Constant quality needs no memory of earlier pictures, so a film encoded in chunks looks as if
it had been encoded whole. A mean does: each chunk would begin to search for it anew. The
figures behind this are in ``docs/codecs.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

USUALLY_FULL = 0.9
"""How full encoders take the decoder's buffer to be at first."""
_AIM, _LEAST_BUFFER_S = 1.4, 0.4


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

    def tightened(self, *, excess: float, duration_s: float, keeps_buffer: bool) -> RateControl:
        """The control under which a segment that was over the cap is not.

        A buffer lets a segment take what is in it beyond the cap. So the buffer shrinks first,
        and the rate only by what a buffer of 0.4 s would still let through.

        Args:
            excess: Rate of the segment over the cap.
            duration_s: Of the segment.
            keeps_buffer: Whether the encoder keeps to its buffer. The rate of one that does not
                shrinks by what it was exceeded.
        """
        if not keeps_buffer:
            return replace(
                self,
                peak_bps=round(self.peak_bps / excess),
                buffer_bits=round(self.buffer_bits / excess),
            )
        spare_s = (_AIM - 1) * duration_s / USUALLY_FULL
        buffer_s = min(self.buffer_bits / self.peak_bps, max(_LEAST_BUFFER_S, spare_s))
        share = min(1.0, _AIM - USUALLY_FULL * buffer_s / duration_s)
        return RateControl(
            crf=self.crf,
            peak_bps=round(self.peak_bps * max(share, 1 / excess)),
            buffer_bits=round(self.peak_bps * buffer_s),
        )
