"""The player: one playback as a state machine without I/O.

This module opens no socket, reads no clock and draws no chance but from its seeded
generator. A driver turns each ``Fetch`` into bytes, reports bytes and times, honours
``Abort`` and ``WakeAt``, and passes seconds counted from the moment play was asked;
nothing more.

Every input first moves playback to its time (``player.playback.states`` computes what
happened on the way), then takes effect, then ``player.playback.loader`` plans what to ask for
next. An algorithm is asked about abandoning a download at ``WakeAt`` times only, so
results do not depend on how the network cuts bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Literal

from abr.decision import Algorithm
from abr.errors import PlaybackError
from abr.log import SessionLog
from abr.media import Presentation
from abr.trace import Trace
from player.arguments import check
from player.config import PlayerConfig
from player.playback.actions import Action, Ended, WakeAt, Want
from player.playback.facts import Facts
from player.playback.given import KNOWN_SOURCE
from player.playback.loader import Loader
from player.playback.playhead import thresholds_of
from player.playback.recorder import Recorder
from player.playback.retry import Failure
from player.playback.states import Playback, SegmentStart, StateChange


class PlaybackSession:
    """One playback of ``source`` with ``algorithm``.

    Args:
        source: URL of a multivariant (or media) playlist, or a ``Presentation`` whose
            segments are then asked for as ``presentation:v{rung}/{segment}``.
        algorithm: A ``Rule``, or a callable that makes an object with ``choose``.
        config: Buffering, starting and retrying.
        trace: The true network, for an algorithm that must know it; simulations only.
        provenance: What else to record on the log's first line (driver, trace, ...).

    Raises:
        ArgumentError: an argument of the wrong type.
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
        check(
            "PlaybackSession", presented=source, config=config, trace=trace, provenance=provenance
        )
        self.config = config or PlayerConfig()
        if isinstance(source, Presentation):
            source = source.up_to(self.config.max_bitrate_bps, self.config.max_height)
        url = source if isinstance(source, str) else KNOWN_SOURCE
        self._recorder = Recorder(source, url, self.config, provenance or {})
        self._playback = Playback(thresholds_of(self.config), grace_s=self.config.picture_grace_s)
        self._loader = Loader(
            source,
            algorithm,
            self.config,
            trace=trace,
            playback=self._playback,
            recorder=self._recorder,
        )
        self._wake_at_s = math.inf
        self._now_s = 0.0
        self._is_over = False

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
        """What is played, as far as it is known; None before its playlists are here."""
        return self._loader.presentation

    @property
    def buffer_s(self) -> float:
        """Media seconds ahead of the playhead at the last input."""
        return self._playback.buffer_s(self._now_s)

    @property
    def playhead_s(self) -> float:
        """Media time on screen at the last input."""
        return self._playback.playhead_s(self._now_s)

    @property
    def latency_s(self) -> float:
        """Of a live stream: from the playhead to the end of what is listed; nan: it has an end."""
        return self._loader.edge_s - self.playhead_s

    @property
    def last_rung(self) -> int:
        """Rung of the newest video segment; -1 before the first."""
        return -1 if self._loader.advisor is None else self._loader.advisor.last_rung

    @property
    def throughput_bps(self) -> float:
        """Of the newest video segment, first-byte wait included; nan before the first."""
        return math.nan if self._loader.advisor is None else self._loader.advisor.throughput_bps

    def facts_about(self, want: Want) -> Facts:
        """Where a request for ``want`` belongs that goes out at the last input."""
        return self._loader.facts_about(want, playhead_s=self.playhead_s)

    def __repr__(self) -> str:
        waiting = ", ".join(r.want.kind for r in self._loader.book.active.values()) or "nothing"
        return (
            f"<PlaybackSession {self.state} at {self._now_s:.3f} s, buffer {self.buffer_s:.3f} s, "
            f"rung {self.last_rung}, waiting for {waiting}>"
        )

    # --- inputs ----------------------------------------------------------------

    def start(self, now_s: float = 0.0) -> tuple[Action, ...]:
        """Play is asked for."""
        if self._enter(now_s):
            self.log.add("start", now_s)
            with self._planning():
                self._loader.start()
        return self._leave()

    def sent(self, request_id: int, now_s: float) -> tuple[Action, ...]:
        """A request leaves only now; before, this program was busy (reading a playlist, say)."""
        if self._enter(now_s) and (request := self._loader.book.active.get(request_id)):
            self.log.add("sent", now_s, id=request_id)
            request.start_s = now_s
        return self._leave()

    def response_started(
        self, request_id: int, now_s: float, *, url: str | None = None
    ) -> tuple[Action, ...]:
        """The first bytes of a response are here; ``url`` when redirects changed it."""
        if self._enter(now_s) and (request := self._loader.book.active.get(request_id)):
            request.first_byte_s = request.newest_byte_s = now_s
            self.log.add("response", now_s, id=request_id)
            if url is not None and request.want.kind in ("multivariant", "media", "steering"):
                request.final_url = url
                self._recorder.add_redirect(url)
        return self._leave()

    def received(
        self, request_id: int, size_bytes: float, now_s: float, *, newest_s: float | None = None
    ) -> tuple[Action, ...]:
        """``size_bytes`` more of a body are here; changes nothing but what is known of it.

        Args:
            request_id: Whose body.
            size_bytes: How much, since it was reported last.
            now_s: The time.
            newest_s: When the newest byte came, if not now.
        """
        if self._enter(now_s) and (request := self._loader.book.active.get(request_id)):
            request.received_bytes += size_bytes
            if not math.isnan(request.first_byte_s):
                newest_s = now_s if newest_s is None else newest_s
                request.newest_byte_s = max(newest_s, request.first_byte_s)
        return self._leave(may_wake_early=True)

    def finished(
        self, request_id: int, now_s: float, body: bytes | None = None
    ) -> tuple[Action, ...]:
        """A response is complete; ``body`` is needed for what the session reads itself."""
        if self._enter(now_s) and (request := self._loader.book.close(request_id)):
            self.log.add("finished", now_s, id=request_id, size_bytes=request.received_bytes)
            with self._planning():
                self._loader.take(request, body or b"")
        return self._leave()

    def failed(self, request_id: int, now_s: float, failure: Failure) -> tuple[Action, ...]:
        """A request failed; also when what it brought turned out to be unusable."""
        if self._enter(now_s):
            failure = replace(failure, message=self._recorder.words(failure.message))
            self.log.add("failed", now_s, id=request_id, **asdict(failure))
            with self._planning():
                request = self._loader.book.close(request_id)
                if request is not None:
                    self._loader.handle_failure(request, failure)
                elif failure.kind in ("content", "unusable"):  # of media taken for good
                    self._loader.take_back(request_id, failure)
        return self._leave()

    def wake(self, now_s: float) -> tuple[Action, ...]:
        """The time of the last ``WakeAt`` has come."""
        if self._enter(now_s):
            book = self._loader.book
            idle = {each.request_id for each in book.active.values() if book.is_idle(each, now_s)}
            self._recorder.add_wake(book.active.values(), now_s, idle=idle)
            self._wake_at_s = math.inf
            with self._planning():
                self._loader.work()
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
        self._recorder.add_changes(self._playback.advance(now_s))
        self._now_s = self._loader.now_s = now_s
        self._end_with_playback()
        return not self._is_over

    @contextmanager
    def _planning(self) -> Iterator[None]:
        """Let an input take effect, then plan; what makes going on impossible ends the session."""
        try:
            yield
            self._loader.plan()
        except PlaybackError as exc:
            self._end(f"error: {self._recorder.words(str(exc))}")

    def _leave(self, *, may_wake_early: bool = False) -> tuple[Action, ...]:
        self._end_with_playback()
        if not self._is_over:
            wake_at_s = self._next_wake_s()
            # An alarm that every piece of a body puts off would cost more than one in vain.
            self._set_wake(min(wake_at_s, self._wake_at_s) if may_wake_early else wake_at_s)
        actions = tuple(self._loader.actions)
        self._loader.actions.clear()
        return actions

    def _set_wake(self, wake_at_s: float) -> None:
        is_viewers_turn = self._playback.state == "paused"
        if math.isinf(wake_at_s) and not self._loader.book.active and not is_viewers_turn:
            # No driver would ever call again: what is listed leads nowhere.
            self._end(f"error: {self._loader.doom or self._loader.standing}")
        elif wake_at_s != self._wake_at_s:
            self._wake_at_s = wake_at_s
            self._loader.actions.append(WakeAt(wake_at_s))

    def _next_wake_s(self) -> float:
        wake_at_s = self._loader.next_time_s()
        is_idle = math.isinf(wake_at_s) and not self._loader.book.active
        if self._playback.state != "playing" or self._loader.is_all_here or is_idle:
            wake_at_s = min(wake_at_s, self._playback.next_change_s())
        return max(wake_at_s, self._now_s)

    def _viewer(
        self,
        verb: Literal["pause", "resume"],
        act: Callable[[float], list[StateChange | SegmentStart]],
        now_s: float,
    ) -> tuple[Action, ...]:
        if self._enter(now_s):
            self.log.add(verb, now_s)
            with self._planning():
                self._recorder.add_changes(act(now_s))
        return self._leave()

    def _end_with_playback(self) -> None:
        """The end of media was reached: on the way to this input, or by what it brought."""
        if self._playback.state == "ended":
            doom = self._loader.doom
            self._end(f"error: {doom}" if doom else "complete")

    def _end(self, reason: str) -> None:
        if self._is_over:
            return
        is_played_out = self._playback.state == "ended"
        self._recorder.add_changes(self._playback.stop(self._now_s))
        for request in list(self._loader.book.active.values()):
            self._loader.abort(request, "session ended")
        self._is_over = True
        # The end of media is a computed instant and may lie before this input.
        end_s = self.log.records[-1]["t"] if is_played_out else self._now_s
        self.log.add("ended", end_s, why=reason, playhead_s=self.playhead_s)
        self._loader.actions.append(Ended(reason))
