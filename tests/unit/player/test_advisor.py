"""What the algorithm is shown, and what becomes of its answers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from abr.decision import Decision, Download, Observation, Progress
from abr.errors import AlgorithmError
from abr.media import constant_presentation
from player.playback.actions import Want
from player.playback.advisor import Advisor, Moment
from player.playback.requests import Request

PRESENTATION = constant_presentation([1e6, 2e6], segments=3, segment_s=4.0)
NOW = Moment(now_s=9.0, buffer_s=6.0, max_buffer_s=30.0, is_playing=True, presentation=PRESENTATION)


class Notes:
    """Answers with the decision it was made with, and notes what it was shown."""

    def __init__(self, answer: Decision) -> None:
        self.answer = answer
        self.seen: list[Observation] = []
        self.progress: list[Progress] = []
        self.downloads: list[Download] = []

    def choose(self, seen: Observation) -> Decision:
        self.seen.append(seen)
        return self.answer

    def reconsider(self, seen: Observation, progress: Progress) -> Decision:
        self.seen.append(seen)
        self.progress.append(progress)
        return self.answer

    def delivered(self, _seen: Observation, download: Download) -> None:
        self.downloads.append(download)


def advised(answer: Decision | None = None) -> tuple[Advisor, Notes]:
    notes = Notes(answer or Decision(0))
    return Advisor(lambda: notes, PRESENTATION), notes


def request(rung: int, segment: int = 0) -> Request:
    """1 MB asked for at 1 s, its first byte at 2 s."""
    want = Want(kind="segment", url="x", track="video", segment=segment, rung=rung)
    return Request(5, want, 1, start_s=1.0, first_byte_s=2.0, received_bytes=1e6)


def test_a_choice_is_made_on_what_is_known_now() -> None:
    advisor, notes = advised(Decision(1, wait_s=0.5))
    assert advisor.choose(2, NOW) == Decision(1, wait_s=0.5)
    (seen,) = notes.seen
    assert (seen.now_s, seen.segment, seen.buffer_s, seen.last_rung) == (9.0, 2, 6.0, -1)
    assert seen.playing
    assert seen.ladder_bps.tolist() == [1e6, 2e6]


def test_a_finished_download_is_learnt_from_and_looked_back_on() -> None:
    """8 Mbit in 8 s from the request to the last byte: 1 Mbit/s."""
    advisor, notes = advised()
    assert math.isnan(advisor.throughput_bps)
    advisor.learn_from(request(rung=1), NOW)
    assert notes.downloads == [
        Download(segment=0, rung=1, size_bytes=1e6, start_s=1.0, first_byte_s=2.0, end_s=9.0)
    ]
    assert (advisor.last_rung, advisor.throughput_bps) == (1, 1e6)
    advisor.choose(1, NOW)
    assert notes.seen[-1].last_rung == 1
    assert notes.seen[-1].downloads.size_bytes.tolist() == [1e6]


def test_a_download_under_way_may_be_abandoned_for_a_lower_rung_only() -> None:
    """Rung 1 of 4 s at 2 Mbit/s has 1 MB in all; the same rung again is no answer."""
    advisor, notes = advised(Decision(0))
    assert advisor.reconsider(request(rung=1), NOW) == Decision(0)
    (progress,) = notes.progress
    assert (progress.size_bytes, progress.received_bytes) == (1e6, 1e6)
    assert (progress.start_s, progress.first_byte_s, progress.buffer_s) == (1.0, 2.0, 6.0)
    assert advisor.reconsider(request(rung=0), NOW) is None


def test_replacing_an_earlier_segment_is_refused() -> None:
    """This player cannot; the error names who can."""
    advisor, _ = advised(Decision(1, segment=0))
    with pytest.raises(AlgorithmError, match=r"'Notes' replaces segments .* --preset sabre"):
        advisor.choose(2, NOW)


def test_sizes_shown_are_those_known_now() -> None:
    """Playlists sharpen them while the playback goes on."""
    advisor, notes = advised()
    better = constant_presentation([1e6, 2e6], segments=3, segment_s=2.0)
    advisor.choose(0, NOW)
    advisor.choose(1, replace(NOW, presentation=better))
    first, second = (seen.sizes_bytes[0, 0] for seen in notes.seen)
    assert (first, second) == (5e5, 2.5e5)


def test_repr_shows_who_advises_on_what() -> None:
    advisor, _ = advised()
    advisor.learn_from(request(rung=1), NOW)
    assert repr(advisor) == "<Advisor Notes, last rung 1, 1 downloads>"
