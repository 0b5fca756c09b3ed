"""Random playbacks of bare presentations: what is played, over what, how, and how long."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from abr.media import FloatArray, Presentation, SideFiles, frozen_array
from abr.trace import Trace
from player.config import PlayerConfig


class Case(NamedTuple):
    """One playback."""

    presentation: Presentation
    trace: Trace
    config: PlayerConfig
    max_play_s: float
    seed: int


@st.composite
def presentations(draw: st.DrawFn) -> Presentation:
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    rungs, segments = draw(st.integers(1, 5)), draw(st.integers(1, 14))
    ladder = frozen_array([3e5 * 1.8**rung for rung in range(rungs)])
    durations = np.full(segments, 2.0)
    if draw(st.booleans()):
        durations = rng.uniform(0.5, 6.0, segments)
    sizes = np.outer(ladder / 8, durations) * rng.uniform(0.5, 1.6, (rungs, segments))
    audio = durations * 12000 * rng.uniform(0.9, 1.1, segments) if draw(st.booleans()) else None
    audio_s: FloatArray | None = None
    if audio is not None and draw(st.booleans()):
        ends = np.cumsum(durations) + rng.uniform(-0.05, 0.05, segments)
        audio_s = np.diff(ends, prepend=0.0)
    side = draw(side_files(rng, sizes, durations)) if draw(st.booleans()) else None
    return Presentation(
        bitrates_bps=ladder,
        sizes_bytes=sizes,
        durations_s=durations,
        audio_sizes_bytes=audio,
        audio_durations_s=audio_s,
        side_files=side,
        listed_first=draw(st.integers(-1, rungs - 1)),
        peak_bitrates_bps=ladder * 1.7 if draw(st.booleans()) else None,
    )


@st.composite
def side_files(
    draw: st.DrawFn, rng: np.random.Generator, sizes: FloatArray, durations: FloatArray
) -> SideFiles:
    rungs, segments = sizes.shape
    rates = np.rint(8 * sizes / durations / 1000) * 1000
    keys = None
    if draw(st.booleans()):
        keys = frozen_array(np.arange(segments) // draw(st.integers(1, 5)))
    return SideFiles(
        multivariant_bytes=float(rng.integers(300, 900)),
        listed_sizes_bytes=rates * durations / 8,
        listed_rates_bps=rates.mean(axis=1),
        playlist_bytes=frozen_array(rng.integers(500, 4000, rungs)),
        init_bytes=frozen_array(rng.integers(500, 900, rungs) * draw(st.sampled_from([1, 1, 0]))),
        audio_playlist_bytes=float(rng.integers(500, 4000)),
        audio_init_bytes=float(rng.integers(400, 700)),
        keys=keys,
        init_key=-1 if keys is None else draw(st.sampled_from([-1, 0])),
    )


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    lengths = st.one_of(st.just(0.0), st.floats(0.05, 9.0), st.sampled_from([1.0, 2.0]))
    rates = st.one_of(st.sampled_from([0.0, 2e5, 1e6, 4e7]), st.floats(1e5, 8e6))
    periods = draw(st.lists(st.tuples(lengths, rates), min_size=0, max_size=12))
    periods = [*periods, (draw(st.sampled_from([0.5, 1.0, 2.7])), draw(st.floats(3e5, 3e6)))]
    rtts: list[float] | None = None
    if draw(st.booleans()):
        rtts = [draw(st.sampled_from([0.0, 0.02, 0.3])) for _ in periods]
    rows = [(*p, r) for p, r in zip(periods, rtts, strict=True)] if rtts else periods
    return Trace.from_periods(rows, end=draw(st.sampled_from(["loop", "loop", "hold", "end"])))


configs = st.builds(
    PlayerConfig,
    begins_with=st.sampled_from(["lowest", "listed"]),
    max_buffer_s=st.sampled_from([6.0, 9.3, 30.0]),
    overshoot=st.booleans(),
    buffer_bytes=st.sampled_from([0.0, 0.0, 1e6]),
    buffer_limit_s=st.sampled_from([600.0, 600.0, 14.0]),
    top_buffer_s=st.sampled_from([0.0, 0.0, 12.0]),
    startup_buffer_s=st.sampled_from([0.0, 0.2, 4.5]),
    resume_buffer_s=st.sampled_from([0.0, 0.2, 5.0]),
    resume_growth=st.sampled_from([1.0, 2.0]),
    render_delay_s=st.sampled_from([0.0, 0.0, 0.25]),
    reconsider_every_s=st.sampled_from([0.1, 0.25]),
    rtt_s=st.sampled_from([0.0, 0.05]),
    response_overhead_bytes=st.sampled_from([0, 700]),
    server_s=st.sampled_from([0.0, 0.004]),
    idle_limit_s=st.sampled_from([20.0, 6.0, 1.5]),
)

cases = st.builds(
    Case,
    presentation=presentations(),
    trace=traces(),
    config=configs,
    max_play_s=st.sampled_from([np.inf, np.inf, np.inf, 0.0, 1.0, 7.5, 20.0]),
    seed=st.integers(0, 2**16),
)
