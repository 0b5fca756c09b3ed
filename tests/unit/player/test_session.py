"""The player over scripted titles and a virtual link."""

from __future__ import annotations

import pytest

from abr.decision import Decision, Observation, Progress
from abr.errors import AlgorithmError
from abr.link import SharedLink
from abr.log import SessionLog
from abr.media import constant_presentation
from abr.qoe import summary
from abr.trace import Trace
from player import replay, simulate
from player.config import PlayerConfig
from player.drivers.replay import differences
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.titles import TOKEN, URL, FakeTitle, fixed, play_fake


def kinds(log: SessionLog) -> list[str]:
    """What was asked for, in order: kind, track and segment."""
    return [
        " ".join(str(r[k]) for k in ("kind", "track", "segment") if k in r) for r in log.of("fetch")
    ]


def test_everything_a_viewer_waits_for_is_fetched_in_order() -> None:
    """Playlists first; then key, init and first segment together; audio after its video."""
    log = play_fake(FakeTitle(segments=2, is_encrypted=True))
    assert kinds(log) == [
        "multivariant",
        "media video",
        "media audio",
        "key video",
        "init video",
        "segment video 0",
        "init audio",
        "segment audio 0",
        "segment video 1",
        "segment audio 1",
    ]
    assert summary(log).ended == "complete"


def test_a_rung_chosen_first_costs_its_playlist() -> None:
    """Rung 0's playlist tells the segments; another rung's is fetched when chosen."""
    log = play_fake(FakeTitle(segments=1, has_audio=False), algorithm=fixed(2))
    assert [r["uri"] for r in log.of("fetch")] == [
        "multivariant.m3u8",
        "v0/playlist.m3u8",
        "v2/playlist.m3u8",
        "v2/init.mp4",
        "v2/00000.m4s",
    ]


def test_together_fetches_audio_beside_its_video_but_never_ahead() -> None:
    """Audio n is asked for with video n, and audio n + 1 not before video n has arrived."""
    log = play_fake(FakeTitle(segments=3), config=PlayerConfig(tracks="together", rtt_s=0.0))
    arrived: set[int] = set()
    video_of: dict[int, int] = {}
    for record in log.of("fetch", "finished"):
        if record["e"] == "finished":
            if record["id"] in video_of:
                arrived.add(video_of[record["id"]])
        elif record["kind"] == "segment" and record["track"] == "video":
            video_of[record["id"]] = record["segment"]
        elif record["kind"] == "segment":
            assert record["segment"] == 0 or record["segment"] - 1 in arrived
    first = [k for k in kinds(log) if k.startswith("segment")][:2]
    assert first == ["segment video 0", "segment audio 0"]


def test_no_segment_is_requested_that_would_overfill_the_buffer() -> None:
    """With 8 s at most and 4 s segments, requests wait until 4 s have been played."""
    log = play_fake(
        FakeTitle(segments=5, has_audio=False), config=PlayerConfig(max_buffer_s=8.0, rtt_s=0.0)
    )
    assert max(r["buffer_s"] for r in log.of("buffer")) <= 8.0 + 1e-9
    asked = [r["t"] for r in log.of("fetch") if r["kind"] == "segment"]
    begun = next(r["t"] for r in log.of("play"))
    assert asked[2] == pytest.approx(begun + 4.0)
    assert asked[3] - asked[2] == pytest.approx(4.0)


def test_stall_and_startup_are_computed() -> None:
    """1 Mbit/s video over 0.5 Mbit/s: 8 s for each 4 s segment, so 4 s of stall between."""
    title = FakeTitle(segments=3, has_audio=False)
    qoe = summary(play_fake(title, trace=Trace.constant(0.5e6)))
    assert qoe.startup_s == pytest.approx(8.0, abs=0.1)
    assert qoe.stall_events == 2
    assert qoe.stall_s == pytest.approx(8.0, abs=0.01)
    assert qoe.rebuffer_ratio == pytest.approx(8 / 20, abs=0.01)


def refusing(kind: str, times: int, response: VirtualResponse) -> FakeTitle:
    """A title whose first ``times`` answers to requests of ``kind`` are ``response``."""
    left = [times]

    def refuse(want: Want) -> VirtualResponse | None:
        if want.kind == kind and left[0] > 0:
            left[0] -= 1
            return response
        return None

    return FakeTitle(segments=2, refuse=refuse)


