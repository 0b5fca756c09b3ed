"""An algorithm that must know the network plays over traces, and over nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from abr.decision import Decision, Rule
from abr.errors import AlgorithmError
from abr.link import SharedLink
from abr.media import Presentation, SideFiles, constant_presentation
from abr.trace import Trace
from player.api import play, replay, simulate

PRESENTATION = constant_presentation([1e6, 2e6], segments=4, segment_s=2.0)
TRACE = Trace.from_periods([(10.0, 3e6, 0.1)], name="known")


class _Nothing(NamedTuple):
    """No parameters."""


class _Told(NamedTuple):
    """What the start was told."""

    presentation: Presentation
    trace: Trace


def _start(params: _Nothing, presentation: Presentation, trace: Trace) -> _Told:
    return _Told(presentation, trace)


SEER = Rule(
    name="seer",
    params=_Nothing(),
    start=_start,
    choose=lambda params, state, seen: Decision(int(state.trace.capacity_at(0.0) > 2e6), 0.0, 0),
    needs_trace=True,
)


def test_a_simulation_tells_the_trace() -> None:
    log = simulate(PRESENTATION, trace=TRACE, algorithm=SEER)
    assert [r["rung"] for r in log.of("decision")] == [1, 1, 1, 1]


def test_a_replay_knows_the_trace_again_with_its_round_trips() -> None:
    log = simulate(PRESENTATION, trace=TRACE, algorithm=SEER)
    assert log.provenance["trace_data"]["rtt_s"] == [0.1]
    assert replay(log, algorithm=SEER).records == log.records


def test_it_is_told_the_true_sizes_where_others_know_what_playlists_say() -> None:
    side = SideFiles(
        multivariant_bytes=500.0,
        listed_sizes_bytes=PRESENTATION.sizes_bytes * 1.5,
        listed_rates_bps=PRESENTATION.bitrates_bps * 1.5,
        playlist_bytes=np.array([900.0, 900.0]),
        init_bytes=np.zeros(2),
    )
    shown, told = replace(PRESENTATION, side_files=side), []

    def start(params: _Nothing, presentation: Presentation, trace: Trace) -> _Told:
        told.append(presentation)
        return _Told(presentation, trace)

    log = simulate(shown, trace=TRACE, algorithm=replace(SEER, start=start))
    assert replay(log, algorithm=replace(SEER, start=start)).records == log.records
    assert [each.digest() for each in told] == [shown.digest()] * 2


def test_without_a_trace_it_is_refused() -> None:
    with pytest.raises(AlgorithmError, match="must know the trace in advance"):
        simulate(PRESENTATION, link=SharedLink(TRACE), algorithm=SEER)


def test_over_http_it_is_refused_before_anything_is_fetched() -> None:
    """Nothing listens there: a request would be another error."""
    with pytest.raises(AlgorithmError, match=r"'seer' .* use `abr simulate`"):
        asyncio.run(play("http://127.0.0.1:9/x/multivariant.m3u8", algorithm=SEER, trace=TRACE))
