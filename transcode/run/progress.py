"""How far a transcode has come, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_ENCODE_SHARE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeProgress:
    """Progress of a transcode."""

    phase: str
    """``encode`` or ``verify``."""
    fraction: float
    """Of the whole, 0 to 1."""
    speed: float
    """Media seconds per second of real time, in this phase."""
    eta_s: float
    """Seconds left at the pace so far; ``inf`` before anything is done."""


class Pace:
    """Turns ticks into progress."""

    def __init__(
        self, duration_s: float, on_progress: Callable[[TranscodeProgress], None] | None
    ) -> None:
        self._total_s = max(duration_s, 1e-3)
        self._on_progress = on_progress
        self._began_s = self._phase_began_s = time.monotonic()
        self._phase = "encode"

    def __repr__(self) -> str:
        return f"<Pace {self._phase} of {self._total_s:.2f} s>"

    def begin(self, phase: str) -> None:
        """A new phase begins."""
        self._phase, self._phase_began_s = phase, time.monotonic()

    def tell(self, media_s: float, *, of: int = 1) -> None:
        """Report that this phase has done ``media_s`` out of ``of`` times the duration."""
        if self._on_progress is None:
            return
        done = min(1.0, media_s / (self._total_s * of))
        share = _ENCODE_SHARE
        fraction = done * share if self._phase == "encode" else share + done * (1 - share)
        now_s = time.monotonic()
        spent_s = now_s - self._began_s
        self._on_progress(
            TranscodeProgress(
                phase=self._phase,
                fraction=fraction,
                speed=media_s / max(1e-3, now_s - self._phase_began_s),
                eta_s=spent_s * (1 - fraction) / fraction if fraction > 0 else float("inf"),
            )
        )