@pytest.mark.parametrize("kind", ["multivariant", "media", "init", "segment"])
def test_a_passing_fault_is_tried_again(kind: str) -> None:
    """Two answers of 503 cost time, not the session."""
    log = play_fake(refusing(kind, 2, VirtualResponse(0, status=503)))
    assert summary(log).ended == "complete"
    assert len(list(log.of("failed"))) == 2


def refusing_between(start_s: float, end_s: float) -> tuple[FakeTitle, list[float]]:
    """A title whose segments answer 503 from ``start_s`` to ``end_s`` of the clock given."""
    clock = [0.0]
    gone = VirtualResponse(0, status=503)

    def refuse(want: Want) -> VirtualResponse | None:
        return gone if want.kind == "segment" and start_s <= clock[0] < end_s else None

    return FakeTitle(segments=8, has_audio=False, refuse=refuse), clock


@pytest.mark.parametrize(("down_s", "ended"), [(8.0, "complete"), (60.0, "error: ")])
def test_a_server_that_comes_back_in_time_costs_no_session(down_s: float, ended: str) -> None:
    """Eight seconds of 503 are waited out; a minute is not, for patience is 20 s."""
    title, clock = refusing_between(2.0, 2.0 + down_s)

    class Watch(PlaybackSession):
        def _enter(self, now_s: float) -> bool:
            clock[0] = now_s
            return super()._enter(now_s)

    config = PlayerConfig(max_buffer_s=12.0)
    session = Watch(title.url, fixed(0), config)
    log = VirtualDriver(session, title, SharedLink(Trace.constant(10e6))).run()
    assert summary(log).ended.startswith(ended)


@pytest.mark.parametrize("kind", ["media", "key", "init", "segment"])
@pytest.mark.parametrize("track", ["video", "audio"])
def test_a_refusal_that_heals_costs_no_session(kind: str, track: str) -> None:
    """403 five times over, before anything has played: seconds, not the session."""
    left = [5]

    def refuse(want: Want) -> VirtualResponse | None:
        if (want.kind, want.track) == (kind, track) and left[0]:
            left[0] -= 1
            return VirtualResponse(0, status=403)
        return None

    title = FakeTitle(segments=3, refuse=refuse, is_encrypted=True, has_own_parts=True)
    assert summary(play_fake(title)).ended == "complete"
    assert left == [0]


def test_an_expired_token_is_renewed_once_and_playback_goes_on() -> None:
    """The renewal is asked for once, and later requests carry the new token."""
    title = refusing("segment", 1, VirtualResponse(0, status=403, reason="expired"))
    log = play_fake(title)
    assert summary(log).ended == "complete"
    assert kinds(log).count("token") == 1


def test_requests_after_a_renewal_carry_the_new_token() -> None:
    """Only the token changes in the URLs that are fetched."""
    session = PlaybackSession(URL, fixed(0))
    (first, _wake) = session.start(0.0)
    session.finished(first.request_id, 0.1, FakeTitle(has_audio=False).multivariant().encode())  # type: ignore[union-attr]  # a Fetch
    from player.playback.retry import Failure

    (fetch, _) = session.failed(1, 0.2, Failure("status", 403, "expired"))
    assert fetch.url == URL.replace("multivariant.m3u8", "renew")  # type: ignore[union-attr]  # a Fetch
    actions = session.finished(2, 0.3, b'{"token": "new.body.signature"}')
    assert actions[0].url == URL.replace(TOKEN, "new.body.signature").replace(  # type: ignore[union-attr]  # a Fetch
        "multivariant.m3u8", "v0/playlist.m3u8"
    )


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [("multivariant", 404, ""), ("segment", 403, "wrong-title"), ("key", 403, "missing")],
)
def test_a_lasting_refusal_ends_the_session_with_a_reason(
    kind: str, status: int, reason: str
) -> None:
    """The last record says what failed, where and how often it was tried."""
    title = refusing(kind, 99, VirtualResponse(0, status=status, reason=reason))
    title.is_encrypted = True
    ended = summary(play_fake(title)).ended
    assert ended.startswith("error: ")
    assert f"status {status}" in ended


def test_a_few_milliseconds_of_media_do_not_end_a_stall() -> None:
    """Audio that overhangs its video by 10 ms must not let playback flicker: one stall.

    Segment 0 is here at about 1 s, plays to 5 s, and nothing comes before 9 s.
    """
    title = FakeTitle(segments=3, audio_overhang_s=0.01)
    trace = Trace.from_periods([(1.5, 6e6), (7.5, 0.0), (99.0, 6e6)], name="outage")
    log = play_fake(title, trace=trace, config=PlayerConfig(max_buffer_s=5.0, rtt_s=0.02))
    assert summary(log).stall_events == 1


