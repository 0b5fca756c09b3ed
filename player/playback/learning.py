"""Rates of rungs of which no playlist states any, from what was fetched of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from player.playback.actions import Want
from player.playback.given import AUDIO
from player.playback.ladder import Rung


class Learned:
    """What was fetched, by rung; the audio is a rung of its own."""

    def __init__(self) -> None:
        self._bits: dict[int, float] = {}
        self._media_s: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"<Learned {', '.join(f'{n}: {self.rate_bps(n):.0f}' for n in self._bits)}>"

    def rate_bps(self, rung: int) -> float:
        """The mean; 0 before anything was fetched."""
        media_s = self._media_s.get(rung, 0.0)
        return self._bits[rung] / media_s if media_s > 0 else 0.0

    def put_right(
        self, rungs: Sequence[Rung], want: Want, size_bytes: float, media_s: float
    ) -> list[Rung] | None:
        """The ladder, now that a segment was fetched; None when that tells nothing new."""
        if not any(rung.is_rate_guessed for rung in rungs):
            return None
        number = want.rung
        self._bits[number] = self._bits.get(number, 0.0) + 8.0 * size_bytes
        self._media_s[number] = self._media_s.get(number, 0.0) + media_s
        if want.track != "video" or not rungs[number].is_rate_guessed:
            return None
        has_audio = rungs[number].places[0].audio_url is not None
        rate_bps = self.rate_bps(number) + (self.rate_bps(AUDIO) if has_audio else 0.0)
        below_bps = rungs[number - 1].bitrate_bps if number else 0.0
        above_bps = rungs[number + 1].bitrate_bps if number + 1 < len(rungs) else rate_bps
        # A ladder stays in order.
        rate_bps = max(below_bps, min(rate_bps, max(above_bps, below_bps)))
        known = list(rungs)
        known[number] = replace(known[number], bitrate_bps=rate_bps)
        return known
