"""Where the next media can be had: at which rung, and where else when something failed.

Nothing is asked for here, and nothing is given up.
"""

from __future__ import annotations

from player.playback.actions import Resource, TrackName, Want
from player.playback.agenda import Agenda
from player.playback.retry import Elsewhere
from player.playback.source import Source
from player.playback.timeline import LOOKUP_TOLERANCE_S, SegmentRef, Timeline


class Whereabouts:
    """What the playlists of one playback tell of its next media."""

    def __init__(self, source: Source, agenda: Agenda) -> None:
        self._source = source
        self._agenda = agenda

    def __repr__(self) -> str:
        return f"<Whereabouts of {self._agenda!r}>"

    def may_grow(self, track: TrackName, rung: int) -> bool:
        """Whether more of a track may be listed than is, and would be of use."""
        broadcast, url = self._source.broadcast, self._source.playlist_url(track, rung)
        if broadcast is None or broadcast.has_ended(url):
            return False
        video, fetched_s = self._agenda.track("video"), self._agenda.track(track).fetched_s
        return not video.is_fetched or fetched_s + LOOKUP_TOLERANCE_S < video.fetched_s

    def rung_for_video(self, rung: int, now_s: float) -> int | None:
        """``rung``, or the nearest that has the next video, or whose playlist may tell of it."""
        nearest, is_gap = self._source.nearest_rungs(rung), False
        open_rungs = [each for each in nearest if self._source.may_tell("video", each, now_s)]
        for each in nearest:
            ref = self._agenda.find("video", each)
            is_gap |= ref is not None and ref.is_gap
            if is_gap and self._source.pathways.is_out(self._source.place(each)):
                continue  # its playlist may tell, but was not to be had
            # Any other playlist of a live stream may be out of date, which is no reason to ask.
            is_worth_asking = each == rung or not self._source.follows(
                self._source.playlist_url("video", each)
            )
            if (ref and not ref.is_gap) or (not ref and each in open_rungs and is_worth_asking):
                return each
        return open_rungs[0] if open_rungs and not is_gap else None

    def gap_in_video(self, rung: int) -> tuple[SegmentRef, int] | None:
        """What every rung lists next in name only, and the rung nearest to ``rung`` that does."""
        for each in self._source.nearest_rungs(rung):
            ref = self._agenda.find("video", each)
            if ref is not None and ref.is_gap:
                return ref, each
        return None

    def has_other_way(self, want: Want) -> bool:
        """Whether ``want`` can be had at the same rung from a server that has not failed."""
        place = self._source.place_of(want.playlist) if want.playlist else None
        if place is None:
            return False
        places = next(rung.places for rung in self._source.ladder if place in rung.places)
        return len(places) > 1 and self._source.pathways.elsewhere(place, places) is not None

    def elsewhere(self, want: Want, time_s: float) -> Elsewhere:
        """Where else the media from ``time_s`` on can be had, of what has not failed."""
        pathways, track = self._source.pathways, want.track
        found: Elsewhere = ""
        for rung in range(self._source.rungs):
            places = self._source.ladder[rung].places
            own = next((each for each in places if want.playlist in each.urls), None)
            if own is not None:
                other = pathways.elsewhere(own, places)
                if other is not None and want.playlist not in other.urls:
                    return "pathway"
                continue
            place = self._source.place(rung)
            if pathways.is_out(place) or (track == "audio" and place.audio_url is None):
                continue
            timeline = self._source.timeline(track, rung)
            if timeline is None or self._has(timeline, time_s, want.resource):
                found = "rung"
        return found

    def _has(self, timeline: Timeline, time_s: float, lost: Resource) -> bool:
        """Whether a playlist has media from ``time_s`` on that do without ``lost``."""
        index = timeline.index_at(time_s)
        if index is None:
            return False
        ref = timeline.segments[index]
        return all(need.resource != lost for need in self._agenda.needs(ref, "video", 0))
