"""What a session writes into its log, and in which words.

The shape of every output record and the redaction of URLs are decided here; when
something is recorded is the session's business. ``docs/formats.md`` lists the fields.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from abr import __version__
from abr.decision import Decision, RunningAlgorithm
from abr.log import SessionLog, reason_name
from abr.media import Presentation
from abr.redaction import Redactor, secrets_in_source
from abr.settings import config_hash
from origin.paths import token_of
from player.config import PlayerConfig
from player.playback.actions import TrackName, Want
from player.playback.requests import Request
from player.playback.states import SegmentStart, StateChange
from transcode.playlist.redaction import redact_playlist


class Recorder:
    """Writes one session's log.

    Args:
        source: What is played, as given to the session.
        url: The same as a URL; no secret of it, or of any that follows, is written.
        config: The player's settings.
        given: What else the first line should say.
    """

    def __init__(
        self,
        source: str | Presentation,
        url: str,
        config: PlayerConfig,
        given: Mapping[str, Any],
    ) -> None:
        self._names = Redactor(token_of(url), secrets_in_source(url))
        self._folder = folder_of(url)
        self._has_url = isinstance(source, str)
        self._presentation: Presentation | None = None
        self._reasons: tuple[str, ...] = ()
        self._rungs: dict[int, int] = {}
        # A replay has playlists from their records; a presentation must be kept whole.
        known = {"presentation": _as_lists(source)} if isinstance(source, Presentation) else {}
        self.log = SessionLog(
            {
                "version": __version__,
                "source": self._names.url(url),
                **known,
                **given,
                "config": asdict(config),
                "config_hash": config_hash(config),
            }
        )

    def __repr__(self) -> str:
        return f"<Recorder {self.log.provenance['source']}, {len(self.log.records)} records>"

    def shorten(self, url: str) -> str:
        """A URL as a log may show it: relative to the playlist's, and without secrets."""
        rest = url.removeprefix(self._folder)
        # RFC 3986, 4.2: else it would be read as a scheme, a path of its own, or this very file.
        first = rest.partition("?")[0].partition("#")[0].partition("/")[0]
        is_odd = first == "" or ":" in first
        return self._names.url(f"./{rest}" if rest != url and is_odd else rest)

    def words(self, text: str) -> str:
        """A message as a log may hold it: without the secrets of the URLs it names."""
        return self._names.words(text)

    def set_presentation(self, presentation: Presentation, running: RunningAlgorithm) -> None:
        """What is played, and what decides."""
        self._presentation, title = presentation, presentation.title
        self._reasons = running.reasons
        self.log.provenance.update(
            algorithm=running.name,
            params=running.params,
            whys=list(running.reasons),
            rungs=presentation.rungs,
            ladder_bps=presentation.bitrates_bps.tolist(),
            title=self._names.segment(title) if self._has_url else title,
            segments=presentation.segments,
            duration_s=presentation.duration_s,
            presentation_digest=presentation.digest(),
        )
        if presentation.quality_metric is not None:
            self.log.provenance["quality_metric"] = presentation.quality_metric

    def grow(self, presentation: Presentation) -> None:
        """What is played has become longer."""
        self._presentation = presentation
        self.log.provenance.update(
            segments=presentation.segments,
            duration_s=presentation.duration_s,
            presentation_digest=presentation.digest(),
        )

    def add_live(
        self,
        *,
        now_s: float,
        edge_s: float,
        playhead_s: float,
        hold_back_s: float,
        target_duration_s: float,
    ) -> None:
        """A playlist has brought more of a live stream, which now ends at ``edge_s``."""
        self.log.add(
            "live",
            now_s,
            edge_s=edge_s,
            latency_s=edge_s - playhead_s,
            hold_back_s=hold_back_s,
            target_duration_s=target_duration_s,
        )

    def add_fetch(self, request: Request) -> None:
        """A request is sent."""
        want = request.want
        record: dict[str, Any] = {"kind": want.kind, "uri": self.shorten(want.url), **_locate(want)}
        if request.attempt > 1:
            record["attempt"] = request.attempt
        self.log.add("fetch", request.start_s, id=request.request_id, **record)

    def add_redirect(self, url: str) -> None:
        """The response just recorded came from ``url``."""
        self.log.records[-1]["uri"] = self.shorten(url)

    def add_playlist(self, text: str) -> None:
        """What just finished is a playlist."""
        self.log.records[-1]["text"] = redact_playlist(text, self._names)

    def add_wake(
        self, under_way: Iterable[Request], now_s: float, *, idle: Collection[int] = ()
    ) -> None:
        """The time of a ``WakeAt`` has come; what had arrived by then decides what follows."""
        got = []
        for each in under_way:
            row = {"id": each.request_id, "received_bytes": each.received_bytes}
            if each.request_id in idle:
                row["newest_byte_s"] = each.newest_byte_s
            got.append(row)
        self.log.add("wake", now_s, received=got)

    def add_abort(self, request: Request, now_s: float, why: str) -> None:
        """A request is given up."""
        received = request.received_bytes
        self.log.add("abort", now_s, id=request.request_id, why=why, received_bytes=received)

    def add_decision(
        self, segment: int, decision: Decision, *, now_s: float, buffer_s: float
    ) -> None:
        """The algorithm has answered."""
        self.log.add(
            "decision",
            now_s,
            segment=segment,
            rung=decision.rung,
            wait_s=decision.wait_s,
            why=reason_name(self._reasons, decision.reason),
            buffer_s=buffer_s,
        )

    def set_ladder(self, presentation: Presentation | None) -> None:
        """Rates of the ladder have become known better."""
        assert presentation is not None
        self._presentation = presentation
        self.log.provenance["ladder_bps"] = presentation.bitrates_bps.tolist()

    def set_rung(self, segments: Sequence[int], rung: int) -> None:
        """``segments`` will be shown at ``rung``; writes nothing yet."""
        for segment in segments:
            self._rungs[segment] = rung

    def _rung_of(self, segment: int) -> int:
        rung = self._rungs.get(segment)
        if rung is None:
            # A live presentation may have grown within media that were here by then.
            rung = self._rungs[max(known for known in self._rungs if known < segment)]
        return rung

    def add_note(self, text: str, now_s: float) -> None:
        """Something that people should know: what was left out, or put right."""
        self.log.add("note", now_s, text=self.words(text))

    def take_notes(self, notes: list[str], now_s: float) -> None:
        """Note all of ``notes``, and take them away."""
        for note in notes:
            self.add_note(note, now_s)
        notes.clear()

    def add_buffer(
        self, track: TrackName, *, now_s: float, before_s: float, buffer_s: float
    ) -> None:
        """A segment of ``track`` was added to the buffer."""
        self.log.add("buffer", now_s, track=track, before_s=before_s, buffer_s=buffer_s)

    def add_changes(self, changes: Sequence[StateChange | SegmentStart]) -> None:
        """Playback changed state, or a segment's first frame was shown."""
        for change in changes:
            if isinstance(change, StateChange):
                states = {"from": change.before, "to": change.after}
                self.log.add("state", change.time_s, **states, why=change.cause)
                continue
            presentation, rung = self._presentation, self._rung_of(change.segment)
            assert presentation is not None
            seen = {}
            if presentation.quality is not None:
                seen["quality"] = float(presentation.quality[rung, change.segment])
            self.log.add(
                "play",
                change.time_s,
                segment=change.segment,
                rung=rung,
                duration_s=float(presentation.durations_s[change.segment]),
                bitrate_bps=float(presentation.bitrates_bps[rung]),
                **seen,
            )