def test_a_rung_that_misses_a_segment_is_left_out_for_a_while() -> None:
    """404 for rung 2 of one segment: the next lower rung stands in, until a minute has passed."""

    def refuse(want: Want) -> VirtualResponse | None:
        is_gone = want.kind == "segment" and want.rung == 2 and want.segment == 1
        return VirtualResponse(0, status=404) if is_gone else None

    log = play_fake(FakeTitle(segments=26, refuse=refuse), algorithm=fixed(2))
    rungs = summary(log).rungs
    assert summary(log).ended == "complete"
    back = rungs.index(2, 1)
    assert (rungs[0], set(rungs[1:back]), set(rungs[back:])) == (2, {1}, {2})
    asked_s = [r["t"] for r in log.of("fetch") if (r.get("rung"), r.get("segment")) == (2, back)]
    (failed_s,) = (r["t"] for r in log.of("failed"))
    assert failed_s + 60.0 <= asked_s[0] < failed_s + 64.0
    assert [note["text"] for note in log.of("note")] == [
        "v2/00001.m4s: status 404; its rung is left out for 60 s"
    ]


MISSING = ["media", "init", "key", "segment"]


@pytest.mark.parametrize("kind", MISSING)
@pytest.mark.parametrize(("missing", "instead"), [(0, 1), (1, 0), (2, 1)])
def test_whatever_a_rung_misses_another_stands_in(kind: str, missing: int, instead: int) -> None:
    """Also a higher one for the lowest, and from the first segment on."""

    def refuse(want: Want) -> VirtualResponse | None:
        is_gone = want.kind == kind and want.track == "video" and want.rung == missing
        return VirtualResponse(0, status=404) if is_gone else None

    title = FakeTitle(segments=4, refuse=refuse, is_encrypted=True, has_own_parts=True)
    log = play_fake(title, algorithm=fixed(missing))
    assert summary(log).ended == "complete"
    assert summary(log).rungs == (instead,) * 4
    assert differences(log, replay(log, algorithm=fixed(missing))) == []


@pytest.mark.parametrize("kind", ["init", "key", "segment"])
@pytest.mark.parametrize("track", ["video", "audio"])
@pytest.mark.parametrize("status", [403, 404, 503])
def test_what_is_buffered_is_played_before_the_end(kind: str, track: str, status: int) -> None:
    """Nobody has what the fourth segment needs: three are shown, and then the session ends."""

    def refuse(want: Want) -> VirtualResponse | None:
        is_gone = want.kind == kind and want.track == track and "3" in want.url.rpartition("/")[2]
        return VirtualResponse(0, status=status) if is_gone else None

    title = FakeTitle(segments=8, refuse=refuse, is_encrypted=True, has_own_parts=True)
    log = play_fake(title)
    found = summary(log)
    assert found.ended.startswith("error: ")
    assert f"status {status} after " in found.ended
    assert found.played_s == pytest.approx(12.0)
    assert found.elapsed_s < 60.0
    assert differences(log, replay(log, algorithm=fixed(0))) == []


def test_a_silent_server_is_given_up_after_the_first_byte_limit() -> None:
    """An outage longer than the limit costs attempts; the session ends with the reason."""
    trace = Trace.from_periods([(1.0, 10e6), (1000.0, 0.0)], end="hold")
    config = PlayerConfig(
        rtt_s=0.0, first_byte_limit_s=2.0, total_limit_s=5.0, attempts=2, patience_s=0.0
    )
    log = play_fake(FakeTitle(segments=50), trace=trace, config=config)
    assert "not complete after 5 s after 3 attempts, elsewhere too" in summary(log).ended


def test_a_body_that_comes_to_a_halt_is_asked_for_again() -> None:
    """Exactly the limit after its newest byte, although nobody looks at it then.

    100,000 bytes at 0.8 Mbit/s take a second; the link is silent from 1.25 s on for 9 s.
    """
    trace = Trace.from_periods([(1.25, 8e5), (9.0, 0.0), (1000.0, 8e5)], end="hold")
    presentation = constant_presentation([2e5], segments=2, segment_s=4.0)
    config = PlayerConfig(
        rtt_s=0.0, server_s=0.0, response_overhead_bytes=0, idle_limit_s=3.0, jitter_ratio=0.0
    )
    log = simulate(presentation, trace=trace, algorithm="fixed", config=config)
    assert [(r["t"], r["received_bytes"]) for r in log.of("abort")] == [
        (4.25, pytest.approx(25_000)),
        (pytest.approx(7.5), 0.0),
    ]
    assert summary(log).ended == "complete"
    assert differences(log, replay(SessionLog.loads(log.dumps()))) == []


