"""Whole playbacks of live streams, on a virtual clock: what grows, stops, ends and begins anew."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from abr import registry
from abr.decision import Decision, Observation
from abr.link import SharedLink
from abr.log import SessionLog
from abr.qoe import LiveLatency, QoE, summary
from abr.trace import Trace
from player.api import replay
from player.config import PlayerConfig
from player.drivers.replay import differences
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.livestream import FakeLive, play_live
from tests.fakes.titles import fixed
from transcode.playlist import ServerControl

GONE = VirtualResponse(0, status=404)


def play(stream: FakeLive, until_s: float = 120.0, algorithm: str = "bola-sabre") -> SessionLog:
    """Play for a time, and see that a replay agrees."""
    log = play_live(stream, algorithm=registry.load(algorithm), until_s=until_s)
    if summary(log).startup_s is not None:
        assert differences(log, replay(log)) == []
    return log


def latency(qoe: QoE) -> LiveLatency:
    assert qoe.live is not None
    return qoe.live


def notes(log: SessionLog) -> list[str]:
    return [record["text"] for record in log.of("note")]


# --- streams as they should be ---------------------------------------------------------------


def test_half_an_hour_of_a_live_stream_is_played_without_a_stall() -> None:
    """Latency stays within one target duration of the hold-back all the time."""
    log = play_live(FakeLive(), algorithm=registry.load("bola-sabre"), until_s=1800.0)
    qoe = summary(log)
    assert (qoe.stall_events, qoe.ended) == (0, "stopped")
    assert qoe.startup_s is not None
    assert qoe.startup_s < 1
    assert qoe.played_s == pytest.approx(1800 - qoe.startup_s)
    live = latency(qoe)
    latencies_s = [record["latency_s"] for record in log.of("live")]
    assert len(latencies_s) >= 449  # one for each segment that was made
    assert max(abs(each - live.hold_back_s) for each in latencies_s) < live.target_duration_s
    assert notes(log) == []


@pytest.mark.parametrize(
    ("wished_s", "held_s"), [(0.0, 12.0), (6.0, 6.0), (20.0, 20.0), (60.0, 24.0)]
)
def test_a_stream_is_joined_as_far_from_its_end_as_is_wished(
    wished_s: float, held_s: float
) -> None:
    """Three target durations without a wish; 24 s are listed."""
    log = play_live(
        FakeLive(),
        algorithm=registry.load("lol-plus"),
        until_s=60.0,
        config=PlayerConfig(live_delay_s=wished_s),
    )
    assert summary(log).stall_events == 0
    assert next(log.of("live"))["latency_s"] == pytest.approx(held_s, abs=0.1)
    assert differences(log, replay(log)) == []


STREAMS = {
    "sound within": FakeLive(has_audio=False),
    "all is listed": FakeLive(window=0),
    "fractions of seconds": FakeLive(segment_s=3.84, audio_segment_s=3.84),
    "a second each": FakeLive(segment_s=1.0, audio_segment_s=1.0),
    "sound in other segments, dated": FakeLive(audio_segment_s=6.0, window=8, is_dated=True),
    "sound with other numbers, dated": FakeLive(audio_first=70_000, is_dated=True),
    "sound is late": FakeLive(lag_s=lambda rung: 3.0 if rung == -1 else 0.0),
    "long window with deltas": FakeLive(
        window=30, on_air_s=301.0, control=ServerControl(can_skip_until_s=24.0)
    ),
    "hold-back within a segment": FakeLive(control=ServerControl(hold_back_s=14.5)),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("algorithm", ["bola-sabre", "mpc", "bola-e", "hls-js"])
def test_streams_of_all_shapes_play_without_a_stall(name: str, algorithm: str) -> None:
    qoe = summary(play(STREAMS[name], until_s=60.0, algorithm=algorithm))
    assert (qoe.stall_events, qoe.ended) == (0, "stopped")
    live = latency(qoe)
    assert abs(live.mean_s - live.hold_back_s) < live.target_duration_s
    assert qoe.rungs[-1] == 2  # what the link carries


def test_only_playlists_that_are_played_from_are_asked_for_and_no_more_often_than_allowed() -> None:
    """RFC 8216bis, 6.3.4: a target duration after news, half of one without."""
    stream = FakeLive()
    play_live(stream, algorithm=fixed(1), until_s=120.0)
    playlists = [(t, want) for t, want in stream.asked if want.kind == "media"]
    for track in ("video", "audio"):
        times_s = [t for t, want in playlists if want.track == track and want.rung != 0]
        gaps_s = [after - before for before, after in pairwise(times_s)]
        assert min(gaps_s) >= 2.0 - 1e-9
        assert sum(gaps_s) / len(gaps_s) == pytest.approx(4.0, rel=0.1)
    assert sum(want.rung == 0 for _, want in playlists if want.track == "video") <= 2


def test_delta_updates_are_asked_for_where_they_are_offered() -> None:
    control = ServerControl(can_skip_until_s=24.0)
    stream = FakeLive(window=30, on_air_s=301.0, control=control)
    play_live(stream, algorithm=fixed(0), until_s=60.0)
    asked = [want.directives for _, want in stream.asked if want.kind == "media"]
    assert asked[:2] == ["", ""]  # nothing is known yet
    assert set(asked[2:]) == {"_HLS_skip=YES"}


def test_a_stream_that_ends_is_played_to_its_end() -> None:
    """Made until 60 s; 161 s of media are 40 segments of 4 s: 160 s, of which 88 were not seen."""
    log = play(FakeLive(ends_s=60.0), until_s=900.0)
    qoe = summary(log)
    assert (qoe.ended, qoe.stall_events) == ("complete", 0)
    assert qoe.played_s == pytest.approx(72.0)


def test_latency_is_known_while_the_stream_goes_on() -> None:
    stream = FakeLive(ends_s=60.0)
    session = PlaybackSession(stream.url, fixed(0), PlayerConfig())
    driver = VirtualDriver(session, stream, SharedLink(Trace.constant(20e6)))
    stream.clock = lambda: driver.now_s
    latencies_s: list[float] = []

    def refuse(_want: Want, _now_s: float) -> None:
        latencies_s.append(session.latency_s)

    stream.refuse = refuse
    driver.run()
    assert math.isnan(latencies_s[0])  # nothing is known yet
    assert all(6 < each < 16 for each in latencies_s[5:-10])
    assert math.isnan(session.latency_s)


# --- what an algorithm sees ------------------------------------------------------------------


@dataclass
class Watching:
    """Notes what it sees; an object, as users write them."""

    seen: list[Observation] = field(default_factory=list)

    def choose(self, seen: Observation) -> Decision:
        self.seen.append(seen)
        return Decision(0)


def test_an_algorithm_sees_no_end_before_there_is_one() -> None:
    watching = Watching()
    play_live(FakeLive(ends_s=60.0), algorithm=lambda: watching, until_s=900.0)
    lengths = [len(seen.durations_s) for seen in watching.seen]
    assert lengths[0] == 1024
    assert lengths[-1] == 18  # 72 s: the end is known
    assert all(len(s.durations_s) == s.sizes_bytes.shape[1] for s in watching.seen)
    assert set(watching.seen[0].durations_s) == {4.0}


def test_an_algorithm_sees_that_nobody_can_buffer_what_was_not_made() -> None:
    watching = Watching()
    play_live(FakeLive(), algorithm=lambda: watching, until_s=60.0)
    assert watching.seen[0].max_buffer_s == 12.0
    for seen in watching.seen:
        assert seen.buffer_s + seen.durations_s[seen.segment] <= seen.max_buffer_s + 1e-6
        assert seen.max_buffer_s < 16.0


# --- streams that go wrong -------------------------------------------------------------------


def test_an_encoder_that_stops_for_a_time_is_waited_for() -> None:
    """30 s without a segment, of which 12 were buffered."""
    qoe = summary(play(FakeLive(stops=(40.0, 70.0)), until_s=200.0))
    assert (qoe.stall_events, qoe.ended) == (1, "stopped")
    assert 15 < qoe.stall_s < 27


def test_an_encoder_that_stops_for_good_ends_the_session_in_bounded_time() -> None:
    log = play(FakeLive(stops=(40.0, 1e9)), until_s=900.0)
    qoe = summary(log)
    assert qoe.ended == (
        "error: the live stream brought nothing new for 60 s; expected a segment every 4 s, or "
        "EXT-X-ENDLIST"
    )
    assert qoe.elapsed_s < 40 + 4 + 60 + 1


def test_an_encoder_that_begins_anew_is_followed() -> None:
    log = play(FakeLive(restarts_s=60.0), until_s=200.0)
    qoe = summary(log)
    assert qoe.ended == "stopped"
    assert qoe.stall_s < 5
    assert any("began to count anew" in note for note in notes(log))


@pytest.mark.parametrize("has_audio", [True, False])
def test_an_encoder_of_one_rung_that_begins_anew_is_followed(has_audio: bool) -> None:
    stream = FakeLive(rates_bps=(1_000_000,), has_audio=has_audio, restarts_s=60.0)
    assert summary(play(stream, until_s=100.0)).ended == "stopped"


def test_a_window_that_has_moved_on_is_joined_again() -> None:
    """Nothing for 45 s: six segments of 24 s came and went."""

    def refuse(want: Want, now_s: float) -> VirtualResponse | None:
        return GONE if want.kind == "media" and 30 < now_s < 75 else None

    log = play(FakeLive(refuse=refuse), until_s=200.0)
    qoe = summary(log)
    assert (qoe.stall_events, qoe.ended) == (1, "stopped")
    assert latency(qoe).end_s < 16
    assert any("came and went unseen; playback joins again" in note for note in notes(log))


def test_a_link_too_slow_for_the_stream_is_survived() -> None:
    """0.7 Mbit/s for 1.1: again and again what is due has left the window, or its sound has."""
    log = play_live(FakeLive(), algorithm=fixed(0), until_s=400.0, trace=Trace.constant(0.7e6))
    qoe = summary(log)
    assert qoe.ended == "stopped"
    assert qoe.played_s > 190
    assert latency(qoe).highest_s < 45
    assert any("is not listed any more" in note for note in notes(log))


def test_sound_is_of_the_pictures_that_are_shown_with_it() -> None:
    """On that link it leaves its window while they come; then both go on, later and together."""
    log = play_live(FakeLive(), algorithm=fixed(0), until_s=200.0, trace=Trace.constant(0.7e6))
    names: dict[str, list[str]] = {"video": [], "audio": []}
    for record in log.of("fetch"):
        if record["kind"] == "segment":
            names[record["track"]].append(record["uri"].rpartition("/")[2])
    without_sound = [name for name in names["video"] if name not in names["audio"]]
    assert set(names["audio"]) <= set(names["video"])
    holes = [note for note in notes(log) if note.endswith("s: not listed any more")]
    assert len(holes) >= 1
    assert len(without_sound) - len(holes) in (0, 1)  # the last one's is still to come


@pytest.mark.parametrize("track", ["video", "audio"])
def test_a_segment_that_nobody_has_is_passed_over(track: str) -> None:
    """Numbers 30 and 31 are listed and nowhere to be had."""

    def refuse(want: Want, _now_s: float) -> VirtualResponse | None:
        is_lost = want.url.endswith(("/s30.m4s", "/s31.m4s")) and want.track == track
        return GONE if is_lost else None

    log = play(FakeLive(refuse=refuse), until_s=200.0)
    qoe = summary(log)
    assert qoe.ended == "stopped"
    assert qoe.played_s > 140
    assert any("passed over" in note for note in notes(log))


def test_a_stream_whose_segments_are_nowhere_ends_in_bounded_time() -> None:
    def refuse(want: Want, now_s: float) -> VirtualResponse | None:
        return GONE if want.kind == "segment" and now_s > 30 else None

    qoe = summary(play(FakeLive(refuse=refuse), until_s=900.0))
    assert qoe.ended.startswith("error: ")
    assert "status 404" in qoe.ended
    assert qoe.elapsed_s < 200


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    def refuse(_want: Want, now_s: float) -> VirtualResponse | None:
        return VirtualResponse(0, status=503) if 30 < now_s < 50 else None

    qoe = summary(play(FakeLive(refuse=refuse), until_s=200.0))
    assert qoe.ended == "stopped"
    assert qoe.stall_s < 20


@pytest.mark.parametrize(
    "text", ["<html>sorry</html>", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na"]
)
def test_a_version_that_is_no_playlist_is_as_none(text: str) -> None:
    def refuse(want: Want, now_s: float) -> VirtualResponse | None:
        is_bad = want.kind == "media" and 30 < now_s < 34
        return VirtualResponse(len(text), text.encode()) if is_bad else None

    log = play(FakeLive(refuse=refuse))
    qoe = summary(log)
    assert (qoe.stall_events, qoe.ended) == (0, "stopped")
    assert notes(log)


def test_a_rung_whose_playlist_lags_is_not_waited_for() -> None:
    """Its newest segment is 8 s older: what is due is taken from the nearest rung that has it."""
    stream = FakeLive(lag_s=lambda rung: 8.0 if rung == 2 else 0.0)
    log = play_live(stream, algorithm=fixed(2), until_s=120.0)
    qoe = summary(log)
    assert (qoe.stall_events, qoe.ended) == (0, "stopped")
    assert 1 in qoe.rungs


def test_a_stream_that_is_not_on_air_yet_is_waited_for() -> None:
    qoe = summary(play(FakeLive(on_air_s=0.0)))
    assert qoe.ended == "stopped"
    assert qoe.startup_s == pytest.approx(4.0, abs=1.0)


def test_a_live_stream_that_ends_without_a_segment_says_so() -> None:
    stream = FakeLive(on_air_s=0.0, stops=(0.0, 1e9), ends_s=27.0)
    qoe = summary(play(stream, until_s=900.0))
    assert qoe.ended == "error: the live stream has ended without a segment; nothing to play"


def test_a_live_stream_of_nothing_ends_in_bounded_time() -> None:
    qoe = summary(play(FakeLive(on_air_s=0.0, stops=(0.0, 1e9)), until_s=900.0))
    assert qoe.ended.startswith("error: the live stream brought nothing new for 60 s")
