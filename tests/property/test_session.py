"""Invariants of every playback, over random titles, networks and algorithms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr.decision import Decision, Observation, Progress
from abr.link import SharedLink
from abr.log import SessionLog
from abr.media import Presentation
from abr.qoe import summary
from abr.trace import Trace
from player import replay
from player.config import TRACKS, PlayerConfig
from player.drivers.replay import differences
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.titles import FakeTitle, play_fake, session_of

traces = st.lists(
    st.tuples(st.floats(0.1, 8.0), st.sampled_from([0.0, 2e5, 8e5, 2e6, 9e6])),
    min_size=1,
    max_size=8,
).map(lambda periods: Trace.from_periods([*periods, (1.0, 1e6)]))

configs = st.builds(
    PlayerConfig,
    max_buffer_s=st.sampled_from([5.0, 9.0, 30.0]),
    startup_buffer_s=st.sampled_from([0.0, 4.5]),
    resume_buffer_s=st.sampled_from([0.0, 0.5, 5.0]),
    resume_growth=st.sampled_from([1.0, 2.0]),
    render_delay_s=st.sampled_from([0.0, 0.25]),
    tracks=st.sampled_from(list(TRACKS)),
    picture_grace_s=st.sampled_from([0.0, 3.0]),
    overshoot=st.booleans(),
    fast_switch=st.booleans(),
    rtt_s=st.sampled_from([0.0, 0.05]),
    attempts=st.just(2),
)


class Erratic:
    """Legal answers without sense: any rung, some waiting, some abandonment."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def choose(self, seen: Observation) -> Decision:
        rung = int(self._rng.integers(len(seen.ladder_bps)))
        return Decision(rung, wait_s=float(self._rng.choice([0.0, 0.0, 0.7])))

    def reconsider(self, _seen: Observation, _progress: Progress) -> Decision | None:
        return Decision(0) if self._rng.random() < 0.1 else None


