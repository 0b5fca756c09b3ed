"""Asking the steering server of one playback, and doing as it says.

``player.playback.steering`` knows manifests and times; here they are applied to what is played.
Nothing that a steering server does ends a playback.
"""

from __future__ import annotations

import math

from abr.errors import PlaylistError
from player.playback.actions import Want
from player.playback.agenda import Agenda
from player.playback.recorder import Recorder
from player.playback.requests import Request
from player.playback.retry import Failure
from player.playback.source import Source


class Steerer:
    """Who is asked which pathways to take; there may be nobody."""

    def __init__(self, source: Source, agenda: Agenda, recorder: Recorder) -> None:
        self._source = source
        self._agenda = agenda
        self._recorder = recorder

    def __repr__(self) -> str:
        return f"<Steerer with {self._source.steering or 'nobody to ask'}>"

    @property
    def next_s(self) -> float:
        """When to ask; inf: no need to."""
        steering = self._source.steering
        if steering is None or self._agenda.is_all_asked:
            return math.inf
        return steering.next_s

    def ask(self, throughput_bps: float) -> Want:
        """What to fetch now; nan: the throughput is not known."""
        steering = self._source.steering
        assert steering is not None
        return Want(kind="steering", url=steering.ask(self._source.pathway, throughput_bps))

    def take(self, request: Request, body: bytes, now_s: float) -> bool:
        """The answer is here; whether another pathway is used from now on."""
        source, text = self._source, body.decode("utf-8", errors="replace")
        assert source.steering is not None
        self._recorder.add_playlist(text)
        url, before = request.final_url or request.want.url, source.pathway
        try:
            source.steer(source.steering.take(text, url=url, now_s=now_s))
        except PlaylistError as exc:
            shown = self._recorder.shorten(request.want.url)
            self._recorder.add_note(f"{shown}: {exc}; passed over", now_s)
        if source.pathway == before:
            return False
        self._recorder.add_note(f"pathway {source.pathway} from now on", now_s)
        return True

    def fail(self, want: Want, failure: Failure, now_s: float) -> None:
        """There was no answer to ``want``: what is known stays in force."""
        if self._source.steering is not None:
            self._source.steering.fail(failure, now_s)
            # Without the query, which differs each time: what is the same is told once.
            shown = self._recorder.shorten(want.url.partition("?")[0])
            self._recorder.add_note(f"{shown}: {failure}; pathways stay as they are", now_s)
