"""The algorithm of one playback at its work: when it is asked, and what its answers come to.

``player.playback.advisor`` speaks with the algorithm; here it is told where playback stands, and
what it answers is noted for the agenda and the log.
"""

from __future__ import annotations

import math

from abr.decision import Algorithm, Decision
from abr.media import Presentation
from abr.trace import Trace
from player.playback.advisor import Advisor, Moment
from player.playback.agenda import Agenda, Choice
from player.playback.headroom import Headroom
from player.playback.outlook import Outlook
from player.playback.recorder import Recorder
from player.playback.reloading import Reloading
from player.playback.requests import Request
from player.playback.source import Source
from player.playback.states import Playback


class Counsel:
    """Asks the algorithm about segments, and notes what it answers."""

    def __init__(
        self,
        algorithm: Algorithm,
        trace: Trace | None,
        *,
        source: Source,
        agenda: Agenda,
        headroom: Headroom,
        playback: Playback,
        recorder: Recorder,
        reloading: Reloading,
    ) -> None:
        self.advisor: Advisor | None = None
        """The algorithm at work; None before the presentation is known."""
        self._algorithm = algorithm
        self._trace = trace
        self._outlook = Outlook(source)
        self._agenda = agenda
        self._headroom = headroom
        self._playback = playback
        self._recorder = recorder
        self._reloading = reloading

    def __repr__(self) -> str:
        return f"<Counsel of {self.advisor!r}>"

    def begin(self, presentation: Presentation) -> None:
        """What is played is known."""
        told = self._outlook.first_for(self._algorithm) or presentation
        self.advisor = Advisor(self._algorithm, told, self._trace)
        self._recorder.set_presentation(presentation, self.advisor.running)

    @property
    def throughput_bps(self) -> float:
        """Of the newest video segment; nan before the first."""
        return math.nan if self.advisor is None else self.advisor.throughput_bps

    @property
    def can_reconsider(self) -> bool:
        """Whether downloads under way may be given up."""
        return self.advisor is not None and self.advisor.running.can_reconsider

    def choose(self, segment: int, now_s: float) -> Choice:
        """Ask for the rung of ``segment``."""
        waited_s = self._headroom.take_waited_s(now_s)
        if waited_s > 0:
            self._begun.waited(segment, self._moment(now_s), waited_s)
        return self.note(segment, self._begun.choose(segment, self._moment(now_s)), now_s)

    def reconsider(self, request: Request, now_s: float) -> Decision | None:
        """Ask whether the download under way is given up for a lower rung; None: it goes on."""
        return self._begun.reconsider(request, self._moment(now_s))

    def learn_from(self, request: Request, now_s: float) -> None:
        """A video segment is complete."""
        self._begun.learn_from(request, self._moment(now_s))

    def note(self, segment: int, decision: Decision, now_s: float) -> Choice:
        """Note an answer: the rung of ``segment``, and when to ask for it."""
        buffer_s = self._playback.buffer_s(now_s)
        self._recorder.add_decision(segment, decision, now_s=now_s, buffer_s=buffer_s)
        choice = Choice(segment, decision.rung, now_s + decision.wait_s)
        self._agenda.choice, self._agenda.chosen_rung = choice, decision.rung
        return choice

    @property
    def _begun(self) -> Advisor:
        assert self.advisor is not None
        return self.advisor

    def _moment(self, now_s: float) -> Moment:
        outlook = self._outlook.presentation
        assert outlook is not None
        return Moment(
            now_s=now_s,
            buffer_s=self._playback.buffer_s(now_s),
            max_buffer_s=self._reloading.max_buffer_s(now_s),
            is_playing=self._playback.state == "playing",
            presentation=outlook,
        )