class Flaky:
    """Refuses one request in ten, with all kinds of answers."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, _want: Want) -> VirtualResponse | None:
        if self._rng.random() > 0.1:
            return None
        status, reason = [(503, ""), (403, "expired"), (404, "")][int(self._rng.integers(3))]
        return VirtualResponse(0, status=status, reason=reason)


@st.composite
def playbacks(draw: st.DrawFn) -> tuple[FakeTitle, Trace, PlayerConfig, int]:
    seed = draw(st.integers(0, 2**16))
    title = FakeTitle(
        segments=draw(st.integers(1, 8)),
        has_audio=draw(st.booleans()),
        is_encrypted=draw(st.booleans()),
    )
    if draw(st.booleans()):
        title.refuse = Flaky(seed)
    return title, draw(traces), draw(configs), seed


@settings(max_examples=150)
@given(playbacks())
def test_conservation_bounds_order_and_replay(
    playback: tuple[FakeTitle, Trace, PlayerConfig, int],
) -> None:
    """Time is accounted for, the buffer stays in bounds, and a replay is identical."""
    title, trace, config, seed = playback
    log = play_fake(title, trace=trace, algorithm=lambda: Erratic(seed), config=config)
    qoe = summary(log)
    times = [record["t"] for record in log.records]
    assert times == sorted(times)
    startup_s = qoe.elapsed_s if qoe.startup_s is None else qoe.startup_s
    spent_s = startup_s + qoe.played_s + qoe.stall_s + qoe.paused_s
    assert spent_s == pytest.approx(qoe.elapsed_s, abs=1e-6)
    longest = title.segment_s
    for record in log.of("buffer"):
        assert 0 <= record["before_s"] <= record["buffer_s"] + 1e-9
        assert record["buffer_s"] <= config.max_buffer_s + longest + 1e-9
    assert len(qoe.rungs) <= title.segments
    if qoe.ended == "complete":
        assert qoe.played_s == pytest.approx(title.segments * title.segment_s)
        assert len(qoe.rungs) == title.segments
    read_back = SessionLog.loads(log.dumps())
    assert differences(log, replay(read_back, algorithm=lambda: Erratic(seed))) == []


@settings(max_examples=40)
@given(playbacks())
def test_same_inputs_give_the_same_bytes(
    playback: tuple[FakeTitle, Trace, PlayerConfig, int],
) -> None:
    """Determinism: two runs write identical logs."""
    title, trace, config, seed = playback
    title.refuse = lambda _want: None
    logs = [
        play_fake(title, trace=trace, algorithm=lambda: Erratic(seed), config=config).dumps()
        for _ in range(2)
    ]
    assert logs[0] == logs[1]


class Crumbling(VirtualDriver):
    """Reports bytes in many small pieces instead of one."""

    def _report_received(self, flow: int) -> None:
        transfer = self._transfers[flow]
        received = self._link.received_bytes(flow, self._now_s)
        more = received - transfer.reported_bytes
        transfer.reported_bytes = received
        assert isinstance(self._link, SharedLink)
        newest_s = self._link.newest_byte_s(self._now_s)
        for size_bytes in [*[more / 8] * 7, more - 7 * (more / 8)]:
            self._apply(self._session.received(flow, size_bytes, self._now_s, newest_s=newest_s))


@settings(max_examples=40)
@given(playbacks())
def test_pieces_do_not_matter(playback: tuple[FakeTitle, Trace, PlayerConfig, int]) -> None:
    """Split: bytes reported in one piece or in eight give the same decisions and times."""
    title, trace, config, seed = playback
    title.refuse = lambda _want: None
    logs = []
    for driver in (VirtualDriver, Crumbling):
        session = session_of(title, lambda: Erratic(seed), config)
        logs.append(driver(session, title, SharedLink(trace, rtt_s=config.rtt_s)).run())
    counted = ("finished", "wake", "abort")
    assert [_without_counts(r) for r in logs[0].records] == [
        _without_counts(r) for r in logs[1].records
    ]
    for whole, pieces in zip(logs[0].of(*counted), logs[1].of(*counted), strict=True):  # type: ignore[arg-type]  # literals
        assert whole.get("size_bytes", 0) == pytest.approx(pieces.get("size_bytes", 0))


def _without_counts(record: dict[str, object]) -> dict[str, object]:
    return {
        k: v for k, v in record.items() if k not in ("size_bytes", "received_bytes", "received")
    }


@settings(max_examples=60)
@given(trace=traces, factor=st.floats(1.0, 8.0), rung=st.integers(0, 2))
def test_more_capacity_never_finishes_a_fixed_playback_later(
    trace: Trace, factor: float, rung: int
) -> None:
    """At one rung, a link that is faster everywhere ends no later."""
    title = FakeTitle(segments=4)
    richer = Trace(times_s=trace.times_s, capacity_bps=trace.capacity_bps * factor)
    config = PlayerConfig(rtt_s=0.05, first_byte_limit_s=1e4, total_limit_s=1e4)

    class Stays:
        def choose(self, _seen: Observation) -> int:
            return rung

    ends = [
        summary(play_fake(title, trace=t, algorithm=Stays, config=config)).elapsed_s
        for t in (trace, richer)
    ]
    assert ends[1] <= ends[0] + 1e-6


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 5), st.sampled_from(["pause", "resume", "wake"])), max_size=12
    )
)
def test_pausing_at_any_time_conserves_time(steps: list[tuple[float, str]]) -> None:
    """Startup + played + stalled + paused = elapsed, whatever the viewer presses."""
    presentation = Presentation(
        bitrates_bps=np.array([1e6]), sizes_bytes=np.full((1, 3), 5e5), durations_s=np.full(3, 4.0)
    )

    class Only:
        def choose(self, _seen: Observation) -> int:
            return 0

    session = PlaybackSession(presentation, Only)
    session.start(0.0)
    now_s = 0.0
    for index, (gap_s, verb) in enumerate(steps):
        now_s += gap_s
        if index % 3 == 1:
            session.finished(index // 3, now_s)
        getattr(session, verb)(now_s)
    session.stop(now_s)
    qoe = summary(session.log)
    startup_s = qoe.elapsed_s if qoe.startup_s is None else qoe.startup_s
    assert startup_s + qoe.played_s + qoe.stall_s + qoe.paused_s == pytest.approx(qoe.elapsed_s)
