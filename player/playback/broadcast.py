"""A live stream: playlists that grow, on one media timeline.

Time 0 of the media is where playback joins. The segments that the presentation is told in (the
grid) are added to as playlists of the picture bring them; what is behind stays as it was, so that
indices hold. Where the stream cannot be followed without a hole (its window has moved on, its
server began anew), playback joins again: what comes next follows directly on what was fetched
before, as if nothing had been between, and a note says what was left out.

This module knows nothing of requests or buffers, and never reads a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from player.playback.actions import TrackName, Want
from player.playback.following import SKIP_DIRECTIVE, News, hold_back_s, join
from player.playback.listing import Listing
from player.playback.losses import Losses
from player.playback.placing import MOST_APART_S, SURE, By, Placed, place
from player.playback.requests import INSTANT_S
from player.playback.timeline import (
    LOOKUP_TOLERANCE_S,
    SAME_BOUNDARY_S,
    SegmentRef,
    Timeline,
    timeline_of,
)
from transcode.playlist import MediaPlaylist


class Broadcast:
    """All playlists of one live stream."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s
        """As wished, in place of the hold-back; 0: as playlists say."""
        self.grid = Timeline([], is_ended=False)
        """The segments that the presentation is told in, from where playback joined."""
        self.joined_s = 0.0
        """Where playback joined last: nothing that is listed belongs before."""
        self.notes: list[str] = []
        """What people should know; whoever logs them takes them away."""
        self._listings: dict[str, Listing] = {}
        self._leader: Listing | None = None
        """The playlist of the picture that was read last: others lie beside it."""
        self._news = News("first")
        """What the leader brought."""
        self._counts = 0
        """How often a server was seen to count anew, once for all its playlists."""
        self._has_noted_parts = False
        self._losses = Losses()

    def __repr__(self) -> str:
        return f"<Broadcast of {len(self._listings)} playlists to {self.grid.end_s:.3f} s>"

    # --- what can be asked ---------------------------------------------------------

    def follows(self, url: str) -> bool:
        """Whether the playlist at ``url`` belongs to it."""
        return url in self._listings

    def has_ended(self, url: str) -> bool:
        """Whether nothing more will come in the playlist at ``url``."""
        listing = self._listings.get(url)
        return listing is not None and listing.follower.has_ended

    def due_s(self, url: str) -> float:
        """When to ask for the playlist at ``url`` again; inf: never, or it is being asked for."""
        listing = self._listings.get(url)
        return math.inf if listing is None else listing.follower.due_s

    def changed_s(self, url: str) -> float:
        """When the playlist at ``url`` last brought news; inf when it cannot any more."""
        listing = self._listings.get(url)
        if listing is None or listing.follower.has_ended:
            return math.inf
        return listing.follower.changed_s

    @property
    def hold_back_s(self) -> float:
        """Distance from the end at which to play."""
        playlist = None if self._leader is None else self._leader.playlist
        return 0.0 if playlist is None else hold_back_s(playlist, self._delay_s)

    @property
    def target_s(self) -> float:
        """About how often there is a new segment."""
        return 1.0 if self._leader is None else self._leader.follower.target_s

    def is_due(self, url: str, now_s: float) -> bool:
        """Whether to ask for the playlist at ``url`` again now."""
        return self.due_s(url) <= now_s + INSTANT_S

    def may_tell(self, url: str, now_s: float) -> bool:
        """Whether a newer version of the playlist at ``url`` may come soon."""
        return self.is_due(url, now_s) or now_s < self.hopes_until_s(url)

    def hopes_until_s(self, url: str) -> float:
        """How long to wait for the version that is being asked for; -inf: none is."""
        listing = self._listings.get(url)
        return -math.inf if listing is None else listing.follower.hopes_until_s

    def timelines(self) -> dict[str, Timeline]:
        """What is listed, by the URL of playlists, where its place is known."""
        return {
            url: self._losses.marked(listing.timeline, listing.track or "video", url)
            for url, listing in self._listings.items()
            if listing.timeline is not None
        }

    def lost_before(self, track: TrackName, time_s: float) -> float:
        """How many segments in a row, up to ``time_s``, could not be had; inf: that one neither."""
        return self._losses.before(track, time_s)

    # --- what happens --------------------------------------------------------------

    def ask(self, url: str, now_s: float) -> str:
        """The playlist is being asked for; returns what to ask for beside."""
        listing = self._listings.get(url)
        is_delta = listing is not None and listing.follower.ask(now_s)
        return SKIP_DIRECTIVE if is_delta else ""

    def lose(self, want: Want, start_s: float) -> None:
        """A segment could be had nowhere from ``start_s`` on: it counts as a gap."""
        self._losses.add(want, start_s)

    def fail(self, url: str, now_s: float) -> None:
        """The playlist could not be had this time."""
        if (listing := self._listings.get(url)) is not None:
            listing.follower.fail(now_s)

    def take(
        self, want: Want, playlist: MediaPlaylist, *, url: str, asked_s: float, now_s: float
    ) -> News:
        """A version of the playlist ``want`` has arrived, in the end from ``url``.

        Raises:
            PlaybackError: it cannot be used.
        """
        if playlist.duration_s > 0:
            timeline_of(playlist, url=url)  # what cannot be used is refused before it counts
        listing = self._listings.setdefault(want.url, Listing(want.track, url))
        listing.url, known = url, listing.playlist
        age_s = now_s - listing.follower.changed_s
        news = listing.follower.take(playlist, asked_s=asked_s, now_s=now_s)
        if news.kind == "moved" and listing.unseen_s > age_s + MOST_APART_S:
            news = News("restarted")  # nobody can have made so many meanwhile
        if news.kind == "first":
            listing.first_number, listing.count = -playlist.media_sequence, self._counts
        elif news.kind == "restarted" and known is not None:
            self._count_anew(listing, known)
        self._note_parts(playlist)
        if (
            news.kind not in ("older", "unfit")
            and listing.playlist is not None
            and listing.playlist.segments
        ):
            self._update_place(listing, news)
        if not self.grid.segments and self._is_behind(0.0):
            self._join(0.0, ahead_s=0.0)
        return news

    def join_again(self, at_s: float, *, ahead_s: float, sound_from_s: float = -math.inf) -> bool:
        """Whether media from ``at_s`` on are not to be had: what is now is joined instead.

        Args:
            at_s: End of the pictures that were fetched.
            ahead_s: How much of that is still to be played.
            sound_from_s: No sound is listed before.
        """
        if not self._is_behind(at_s) and not self._has_sound_later(at_s, ahead_s, sound_from_s):
            return False
        self._join(at_s, ahead_s=ahead_s)
        return True

    # --- inside --------------------------------------------------------------------

    def _is_behind(self, time_s: float) -> bool:
        """Whether media from ``time_s`` on are not to be had: the window has moved on."""
        leader = self._leader
        if leader is None or not leader.playlist or not leader.playlist.duration_s > 0:
            return False
        if leader.timeline is None:
            self._leave_behind(time_s)
            return leader.has_more_than(self._passed(leader))
        return leader.timeline.segments[0].start_s > time_s + LOOKUP_TOLERANCE_S

    def _leave_behind(self, time_s: float) -> None:
        for listing in self._listings.values():
            listing.leave_behind(time_s)

    def _passed(self, listing: Listing) -> float:
        """The highest number of what was left behind, in ``listing`` or beside it.

        A playlist that stands still has lower numbers. One that grows, though, counts otherwise.
        """
        if listing.follower.is_growing:
            return listing.passed
        alike = (each for each in self._listings.values() if each.count == listing.count)
        return max(each.passed for each in alike if each.track != "audio")

    def _has_sound_later(self, at_s: float, ahead_s: float, sound_from_s: float) -> bool:
        """Whether sound leaves its window as pictures come, so that only joining again helps."""
        leader = self._leader
        is_left = sound_from_s + LOOKUP_TOLERANCE_S >= at_s
        if not is_left or leader is None or leader.playlist is None or leader.timeline is None:
            return False
        joined = join(leader.playlist, ahead_s=ahead_s, delay_s=self._delay_s)
        sequence = leader.playlist.segments[joined.at].sequence
        return leader.starts_s[sequence] > sound_from_s + LOOKUP_TOLERANCE_S

    def _join(self, at_s: float, *, ahead_s: float) -> None:
        leader = self._leader
        assert leader is not None
        playlist = leader.playlist
        assert playlist is not None
        self._leave_behind(at_s)
        joined = join(playlist, ahead_s=ahead_s, delay_s=self._delay_s, passed=self._passed(leader))
        before_s = sum(segment.duration_s for segment in playlist.segments[: joined.at])
        if at_s > 0:
            self.notes.append(
                f"{_why(self._news)}; playback joins again "
                f"{playlist.duration_s - before_s - joined.offset_s:.1f} s from the end"
            )
        kept = [ref for ref in self.grid.segments if ref.start_s < at_s - LOOKUP_TOLERANCE_S]
        if kept:  # what was fetched may be of a playlist with other boundaries
            last = kept[-1]
            kept[-1] = replace(last, end_s=at_s, duration_s=at_s - last.start_s)
        self.joined_s = at_s
        self._move_all(leader, at_s - before_s - joined.offset_s)
        self.grid = Timeline(kept, is_ended=False)
        self._extend_grid(leader, at_s)
        for listing in self._listings.values():
            if listing.timeline is None:
                self._put_beside(listing)
        self._end_grid()

    def _move_all(self, leader: Listing, start_s: float) -> None:
        """``leader`` begins at ``start_s``, and what lies beside it goes with it."""
        timeline = leader.timeline
        for listing in self._listings.values():
            if timeline is None:
                listing.lose_place()
            elif listing is not leader:
                listing.move(start_s - timeline.segments[0].start_s)
        leader.put(start_s)

    def _count_anew(self, listing: Listing, known: MediaPlaylist) -> None:
        """The server of a playlist counts anew, and so will the others of its playlists."""
        if listing.count == self._counts:
            self._counts += 1
        listing.count = self._counts
        if listing.count_anew(known):
            self.notes.append(
                f"{listing.track or 'video'}: the server began to count anew; files that were "
                "listed before tell where it goes on"
            )

    def _update_place(self, listing: Listing, news: News) -> None:
        if listing.starts_s and news.kind != "moved":
            listing.put(listing.goes_on_s)
        else:
            self._put_beside(listing)
        if listing.track == "audio":
            return
        is_known = listing.timeline is not None or self._leader is None
        if not is_known and not listing.has_more_than(self._passed(listing)):
            return  # what it lists was played
        self._leader, self._news = listing, news
        if listing.timeline is not None:
            self._extend_grid(listing, self.grid.end_s)
        for other in self._listings.values():
            if other.timeline is None:
                self._put_beside(other)
        self._end_grid()

    def _placed(self) -> list[Listing]:
        """Of the pictures' playlists those whose place is known: the leader, then the newest."""
        placed = (
            listing
            for listing in self._listings.values()
            if listing.track != "audio" and listing.timeline is not None
        )
        return sorted(placed, key=lambda each: (each is not self._leader, -each.follower.arrived_s))

    def _put_beside(self, listing: Listing) -> None:
        """Find the place of a playlist beside the leader's or another's, if both tell."""
        others = [each for each in self._placed() if each is not listing]
        placed = self._place_beside(listing, others, SURE)
        if placed is None and listing.starts_s:  # its own numbers tell
            listing.put(listing.goes_on_s)
            return
        placed = placed or self._place_beside(listing, others, ("distance",))
        if placed is None and others and others[0] is self._leader:
            apart_s = abs(listing.follower.arrived_s - others[0].follower.arrived_s)
            have_ended = listing.follower.has_ended and others[0].follower.has_ended
            if have_ended or apart_s < others[0].follower.target_s:
                placed = self._place_beside(listing, others[:1], ("end",))
        if placed is None:
            return
        listing.put(placed.start_s)
        if placed.by == "end":
            self.notes.append(
                f"{listing.track or 'video'}: neither dates, discontinuities nor numbers say "
                "where it lies beside the picture; taken to end with it"
            )

    def _place_beside(
        self, listing: Listing, others: Sequence[Listing], rules: Sequence[By]
    ) -> Placed | None:
        """Where ``listing`` lies beside the first of the others that tells."""
        playlist = listing.playlist
        for other in others:
            beside = other.playlist
            if not playlist or not playlist.segments or not beside or not beside.segments:
                continue
            starts_s = list(other.starts_s.values())
            is_same = listing.count == other.count
            placed = place(playlist, beside, starts_s, rules=rules, count_together=is_same)
            if placed is not None and not listing.cannot_be_at(placed.start_s, self.joined_s):
                return placed
        return None

    def _extend_grid(self, listing: Listing, from_s: float) -> None:
        """Tell the presentation in what ``listing`` has beyond ``from_s``."""
        timeline = listing.timeline
        assert timeline is not None
        added: list[SegmentRef] = []
        for ref in timeline.segments:
            if ref.end_s > from_s + LOOKUP_TOLERANCE_S:
                added.append(_from(ref, from_s))
                from_s = added[-1].end_s
        is_ended = self.grid.is_ended or timeline.is_ended
        self.grid = Timeline((*self.grid.segments, *added), is_ended=is_ended)
        listing.snap(self.grid)

    def _end_grid(self) -> None:
        """Nothing is added to what a playlist tells the end of."""
        ends_s = [
            listing.timeline.end_s
            for listing in self._listings.values()
            if listing.track != "audio" and listing.timeline and listing.timeline.is_ended
        ]
        is_over = any(end_s + LOOKUP_TOLERANCE_S >= self.grid.end_s for end_s in ends_s)
        if is_over and self.grid.segments and not self.grid.is_ended:
            self.grid = Timeline(self.grid.segments)

    def _note_parts(self, playlist: MediaPlaylist) -> None:
        if playlist.has_parts and not self._has_noted_parts:
            self._has_noted_parts = True
            self.notes.append(
                "parts of segments (low-latency HLS) are not played: whole segments are followed"
            )


def _from(ref: SegmentRef, start_s: float) -> SegmentRef:
    """What is played of a segment from ``start_s`` on, which may be within it."""
    is_whole = abs(ref.start_s - start_s) <= SAME_BOUNDARY_S
    duration_s = ref.duration_s if is_whole else ref.end_s - start_s
    # Boundaries are sums of durations, to the last bit, as all that plays adds them up.
    return replace(ref, start_s=start_s, end_s=start_s + duration_s, duration_s=duration_s)


def _why(news: News) -> str:
    if news.kind == "moved":
        return f"{news.missed} segments of the stream came and went unseen"
    if news.kind == "restarted":
        return "the server began to count anew"
    return "the segment that is due is not listed any more"
