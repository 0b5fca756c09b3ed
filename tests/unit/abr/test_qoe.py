"""QoE from logs, by hand-computable cases."""

from __future__ import annotations

import pytest

from abr.log import SessionLog
from abr.qoe import Interval, as_dict, stalls, summary


def played() -> SessionLog:
    """Startup 2 s; 4 s of rung 0, a stall of 3 s, 4 s of rung 2; left 1 s into rung 1."""
    log = SessionLog({"rungs": 3, "driver": "virtual"})
    log.add("start", 0.0)
    log.add("state", 2.0, **{"from": "startup", "to": "playing"}, why="media ready")
    log.add("play", 2.0, segment=0, rung=0, duration_s=4.0, bitrate_bps=1e6)
    log.add("state", 6.0, **{"from": "playing", "to": "stalled"}, why="media ran out")
    log.add("state", 9.0, **{"from": "stalled", "to": "playing"}, why="media ready")
    log.add("play", 9.0, segment=1, rung=2, duration_s=4.0, bitrate_bps=4e6)
    log.add("play", 13.0, segment=2, rung=1, duration_s=4.0, bitrate_bps=2e6)
    log.add("state", 14.0, **{"from": "playing", "to": "ended"}, why="stopped")
    log.add("ended", 14.0, why="stopped", playhead_s=9.0)
    return log


def test_every_figure_of_a_small_playback() -> None:
    """Worked out by hand from the story in ``played``."""
    qoe = summary(played())
    assert qoe.startup_s == 2.0
    assert stalls(played()) == [Interval(start_s=6.0, end_s=9.0)]
    assert (qoe.stall_events, qoe.stall_s) == (1, 3.0)
    assert qoe.played_s == 9.0
    assert qoe.rebuffer_denominator_s == 12.0
    assert qoe.rebuffer_ratio == 0.25
    # (4 s * 1 + 4 s * 4 + 1 s * 2 Mbit/s) / 9 s
    assert qoe.mean_bitrate_bps == pytest.approx(22e6 / 9)
    assert (qoe.switches, qoe.switch_bps) == (2, 5e6)
    assert qoe.rungs == (0, 2, 1)
    assert qoe.time_per_rung_s == (4.0, 1.0, 4.0)
    assert qoe.elapsed_s == 14.0


def test_a_playback_that_never_began_has_no_startup() -> None:
    """No startup time, no ratio out of nothing."""
    log = SessionLog({"rungs": 2})
    log.add("start", 0.0)
    log.add("ended", 3.0, why="error: multivariant.m3u8: status 404", playhead_s=0.0)
    qoe = summary(log)
    assert qoe.startup_s is None
    assert (qoe.rebuffer_ratio, qoe.mean_bitrate_bps, qoe.played_s) == (0.0, 0.0, 0.0)


def test_a_pause_is_no_stall() -> None:
    """Resuming passes through ``stalled`` in no time; nobody waited for media."""
    log = SessionLog({"rungs": 1})
    log.add("start", 0.0)
    log.add("state", 1.0, **{"from": "startup", "to": "playing"}, why="media ready")
    log.add("play", 1.0, segment=0, rung=0, duration_s=4.0, bitrate_bps=1e6)
    log.add("state", 2.0, **{"from": "playing", "to": "paused"}, why="paused by viewer")
    log.add("state", 5.0, **{"from": "paused", "to": "stalled"}, why="resumed by viewer")
    log.add("state", 5.0, **{"from": "stalled", "to": "playing"}, why="media ready")
    log.add("state", 8.0, **{"from": "playing", "to": "ended"}, why="end of media")
    qoe = summary(log)
    assert (qoe.stall_events, qoe.paused_s, qoe.played_s) == (0, 3.0, 4.0)


def test_latency_of_a_live_stream_is_a_mean_over_time() -> None:
    """12 s for 2 s of playing, 13 s for 4 s, 17 s for 6 s; what was before startup does not count.

    (2 * 12 + 4 * 13 + 6 * 17) / 12 = 178 / 12
    """
    log = SessionLog({"rungs": 1})
    facts = {"edge_s": 0.0, "hold_back_s": 12.0, "target_duration_s": 4.0}
    log.add("start", 0.0)
    log.add("live", 0.5, latency_s=99.0, **facts)
    log.add("live", 1.0, latency_s=12.0, **facts)
    log.add("state", 2.0, **{"from": "startup", "to": "playing"}, why="media ready")
    log.add("live", 4.0, latency_s=13.0, **facts)
    log.add("live", 8.0, latency_s=17.0, **facts)
    log.add("ended", 14.0, why="stopped", playhead_s=9.0)
    live = summary(log).live
    assert live is not None
    assert live.mean_s == pytest.approx(178 / 12)
    assert (live.start_s, live.highest_s, live.end_s) == (12.0, 17.0, 17.0)
    assert (live.hold_back_s, live.target_duration_s) == (12.0, 4.0)
    assert as_dict(log)["live"]["highest_s"] == 17.0


def test_only_live_streams_have_latency() -> None:
    assert summary(played()).live is None
    assert "live" not in as_dict(played())


def test_an_empty_log_is_refused() -> None:
    """There is nothing to score."""
    with pytest.raises(ValueError, match="no start record"):
        summary(SessionLog({}))


def test_the_json_object_has_the_promised_keys() -> None:
    """What every command prints with --json."""
    promised = {
        "startup_s", "stall_events", "stall_s", "rebuffer_ratio", "played_s",
        "mean_bitrate_bps", "switches", "rungs", "provenance",
    }  # fmt: skip
    assert promised <= as_dict(played()).keys()
