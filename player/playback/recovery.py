"""What is done about a request that failed, so that playback goes on.

Another pathway, another rung, another try, or, when nothing is left, the end of what can be had:
what lies before it is still played. One budget (``player.playback.availability``) covers all that
is tried for the same media, so that every search ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from abr.errors import PlaybackError
from player.config import PlayerConfig
from player.playback.actions import Kind, Want
from player.playback.agenda import Agenda
from player.playback.availability import Availability, Search
from player.playback.recorder import Recorder
from player.playback.reloading import Reloading
from player.playback.requests import INSTANT_S, Request, RequestBook
from player.playback.retry import Elsewhere, Failure, Tries, is_of_server
from player.playback.shortage import Shortage
from player.playback.source import Source
from player.playback.states import Playback
from player.playback.whereabouts import Whereabouts

MOST_LOST = 3
"""Segments of a live stream in a row that playback goes on without."""

PLANNED = ("media", "segment")
"""What is asked for anew by planning; everything else is repeated as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the loader must do now."""

    wants: tuple[Want, ...] = ()
    """To be fetched, unless they were before."""
    stale: tuple[Request, ...] = ()
    """To be given up: of no use any more."""
    renew: bool = False
    """The token is to be exchanged."""


class Recovery:
    """Decides what a failure means for one playback."""

    def __init__(
        self,
        config: PlayerConfig,
        *,
        source: Source,
        agenda: Agenda,
        book: RequestBook,
        playback: Playback,
        recorder: Recorder,
        reloading: Reloading,
    ) -> None:
        self.doom = ""
        """Why the session ends once what can be had was played; empty: it goes on."""
        self._config = config
        self._source = source
        self._agenda = agenda
        self._shortage = Shortage(agenda)
        self._whereabouts = Whereabouts(source, agenda)
        self._book = book
        self._playback = playback
        self._recorder = recorder
        self._reloading = reloading
        self._availability = Availability(config.patience_s)

    def __repr__(self) -> str:
        return f"<Recovery {self.doom or 'without a loss'}, {self._availability!r}>"

    def handle(
        self, request: Request, failure: Failure, *, can_renew: bool, now_s: float
    ) -> Outcome:
        """A request failed; it is closed.

        Raises:
            PlaybackError: nothing is left to be done or played.
        """
        want = request.want
        if not want.track:
            return self._handle_whole(request, failure, can_renew=can_renew, now_s=now_s)
        if want.kind == "media" and self._source.follows(want.url):
            return self._handle_reload(request, failure, can_renew=can_renew, now_s=now_s)
        time_s: float | None = 0.0
        if self._agenda.has_begun:
            time_s = self._shortage.missing_from_s(want, self._book.needed(want.track))
        if time_s is None:
            self._book.forget(want)
            return Outcome()
        search = self._availability.failed(
            want,
            time_s,
            what=self._describe(request, failure),
            asked_s=request.asked_s,
            now_s=now_s,
            buffer_s=self._buffer_s(now_s),
        )
        elsewhere: Elsewhere = ""
        if want.playlist not in search.left:
            elsewhere = self._whereabouts.elsewhere(want, time_s)
        tries = Tries(
            attempt=request.attempt,
            total=search.tries[want.kind],
            patience_left_s=max(0.0, search.until_s - now_s),
            elsewhere=elsewhere,
            may_heal=True,
        )
        verdict = self._book.try_again(request, failure, tries, can_renew=can_renew, now_s=now_s)
        due_s = now_s + verdict.wait_s
        match verdict.action:
            case "move":
                search.left.add(want.playlist)
                self._leave_out(want, failure, elsewhere, now_s)
                return self._release(want, time_s, now_s)
            case "anew" if want.kind in PLANNED and self._agenda.has_begun:
                self._source.pathways.leave_out(want.playlist, now_s + self._config.rung_penalty_s)
                return self._release(want, time_s, due_s)
            case "anew":
                self._book.repeat(request, due_s)
            case "give-up" if self._may_pass_over(want, time_s):
                self._source.lose(want, time_s)
                shown = self._recorder.shorten(want.url)
                self._recorder.add_note(f"{shown}: {failure}; passed over", now_s)
                return self._release(want, time_s, now_s)
            case "give-up":
                self._book.forget(want)  # what is before it may come to need it
                return self._give_up(_tell(search, want.kind, failure), time_s, now_s)
        return Outcome(renew=verdict.action == "renew")

    def _may_pass_over(self, want: Want, time_s: float) -> bool:
        """Whether to go on without a segment that is to be had nowhere: in a live stream."""
        broadcast = self._source.broadcast
        if broadcast is None or want.kind != "segment" or not self._agenda.has_begun:
            return False
        return broadcast.lost_before(want.track, time_s) < MOST_LOST

    def found(self) -> None:
        """More can be played: searches for it are over."""
        for track in self._agenda.tracks():
            self._availability.found(track.name, track.ready_s)

    def forgive(self, now_s: float) -> None:
        """What was left out for long enough may be used again."""
        self._source.pathways.forgive(now_s, but=self._availability.playlists)

    def _handle_whole(
        self, request: Request, failure: Failure, *, can_renew: bool, now_s: float
    ) -> Outcome:
        """What belongs to no track: the multivariant playlist, or a token."""
        left_s = self._patience_left_s(request, now_s)
        tries = Tries(attempt=request.attempt, patience_left_s=left_s)
        can_renew = can_renew and request.want.kind != "token"
        verdict = self._book.try_again(request, failure, tries, can_renew=can_renew, now_s=now_s)
        if verdict.action == "anew":
            self._book.repeat(request, now_s + verdict.wait_s)
        elif verdict.action == "give-up":
            raise PlaybackError(self._describe(request, failure) + _count(request.attempt))
        return Outcome(renew=verdict.action == "renew")

    def _handle_reload(
        self, request: Request, failure: Failure, *, can_renew: bool, now_s: float
    ) -> Outcome:
        """A newer version of a live playlist: the one before holds, or another pathway's."""
        want = request.want
        has_begun = self._agenda.has_begun
        time_s = self._agenda.track(want.track).fetched_s if has_begun else 0.0
        elsewhere = self._whereabouts.elsewhere(want, time_s)
        if elsewhere == "rung" and is_of_server(failure):
            elsewhere = ""  # it lists the other rungs' segments no better
        tries = Tries(
            attempt=request.attempt,
            patience_left_s=self._patience_left_s(request, now_s),
            elsewhere=elsewhere,
        )
        verdict = self._book.try_again(request, failure, tries, can_renew=can_renew, now_s=now_s)
        if verdict.action == "anew":
            self._book.repeat(request, now_s + verdict.wait_s)
        if verdict.action in ("retry", "renew", "anew"):
            return Outcome(renew=verdict.action == "renew")
        if verdict.action == "move":
            self._leave_out(want, failure, elsewhere, now_s)
        self._book.forget(want)
        self._reloading.miss(want, str(failure), now_s)
        return Outcome()

    def _patience_left_s(self, request: Request, now_s: float) -> float:
        """With a request that nothing stands in for."""
        patience_s = 0.0 if self._playback.state == "startup" else self._config.patience_s
        return max(0.0, request.asked_s + patience_s - now_s)

    def _buffer_s(self, now_s: float) -> float | None:
        return None if self._playback.state == "startup" else self._playback.buffer_s(now_s)

    # --- elsewhere ---------------------------------------------------------------------

    def _leave_out(self, want: Want, failure: Failure, elsewhere: Elsewhere, now_s: float) -> None:
        """What failed is not used for a while; a server that does not answer not at all."""
        pathways, config = self._source.pathways, self._config
        pathways.leave_out(want.playlist, now_s + config.rung_penalty_s)
        what = "its rung is" if want.track == "video" else "this sound is"
        left_out_s = config.rung_penalty_s
        if elsewhere == "pathway" and is_of_server(failure):
            left_out_s = max(config.pathway_penalty_s, failure.after_s)
            place = self._source.place_of(want.playlist)
            assert place is not None
            pathways.leave_out_way(place, now_s + left_out_s)
            what = f"{place.way} is"
        shown = self._recorder.shorten(want.url)
        self._recorder.add_note(f"{shown}: {failure}; {what} left out for {left_out_s:g} s", now_s)

    def _release(self, want: Want, time_s: float, not_before_s: float) -> Outcome:
        """Have planning ask for the media from ``time_s`` on, wherever they can be had."""
        if want.kind != "segment":
            self._book.forget(want)
        if not self._agenda.has_begun:
            return Outcome(wants=self._source.look_elsewhere())
        track = self._agenda.track(want.track)
        if want.kind == "media" and track.request_id is not None:
            return Outcome()  # its segments are had elsewhere already
        is_behind = time_s < track.fetched_s
        stale = [
            each
            for each in self._book.active.values()
            if (each.want.kind, each.want.track) == ("segment", want.track)
            and (want.resource in each.want.needs or (is_behind and each.want.end_s > time_s))
        ]
        self._book.drop(
            lambda each: (each.kind, each.track) == ("segment", want.track) and each.end_s > time_s
        )
        self._shortage.release(want, time_s, not_before_s)
        self._playback.take_back(want.track, track.fetched_s)
        return Outcome(stale=tuple(stale))

    # --- nowhere -----------------------------------------------------------------------

    def _give_up(self, why: str, time_s: float, now_s: float) -> Outcome:
        """Nothing from ``time_s`` on can be had: play what is before it, then end.

        Raises:
            PlaybackError: nothing is.
        """
        agenda, book = self._agenda, self._book
        if not agenda.has_begun:
            raise PlaybackError(why)
        agenda.end_at(time_s)
        if agenda.is_all_playable and (
            agenda.ready_s <= self._playback.playhead_s(now_s) + INSTANT_S
        ):
            raise PlaybackError(self.doom or why)
        self.doom = self.doom or why
        book.drop(lambda want: not self._shortage.is_needed(want))
        stale = [each for each in book.active.values() if not self._shortage.is_needed(each.want)]
        return Outcome(stale=tuple(stale))

    def _describe(self, request: Request, failure: Failure) -> str:
        shown = self._recorder.shorten(request.want.url)
        says_where = str(failure).startswith(f"{shown}:")
        return str(failure) if says_where else f"{shown}: {failure}"


def _tell(search: Search, kind: Kind, failure: Failure) -> str:
    """Why a search is given up."""
    tries, is_elsewhere = search.tries[kind], len(search.playlists) > 1
    if failure.kind == "content" and tries == 1:
        return search.what
    return search.what + _count(tries) + (", elsewhere too" if is_elsewhere else "")


def _count(tries: int) -> str:
    return f" after {tries} attempt{'s' if tries > 1 else ''}"