class Panics:
    """Chooses the top rung and abandons for the lowest at the first chance."""

    def choose(self, _seen: Observation) -> int:
        return 2

    def reconsider(self, _seen: Observation, progress: Progress) -> Decision | None:
        return Decision(0) if progress.received_bytes > 0 else None


def test_an_abandoned_download_is_asked_for_again_at_the_new_rung() -> None:
    """The bytes are thrown away, the segment comes at rung 0."""
    log = play_fake(FakeTitle(segments=2, has_audio=False), algorithm=Panics)
    assert summary(log).rungs == (0, 0)
    aborted = list(log.of("abort"))
    assert [r["why"] for r in aborted] == ["abandoned", "abandoned"]
    assert all(r["received_bytes"] > 0 for r in aborted)


def test_a_wish_to_wait_delays_the_request() -> None:
    """wait_s is spent before the request is sent."""

    class Waits:
        def choose(self, seen: Observation) -> Decision:
            return Decision(0, wait_s=0.0 if seen.segment == 0 else 1.5)

    log = play_fake(FakeTitle(segments=2, has_audio=False), algorithm=Waits)
    decided = next(r["t"] for r in log.of("decision") if r["segment"] == 1)
    asked = next(r["t"] for r in log.of("fetch") if r.get("segment") == 1)
    assert asked == pytest.approx(decided + 1.5)


def test_an_illegal_rung_is_the_algorithms_fault() -> None:
    """The error names the algorithm, the answer and the legal range."""
    with pytest.raises(AlgorithmError, match=r"answered rung 7; expected 0 to 2"):
        play_fake(FakeTitle(), algorithm=fixed(7))


def test_stopping_ends_playback_at_that_time() -> None:
    """A viewer who leaves after 5 s has played what lies between startup and then."""
    qoe = summary(play_fake(FakeTitle(segments=50), stop_at_s=5.0))
    assert qoe.ended == "stopped"
    assert qoe.startup_s is not None
    assert qoe.startup_s + qoe.played_s == pytest.approx(5.0)


def test_no_token_reaches_the_log() -> None:
    """URIs in the log are relative or redacted."""
    title = refusing("segment", 1, VirtualResponse(0, status=403, reason="expired"))
    text = play_fake(title).dumps()
    assert TOKEN not in text
    assert "new.body.signature" not in text


@pytest.mark.parametrize(
    "text", ["", "not a playlist", "#EXTM3U\n", "#EXTM3U\n#EXT-X-TARGETDURATION:x\n", "\x00"]
)
def test_garbage_for_a_playlist_ends_the_session(text: str) -> None:
    """One reason in the log; no exception."""
    answer = VirtualResponse(len(text), text.encode())
    title = FakeTitle(refuse=lambda want: answer if want.kind == "multivariant" else None)
    log = play_fake(title)
    qoe = summary(log)
    assert qoe.ended.startswith("error: multivariant.m3u8")
    assert qoe.startup_s is None
    log.provenance["algorithm"] = "bba-0"  # it was never begun, so the log names none
    assert differences(log, replay(log)) == []


def test_repr_says_where_the_session_stands() -> None:
    """For test failures and debug logs."""
    session = PlaybackSession(URL, fixed(0))
    session.start(0.0)
    assert repr(session) == (
        "<PlaybackSession startup at 0.000 s, buffer 0.000 s, rung -1, waiting for multivariant>"
    )


def test_a_download_that_failed_is_not_reconsidered() -> None:
    """Another rung stands in for it, and is asked about as what it is, or not at all."""
    asked: list[int] = []

    class Watches:
        def choose(self, _seen: Observation) -> int:
            return 2

        def reconsider(self, _seen: Observation, progress: Progress) -> Decision | None:
            asked.append(progress.rung)
            return None

    def refuse(want: Want) -> VirtualResponse | None:
        is_gone = want.kind == "segment" and want.rung == 2
        return VirtualResponse(1e5, status=404) if is_gone else None

    trace = Trace.constant(1e6)
    play_fake(FakeTitle(segments=3, refuse=refuse), trace=trace, algorithm=Watches)
    assert 2 in asked
    assert 0 not in asked
