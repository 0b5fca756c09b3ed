"""The player: one playback as a state machine without I/O.

Rules of residence: what to fetch, when, in which order, what a failure means and what
is logged is decided here. This module opens no socket, reads no clock and draws no
chance but from its seeded generator. A driver turns each ``Fetch`` into bytes, reports
bytes and times, honours ``Abort`` and ``WakeAt``, and passes seconds counted from the
moment play was asked; nothing more.

Every input first moves playback to its time (``player.playback`` computes what
happened on the way), then takes effect, then the session plans what to ask for next.
An algorithm is asked about abandoning a download at ``WakeAt`` times only, so results
do not depend on how the network cuts bytes.

Order of requests: multivariant playlist; media playlists of the lowest rung and of the
audio; then, for each segment, what the chosen rung still lacks (its media playlist,
then initialisation section and key) and the segment itself, these last together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from abr.decision import Algorithm, Decision
from abr.errors import PlaybackError, PlaylistError
from abr.log import SessionLog
from abr.media import Presentation
from abr.trace import Trace
from origin.paths import renew_url, token_of, with_token
from player.actions import Abort, Action, Ended, Fetch, TrackName, WakeAt, Want
from player.advisor import Advisor, Moment
from player.agenda import Agenda, Choice
from player.config import PlayerConfig
from player.playback import Playback, SegmentStart, StateChange
from player.playhead import thresholds_of
from player.recorder import Recorder
from player.requests import INSTANT_S, Request, RequestBook, Retry
from player.retry import Failure, verdict
from player.title import KNOWN_SOURCE, Title
from player.tracks import Resource


class PlaybackSession:
    """One playback of ``source`` with ``algorithm``.

    Args:
        source: URL of a multivariant (or media) playlist, or a ``Presentation`` whose
            segments are then asked for as ``presentation:v{rung}/{segment}``.
        algorithm: A ``Rule``, or a callable that makes an object with ``choose``.
        config: Buffering, starting and retrying.
        trace: The true network, for an algorithm that foresees it; simulations only.
        provenance: What else to record on the log's first line (driver, trace, ...).

    Raises:
        AlgorithmError: from any input, when the algorithm breaks its contract.
        ValueError: from any input, when time goes back.
    """

    def __init__(
        self,
        source: str | Presentation,
        algorithm: Algorithm,
        config: PlayerConfig | None = None,
        *,
        trace: Trace | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = config or PlayerConfig()
        self._url = source if isinstance(source, str) else KNOWN_SOURCE
        self._new_token: str | None = None
        self._title = Title(source)
        self._algorithm = algorithm
        self._trace = trace
        self._advisor: Advisor | None = None
        self._rng = np.random.default_rng(self.config.seed)
        self._playback = Playback(thresholds_of(self.config))
        self._book = RequestBook(self.config)
        self._asked: set[Resource] = set()
        self._have: set[Resource] = set()
        self._agenda = Agenda(self._title, self.config)
        self._rung_of: dict[int, int] = {}
        self._reconsider_at_s = math.inf
        self._wake_at_s = math.inf
        self._now_s = 0.0
        self._is_over = False
        self._actions: list[Action] = []
        self._recorder = Recorder(source, self._url, self.config, provenance or {})

    # --- what a driver, a log reader or a progress line may ask ---------------

    @property
    def log(self) -> SessionLog:
        """What happened so far."""
        return self._recorder.log

    @property
    def state(self) -> str:
        """startup, playing, stalled, paused or ended."""
        return "ended" if self._is_over else self._playback.state

    @property
    def presentation(self) -> Presentation | None:
        """The title as far as it is known; None before its playlists are here."""
        return self._title.presentation

    @property
    def buffer_s(self) -> float:
        """Media seconds ahead of the playhead at the last input."""
        return self._playback.buffer_s(self._now_s)

    @property
    def playhead_s(self) -> float:
        """Media time on screen at the last input."""
        return self._playback.playhead_s(self._now_s)

    @property
    def last_rung(self) -> int:
        """Rung of the newest video segment; -1 before the first."""
        return -1 if self._advisor is None else self._advisor.last_rung

    @property
    def throughput_bps(self) -> float:
        """Of the newest video segment, first-byte wait included; nan before the first."""
        return math.nan if self._advisor is None else self._advisor.throughput_bps

    def __repr__(self) -> str:
        waiting = ", ".join(r.want.kind for r in self._book.active.values()) or "nothing"
        return (
            f"<PlaybackSession {self.state} at {self._now_s:.3f} s, buffer {self.buffer_s:.3f} s, "
            f"rung {self.last_rung}, waiting for {waiting}>"
        )

    # --- inputs ----------------------------------------------------------------

    def start(self, now_s: float = 0.0) -> tuple[Action, ...]:
        """Play is asked for."""
        self._enter(now_s)
        self.log.add("start", now_s)
        for want in self._title.first_wants:
            self._fetch_once(want)
        self._begin_when_known()
        self._plan()
        return self._leave()

    def response_started(
        self, request_id: int, now_s: float, *, url: str | None = None
    ) -> tuple[Action, ...]:
        """The first bytes of a response are here; ``url`` when redirects changed it."""
        if self._enter(now_s) and (request := self._book.active.get(request_id)):
            request.first_byte_s = now_s
            self.log.add("response", now_s, id=request_id)
            if url is not None and request.want.kind in ("multivariant", "media"):
                request.final_url = url
                self.log.records[-1]["uri"] = self._recorder.shown(url)
        return self._leave()

    def received(self, request_id: int, size_bytes: float, now_s: float) -> tuple[Action, ...]:
        """``size_bytes`` more of a body are here; changes nothing but the count."""
        if self._enter(now_s) and (request := self._book.active.get(request_id)):
            request.received_bytes += size_bytes
        return self._leave()

    def finished(
        self, request_id: int, now_s: float, body: bytes | None = None
    ) -> tuple[Action, ...]:
        """A response is complete; ``body`` is needed for playlists and tokens only."""
        if self._enter(now_s) and (request := self._book.active.pop(request_id, None)):
            self.log.add("finished", now_s, id=request_id, size_bytes=request.received_bytes)
            self._take(request, body or b"")
            self._plan()
        return self._leave()

    def failed(self, request_id: int, now_s: float, failure: Failure) -> tuple[Action, ...]:
        """A request failed; also when what it brought turned out to be unusable."""
        if self._enter(now_s):
            self.log.add("failed", now_s, id=request_id, **asdict(failure))
            request = self._book.active.pop(request_id, None)
            if request is not None:
                self._after_failure(request, failure)
            elif failure.kind == "content":
                self._end(f"error: {failure.message}")
            self._plan()
        return self._leave()

    def wake(self, now_s: float) -> tuple[Action, ...]:
        """The time of the last ``WakeAt`` has come."""
        if self._enter(now_s):
            got = {str(r.request_id): r.received_bytes for r in self._book.active.values()}
            self.log.add("wake", now_s, received_bytes=got)
            self._wake_at_s = math.inf
            for request, what in self._book.overdue(now_s):
                self._abort(request, "timeout")
                self._after_failure(request, Failure("timeout", message=what))
            self._reconsider()
            self._plan()
        return self._leave()

    def pause(self, now_s: float) -> tuple[Action, ...]:
        """The viewer pauses; fetching goes on until the buffer is full."""
        return self._viewer("pause", self._playback.pause, now_s)

    def resume(self, now_s: float) -> tuple[Action, ...]:
        """The viewer resumes."""
        return self._viewer("resume", self._playback.resume, now_s)

    def stop(self, now_s: float) -> tuple[Action, ...]:
        """The viewer leaves."""
        if self._enter(now_s):
            self.log.add("stop", now_s)
            self._end("stopped")
        return self._leave()

    # --- time, log and end -----------------------------------------------------

    def _enter(self, now_s: float) -> bool:
        """Move playback to ``now_s``; False when the session is over."""
        if self._is_over:
            return False
        self._record(self._playback.advance(now_s))
        self._now_s = now_s
        if self._playback.state == "ended":
            self._end("complete")
        return not self._is_over

    def _leave(self) -> tuple[Action, ...]:
        if not self._is_over:
            wake_at_s = self._next_wake_s()
            if wake_at_s != self._wake_at_s:
                self._wake_at_s = wake_at_s
                self._actions.append(WakeAt(wake_at_s))
        actions, self._actions = tuple(self._actions), []
        return actions

    def _next_wake_s(self) -> float:
        times = [self._reconsider_at_s, self._book.next_time_s()]
        if self._playback.state != "playing" or self._agenda.is_all_playable:
            times.append(self._playback.next_change_s())
        if self._agenda.is_free_for_video:
            choice = self._agenda.choice
            if choice is None:
                times.append(
                    self._now_s + self._agenda.wait_for_room_s(self._playback, self._now_s)
                )
            elif choice.not_before_s > self._now_s:
                times.append(choice.not_before_s)
        return max(min(times), self._now_s)

    def _viewer(
        self,
        verb: Literal["pause", "resume"],
        act: Callable[[float], list[StateChange | SegmentStart]],
        now_s: float,
    ) -> tuple[Action, ...]:
        if self._enter(now_s):
            self.log.add(verb, now_s)
            self._record(act(now_s))
            self._plan()
        return self._leave()

    def _record(self, changes: list[StateChange | SegmentStart]) -> None:
        self._recorder.playback(changes, self.presentation, self._rung_of)

    def _end(self, reason: str) -> None:
        if self._is_over:
            return
        self._record(self._playback.stop(self._now_s))
        for request in list(self._book.active.values()):
            self._abort(request, "session ended")
        self._is_over = True
        # The end of media is a computed instant and may lie before this input.
        end_s = self.log.records[-1]["t"] if reason == "complete" else self._now_s
        self.log.add("ended", end_s, why=reason, playhead_s=self.playhead_s)
        self._actions.append(Ended(reason))

    # --- requests --------------------------------------------------------------

    def _fetch(self, want: Want, attempt: int = 1, asked_s: float | None = None) -> None:
        request = self._book.open(want, attempt, self._now_s, asked_s)
        self._recorder.fetch(request)
        self._actions.append(Fetch(request.request_id, want, self._current(want.url), attempt))
        if want.kind == "segment":
            self._agenda.track(want.track).request_id = request.request_id
            if want.track == "video" and want.rung > 0 and self._can_reconsider():
                self._reconsider_at_s = self._now_s + self.config.reconsider_every_s

    def _fetch_once(self, want: Want) -> None:
        resource = (want.url, want.byte_range)
        if resource not in self._asked:
            self._asked.add(resource)
            self._fetch(want)

    def _abort(self, request: Request, reason: str) -> None:
        del self._book.active[request.request_id]
        self._recorder.abort(request, self._now_s, reason)
        self._actions.append(Abort(request.request_id, reason))

    def _after_failure(self, request: Request, failure: Failure) -> None:
        if self._is_over:
            return
        want, attempt = request.want, request.attempt
        patience_s = 0.0 if self._playback.state == "startup" else self.config.patience_s
        answer = verdict(
            failure,
            attempt=attempt,
            patience_left_s=request.asked_s + patience_s - self._now_s,
            config=self.config,
            rng=self._rng,
        )
        if answer.action == "renew" and want.kind != "token" and token_of(self._url):
            self._book.retries.append(Retry(want, attempt + 1, math.inf, request.asked_s))
            self._fetch_once(Want(kind="token", url=renew_url(self._url)))
        elif answer.action == "retry":
            due_s = self._now_s + answer.wait_s
            self._book.retries.append(Retry(want, attempt + 1, due_s, request.asked_s))
        elif want.track == "video" and want.kind == "segment" and _has_substitute(want, failure):
            self._agenda.track("video").request_id = None
            self._agenda.choice = Choice(want.segment, 0, self._now_s)
        else:
            tries = f"{attempt} attempt{'s' if attempt > 1 else ''}"
            self._end(
                f"error: {self._recorder.shown(want.url)}: {_described(failure)} after {tries}"
            )

    def _current(self, url: str) -> str:
        """``url`` with the newest token, where it held ours."""
        if self._new_token is None or token_of(url) != token_of(self._url):
            return url
        return with_token(url, self._new_token)

    # --- what arrives ------------------------------------------------------------

    def _take(self, request: Request, body: bytes) -> None:
        want = request.want
        if want.kind in ("multivariant", "media"):
            self._take_playlist(request, body)
        elif want.kind == "token":
            self._take_token(want, body)
        elif want.kind == "segment":
            self._take_segment(request)
        else:
            self._have.add((want.url, want.byte_range))
            self._update_playable()

    def _take_playlist(self, request: Request, body: bytes) -> None:
        want = request.want
        text = body.decode("utf-8", errors="replace")
        if text:  # of a given presentation nothing need be read
            self.log.records[-1]["text"] = text
        shown = self._recorder.shown(want.url)
        try:
            wants = self._title.take(want, text, url=request.final_url or want.url, shown=shown)
        except PlaylistError as exc:
            self._end(f"error: {exc}")
            return
        except PlaybackError as exc:
            self._end(f"error: {shown}: {exc}")
            return
        for each in wants:
            self._fetch_once(each)
        self._begin_when_known()

    def _take_token(self, want: Want, body: bytes) -> None:
        self._asked.discard((want.url, None))
        try:
            self._new_token = str(json.loads(body)["token"])
        except (ValueError, KeyError, TypeError):
            self._end("error: renew: the answer holds no token")
            return
        self._book.release_parked(self._now_s)

    def _begin_when_known(self) -> None:
        """The presentation is known for the first time: the algorithm and tracks begin."""
        presentation = self.presentation
        if presentation is None or self._advisor is not None:
            return
        self._advisor = Advisor(self._algorithm, presentation, self._trace)
        self._recorder.title_known(presentation, self._advisor.running)
        self._playback.set_durations(presentation.durations_s.tolist())
        self._agenda.begin(presentation)

    def _take_segment(self, request: Request) -> None:
        want = request.want
        track = self._agenda.track(want.track)
        before_s = self.buffer_s
        if want.track == "video":
            self._reconsider_at_s = math.inf
            self._rung_of[want.segment] = want.rung
        track.add(self._title.segment(want.track, want.segment, want.rung))
        self._update_playable()
        self.log.add(
            "buffer", self._now_s, track=want.track, before_s=before_s, buffer_s=self.buffer_s
        )
        if want.track == "video":
            self._asked_advisor().learn_from(request, self._moment())

    def _update_playable(self) -> None:
        if not self._agenda.has_begun:
            return
        for track in self._agenda.tracks():
            track.update(self._have)
        changes = self._playback.media_ready(
            self._agenda.ready_s, complete=self._agenda.is_all_playable, now_s=self._now_s
        )
        self._record(changes)

    # --- what to ask for next ------------------------------------------------------

    def _plan(self) -> None:
        if self._is_over:
            return
        for retry in self._book.take_due(self._now_s):
            self._fetch(retry.want, retry.attempt, retry.asked_s)
        if self._agenda.has_begun:
            self._plan_audio()
            self._plan_video()
            self._plan_audio()

    def _plan_audio(self) -> None:
        segment = self._agenda.audio_due()
        if segment is not None:
            self._ask_for_segment("audio", segment, -1)

    def _plan_video(self) -> None:
        agenda = self._agenda
        if not agenda.is_free_for_video:
            return
        choice = agenda.choice
        if choice is None:
            if agenda.is_full(self._playback, self._now_s):
                return
            choice = self._chosen(agenda.track("video").next)
        if choice.not_before_s > self._now_s + INSTANT_S:
            return
        playlist = self._title.playlist_for(choice.rung)
        if playlist is not None:
            self._fetch_once(playlist)
            return
        agenda.choice = None
        self._ask_for_segment("video", choice.segment, choice.rung)

    def _ask_for_segment(self, track: TrackName, segment: int, rung: int) -> None:
        for need in self._agenda.needs(track, segment, rung):
            self._fetch_once(need)
        self._fetch(self._agenda.want(track, segment, rung))

    # --- the algorithm ---------------------------------------------------------------

    def _asked_advisor(self) -> Advisor:
        assert self._advisor is not None
        return self._advisor

    def _moment(self) -> Moment:
        assert self.presentation is not None
        return Moment(
            now_s=self._now_s,
            buffer_s=self.buffer_s,
            max_buffer_s=self.config.max_buffer_s,
            is_playing=self._playback.state == "playing",
            presentation=self.presentation,
        )

    def _can_reconsider(self) -> bool:
        return self._advisor is not None and self._advisor.running.can_reconsider

    def _chosen(self, segment: int) -> Choice:
        """Ask the algorithm for the rung of ``segment``."""
        advisor, waited_s = self._asked_advisor(), self._agenda.waited_s(self._now_s)
        if waited_s > 0:
            advisor.waited(segment, self._moment(), waited_s)
        return self._decided(segment, advisor.choose(segment, self._moment()))

    def _decided(self, segment: int, decision: Decision) -> Choice:
        """Note the algorithm's answer: the rung of ``segment``, and when to ask for it."""
        self._recorder.decision(segment, decision, now_s=self._now_s, buffer_s=self.buffer_s)
        choice = Choice(segment, decision.rung, self._now_s + decision.wait_s)
        self._agenda.choice = choice
        return choice

    def _reconsider(self) -> None:
        """Ask whether to abandon the video download under way, when it is time to."""
        if self._now_s + INSTANT_S < self._reconsider_at_s or self._is_over:
            return
        self._reconsider_at_s = math.inf
        video = self._agenda.track("video")
        request = self._book.active.get(-1 if video.request_id is None else video.request_id)
        if request is None:
            return
        decision = self._asked_advisor().reconsider(request, self._moment())
        if decision is None:
            self._reconsider_at_s = self._now_s + self.config.reconsider_every_s
            return
        self._abort(request, "abandoned")
        video.request_id = None
        self._decided(request.want.segment, decision)


def _has_substitute(want: Want, failure: Failure) -> bool:
    """Whether the lowest rung may stand in for a segment that cannot be had."""
    return want.rung > 0 and failure.kind != "content" and failure.status != 403


def _described(failure: Failure) -> str:
    if failure.kind == "status":
        return f"status {failure.status}" + (f" ({failure.reason})" if failure.reason else "")
    return failure.message or failure.kind
