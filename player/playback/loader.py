"""How one playback gets what it plays: playlists, keys, initialisation sections, segments.

Requests go out here, and what arrives is handed to those it concerns. What to ask for next is
decided in ``player.playback.planning``, what a failure means in ``player.playback.recovery``.
Order of requests: multivariant playlist; media playlists of the lowest rung and of the audio;
then segments, each with what it needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from abr.decision import Algorithm
from abr.errors import PlaybackError, PlaylistError
from abr.media import Presentation
from abr.trace import Trace
from player.config import PlayerConfig
from player.playback.actions import Abort, Action, Fetch, Want
from player.playback.advisor import Advisor
from player.playback.agenda import Agenda
from player.playback.counsel import Counsel
from player.playback.facts import Facts, facts_about
from player.playback.headroom import Headroom
from player.playback.offers import Wishes
from player.playback.planning import Planning
from player.playback.progress import Progress
from player.playback.recorder import Recorder
from player.playback.recovery import Recovery
from player.playback.reloading import Reloading
from player.playback.requests import INSTANT_S, Request, RequestBook
from player.playback.retry import Failure
from player.playback.source import Source
from player.playback.states import Playback
from player.playback.steerer import Steerer
from player.playback.tokenrenewal import TokenRenewal
from player.playback.tracks import tail_note
from player.playback.wants import with_directives
from player.playback.whereabouts import Whereabouts


class Loader:
    """Asks for everything that one playback needs, and takes what arrives.

    Whatever ends the session is raised as ``PlaybackError``, from any method.
    """

    def __init__(
        self,
        source: str | Presentation,
        algorithm: Algorithm,
        config: PlayerConfig,
        *,
        trace: Trace | None,
        playback: Playback,
        recorder: Recorder,
    ) -> None:
        self.book = RequestBook(config)
        self.now_s = 0.0
        """Time of the input that is being handled."""
        self.actions: list[Action] = []
        """Not yet handed to the driver."""
        self._config = config
        self._playback = playback
        self._recorder = recorder
        wishes = Wishes(
            codecs=config.codecs,
            language=config.language,
            audio_group=config.audio_group,
            max_bitrate_bps=config.max_bitrate_bps,
            max_height=config.max_height,
            live_delay_s=config.live_delay_s,
        )
        self._source = Source(source, wishes, begins_with=config.begins_with)
        self._has_url = isinstance(source, str)
        self._renewal = TokenRenewal(source if isinstance(source, str) else "")
        self._agenda = Agenda(self._source, config)
        self._headroom = Headroom(self._source, self._agenda, config)
        self._whereabouts = Whereabouts(self._source, self._agenda)
        self._unproven: dict[int, Request] = {}
        """What is here, but not yet what decrypts it."""
        self._reloading = Reloading(
            self._source, self._agenda, config, playback=playback, recorder=recorder
        )
        self._steerer = Steerer(self._source, self._agenda, recorder)
        self._recovery = Recovery(
            config,
            source=self._source,
            agenda=self._agenda,
            book=self.book,
            playback=playback,
            recorder=recorder,
            reloading=self._reloading,
        )
        self._counsel = Counsel(
            algorithm,
            trace,
            source=self._source,
            agenda=self._agenda,
            headroom=self._headroom,
            playback=playback,
            recorder=recorder,
            reloading=self._reloading,
        )
        self._progress = Progress(
            self._agenda, config, playback=playback, recorder=recorder, recovery=self._recovery
        )
        self._planning = Planning(
            config,
            source=self._source,
            agenda=self._agenda,
            headroom=self._headroom,
            counsel=self._counsel,
            whereabouts=self._whereabouts,
            reloading=self._reloading,
            progress=self._progress,
            playback=playback,
            recorder=recorder,
        )
        self._reconsider_at_s = math.inf

    def __repr__(self) -> str:
        return f"<Loader at {self.now_s:.3f} s: {self.book!r}, {self._agenda!r}>"

    @property
    def presentation(self) -> Presentation | None:
        """What is played, as far as it is known; None before its playlists are here."""
        return self._source.presentation

    @property
    def advisor(self) -> Advisor | None:
        """The algorithm at work; None before the presentation is known."""
        return self._counsel.advisor

    def start(self) -> None:
        """Ask for what tells all the rest."""
        self._fetch_all(self._source.first_wants)
        self._begin_when_known()

    def next_time_s(self) -> float:
        """When to ``work`` and ``plan`` though nothing arrives; inf: never."""
        next_s = min(
            self._reconsider_at_s,
            self.book.next_time_s(),
            self._headroom.next_time_s(self._playback, self.now_s),
            self._reloading.next_time_s(self.now_s),
        )
        # Steering alone keeps no session alive.
        return min(next_s, self._steerer.next_s) if next_s < math.inf else math.inf

    @property
    def edge_s(self) -> float:
        """Where the segments of a live stream end; nan of what has an end."""
        broadcast = self._source.broadcast
        is_live = broadcast is not None and not broadcast.grid.is_ended
        return self._source.edge_s if is_live else math.nan

    @property
    def is_all_here(self) -> bool:
        """Whether nothing is left to fetch."""
        return self._agenda.is_all_playable

    def facts_about(self, want: Want, *, playhead_s: float) -> Facts:
        """Where a request for ``want`` belongs."""
        return facts_about(
            want, self._source, self._agenda, playhead_s=playhead_s, now_s=self.now_s
        )

    @property
    def standing(self) -> str:
        """Why nothing is under way and nothing will be asked for, for people."""
        if self._reloading.have_all_ended:
            return f"{self._agenda.standing}, and all have ended"
        return f"nothing is left to wait for: {self._agenda.standing}"

    # --- requests --------------------------------------------------------------

    def _fetch(self, request: Request) -> None:
        want = request.want
        request.has_alternative = self._whereabouts.has_other_way(want)
        self._recorder.add_fetch(request)
        url = with_directives(self._renewal.update_url(want.url), want.directives)
        self.actions.append(Fetch(request.request_id, want, url, request.attempt))
        if want.kind == "segment" and not self._agenda.is_behind(want):
            self._agenda.track(want.track).request_id = request.request_id
            if want.track == "video" and want.rung > 0 and self._counsel.can_reconsider:
                self._reconsider_at_s = self.now_s + self._config.reconsider_every_s

    def _fetch_once(self, want: Want) -> None:
        request = self.book.open_once(want, self.now_s)
        if request is not None:
            self._fetch(request)

    def _fetch_all(self, wants: Iterable[Want]) -> None:
        for want in wants:
            self._fetch_once(want)

    def abort(self, request: Request, reason: str) -> None:
        """Give up a request under way."""
        self.book.close(request.request_id)
        self._recorder.add_abort(request, self.now_s, reason)
        self.actions.append(Abort(request.request_id, reason))

    def handle_failure(self, request: Request, failure: Failure) -> None:
        """Try a failed request again, or what may stand in for it."""
        want = request.want
        if want.kind == "segment" and want.track == "video":
            self._reconsider_at_s = math.inf  # there is no download to reconsider
        if want.kind == "steering":
            self._steerer.fail(want, failure, self.now_s)
            return
        can_renew = self._renewal.want is not None
        outcome = self._recovery.handle(request, failure, can_renew=can_renew, now_s=self.now_s)
        for stale in outcome.stale:
            self.abort(stale, "abandoned")
            self.book.forget(stale.want)
        if outcome.renew and self._renewal.want is not None:
            self._fetch_once(self._renewal.want)
        self._fetch_all(outcome.wants)
        self._begin_when_known()
        self._progress.update(self.now_s)

    @property
    def doom(self) -> str:
        """Why the session ends once what can be had was played; empty: it goes on."""
        return self._recovery.doom

    # --- what arrives ------------------------------------------------------------

    def take(self, request: Request, body: bytes) -> None:
        """The response to ``request`` is complete."""
        want = request.want
        if want.kind in ("multivariant", "media"):
            self._take_playlist(request, body)
        elif want.kind == "token":
            self.book.forget(want)
            self._renewal.take(body)
            self.book.release_waiting(self.now_s)
        elif want.kind == "segment":
            self._take_segment(request)
        elif want.kind == "steering":
            if self._steerer.take(request, body, self.now_s):
                self._fetch_all(self._source.look_elsewhere())
                self._begin_when_known()
        else:
            self._agenda.add(want)
            self._progress.update(self.now_s)
        if want.kind in ("init", "segment"):
            self._unproven[request.request_id] = request
        self._unproven = {
            number: each for number, each in self._unproven.items() if self._agenda.lacks(each.want)
        }

    def take_back(self, request_id: int, failure: Failure) -> None:
        """What a request brought turned out to be of no use when its key came: ask again."""
        request = self._unproven.pop(request_id, None)
        if request is None:
            raise PlaybackError(failure.message)
        if request.want.kind == "segment" and not self._agenda.is_behind(request.want):
            return  # asked for anew since
        self._agenda.take_back(request.want)
        self.handle_failure(request, failure)

    def _take_playlist(self, request: Request, body: bytes) -> None:
        want = request.want
        text = body.decode("utf-8", errors="replace")
        if self._has_url:  # of a given presentation nothing is read
            self._recorder.add_playlist(text)
        shown = self._recorder.shorten(want.url)
        try:
            wants = self._source.take(
                want,
                text,
                url=request.final_url or want.url,
                shown=shown,
                asked_s=request.start_s,
                now_s=self.now_s,
            )
        except (PlaylistError, PlaybackError) as exc:
            told = str(exc) if isinstance(exc, PlaylistError) else f"{shown}: {exc}"
            if want.kind == "multivariant":
                raise PlaybackError(told) from exc
            if not self._source.follows(want.url):
                self.handle_failure(request, Failure("content", message=told))
                return
            self._reloading.miss(want, str(exc), self.now_s)
            wants = ()
        self._recorder.take_notes(self._source.notes, self.now_s)
        self._fetch_all(wants)
        self._begin_when_known()
        if self._source.follows(want.url):
            self.book.forget(want)
            self._reloading.grow(self.now_s)
            self._progress.update(self.now_s)

    def _begin_when_known(self) -> None:
        """The presentation is known for the first time: the algorithm and tracks begin."""
        presentation = self.presentation
        if presentation is None or self.advisor is not None:
            return
        self._counsel.begin(presentation)
        self._playback.set_durations(presentation.durations_s.tolist())
        self._agenda.begin(presentation)
        self._headroom.begin(presentation)
        if self._source.has_encrypted_samples:
            self._playback.need_at_least(self._config.protected_buffer_s)
        if self._has_url and (note := tail_note(self._agenda.tracks())):
            self._recorder.add_note(note, self.now_s)

    def _take_segment(self, request: Request) -> None:
        want, is_again = request.want, self._agenda.is_behind(request.want)
        before_s = self._buffer_s
        media_s = want.end_s - self._agenda.track(want.track).fetched_s
        if not is_again and self._source.learn(want, request.received_bytes, media_s):
            self._recorder.set_ladder(self.presentation)
        if want.track == "video" and not is_again:
            self._reconsider_at_s = math.inf
            self._recorder.set_rung(self._agenda.segments_until(want.end_s), want.rung)
        if not is_again:
            self._headroom.weigh(want, request.received_bytes, media_s)
        self._agenda.add(want)
        self._progress.update(self.now_s)
        self._recorder.add_buffer(
            want.track, now_s=self.now_s, before_s=before_s, buffer_s=self._buffer_s
        )
        if want.track == "video" and not is_again:
            self._counsel.learn_from(request, self.now_s)

    # --- what to ask for next ------------------------------------------------------

    def plan(self) -> None:
        """Ask for what is due."""
        self._recovery.forgive(self.now_s)
        for request in self.book.open_due(self.now_s):
            self._fetch(request)
        if self._steerer.next_s <= self.now_s + INSTANT_S:
            want = self._steerer.ask(self._counsel.throughput_bps)
            self._fetch(self.book.open(want, self.now_s))
        self._fetch_all(self._reloading.due(self.now_s))
        for want in self._planning.due(self.now_s):
            if want.kind == "segment":
                self._fetch(self.book.open(want, self.now_s))
            else:
                self._fetch_once(want)

    # --- what time brings ----------------------------------------------------------

    def work(self) -> None:
        """Give up what is overdue, and ask about the download under way when it is time to."""
        for request, what in self.book.find_overdue(self.now_s):
            self.abort(request, "timeout")
            self.handle_failure(request, Failure("timeout", message=what))
        if self.now_s + INSTANT_S >= self._reconsider_at_s:
            self._reconsider()
        self._reloading.check(self.now_s)

    def _reconsider(self) -> None:
        self._reconsider_at_s = math.inf
        video = self._agenda.track("video")
        request = self.book.active.get(-1 if video.request_id is None else video.request_id)
        if request is None:
            return
        decision = self._counsel.reconsider(request, self.now_s)
        rung = None
        if decision is not None:
            rung = self._whereabouts.rung_for_video(decision.rung, self.now_s)
        # What stands in for the rung asked for may be no lower than the one under way.
        if decision is None or rung is None or rung >= request.want.rung:
            self._reconsider_at_s = self.now_s + self._config.reconsider_every_s
            return
        self.abort(request, "abandoned")
        video.request_id = None
        self._counsel.note(request.want.segment, decision, self.now_s)

    @property
    def _buffer_s(self) -> float:
        return self._playback.buffer_s(self.now_s)
