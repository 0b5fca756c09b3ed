"""What media lack when something could not be had, and what is still of use."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from player.playback.actions import Resource, Want
from player.playback.agenda import Agenda, Choice


class Shortage:
    """Reads and mends an agenda after failures."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    def __repr__(self) -> str:
        return f"<Shortage of {self._agenda!r}>"

    def missing_from_s(self, want: Want, needs: AbstractSet[Resource]) -> float | None:
        """From where on the media lack ``want``, which could not be had.

        Args:
            want: A media playlist, a segment, or what segments need.
            needs: What the segment needs that is being fetched for its track.

        Returns:
            None when nothing lacks it any more.
        """
        track = self._agenda.track(want.track)
        if self._agenda.is_behind(want):
            return track.start_of(want.end_s)
        if want.kind in ("media", "segment"):
            return None if track.is_fetched else track.fetched_s
        lacking_s = track.first_without(want.resource)
        if lacking_s is None and want.resource in needs:
            return track.fetched_s
        return lacking_s

    def release(self, want: Want, time_s: float, not_before_s: float) -> None:
        """Media from ``time_s`` on are asked for anew, since ``want`` cannot be had."""
        track = self._agenda.track(want.track)
        track.request_id = None
        track.not_before_s = not_before_s
        if time_s < track.fetched_s:
            track.take_back(time_s)
            self._agenda.chosen_rung = want.rung
        segment = self._agenda.next_segment
        if want.track == "video" and segment is not None:
            self._agenda.choice = Choice(segment, self._agenda.chosen_rung, not_before_s)

    def is_needed(self, want: Want) -> bool:
        """Whether something that is asked for is still of use."""
        if not want.track or not self._agenda.has_begun:
            return True
        track = self._agenda.track(want.track)
        if self._agenda.is_behind(want):
            return track.start_of(want.end_s) < self._agenda.end_s
        if want.kind in ("media", "segment"):
            return not track.is_fetched
        lacking_s = track.first_without(want.resource)
        is_lacking = lacking_s is not None and lacking_s < self._agenda.end_s
        return is_lacking or not track.is_fetched