def folder_of(url: str) -> str:
    """What a URL that is relative to ``url`` begins with."""
    return url.partition("#")[0].partition("?")[0].rpartition("/")[0] + "/"


def _locate(want: Want) -> dict[str, Any]:
    """Where in the presentation a request belongs; what does not apply is left out."""
    place: dict[str, Any] = {}
    if want.byte_range is not None:
        place["byte_range"] = list(want.byte_range)
    if want.track:
        place["track"] = want.track
    if want.segment >= 0:
        place["segment"] = want.segment
    if want.rung >= 0:
        place["rung"] = want.rung
    return place


def _as_lists(presentation: Presentation) -> dict[str, Any]:
    known = {
        "bitrates_bps": presentation.bitrates_bps.tolist(),
        "sizes_bytes": presentation.sizes_bytes.tolist(),
        "durations_s": presentation.durations_s.tolist(),
        "title": presentation.title,
        "listed_first": presentation.listed_first,
    }
    if presentation.quality is not None:
        known["quality"] = presentation.quality.tolist()
        known["quality_metric"] = presentation.quality_metric
    if presentation.audio_sizes_bytes is not None:
        known["audio_sizes_bytes"] = presentation.audio_sizes_bytes.tolist()
    if presentation.audio_durations_s is not None:
        known["audio_durations_s"] = presentation.audio_durations_s.tolist()
    if presentation.peak_bitrates_bps is not None:
        known["peak_bitrates_bps"] = presentation.peak_bitrates_bps.tolist()
    if presentation.heights is not None:
        known["heights"] = presentation.heights.tolist()
    if presentation.side_files is not None:
        side = asdict(presentation.side_files)
        known["side_files"] = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in side.items()
        }
    return known
