"""Every playback ends, whatever the playlists and however the network answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate, chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr.decision import Decision, Observation, Progress
from abr.log import SessionLog
from player import replay
from player.config import PlayerConfig
from player.drivers.live import LiveDriver
from player.drivers.replay import differences
from player.drivers.virtual import VirtualDriver
from player.playback.actions import Want
from player.playback.loader import Loader
from player.playback.retry import Failure
from player.playback.session import PlaybackSession
from tests.fakes.jumpingloop import run_jumping
from tests.fakes.shapes import Reply, ScriptedLink, ScriptedOrigin, ScriptedTransport, Shape

NAMES = ("v0.m3u8", "v1.m3u8", "v2.m3u8", "a.m3u8", "b.m3u8", "multivariant.m3u8")

names = st.sampled_from([*NAMES[:4], *NAMES])
lengths = st.lists(st.sampled_from([0.0, 0.04, 1.0, 1.001, 1.0, 4.0]), min_size=1, max_size=5)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Rungs and audio that share URLs or not, of the same number of segments or not."""
    variants = tuple(draw(st.lists(names, min_size=1, max_size=3)))
    has_audio = draw(st.booleans())
    video_s = tuple(draw(lengths))
    others = draw(st.lists(st.tuples(names, lengths.map(tuple)), max_size=2))
    if has_audio and draw(st.booleans()):
        others.append(("a.m3u8", tuple(draw(lengths))))
    return Shape(
        variants=variants,
        audio=tuple(draw(names) for _ in variants) if has_audio else (),
        video_s=video_s,
        other_s=tuple(others),
        key=draw(st.sampled_from(["", "key", "v0.m3u8"])),
        init=draw(st.sampled_from(["", "init", "v0.m3u8", "key"])),
    )


FAILURES = [
    Failure("status", 503),
    Failure("status", 404),
    Failure("status", 403, "expired"),
    Failure("status", 403, "wrong-title"),
    Failure("connect", message="refused"),
    Failure("truncated"),
    Failure("content", message="of no use"),
]

replies = st.one_of(
    st.builds(
        Reply,
        first_byte_s=st.sampled_from([0.0, 0.01, 0.01, 1.9, 3.0, math.inf]),
        rest_s=st.sampled_from([0.0, 0.01, 0.01, 1.0, 1.0, 7.0, math.inf]),
    ),
    st.builds(Reply, failure=st.sampled_from(FAILURES)),
)

configs = st.builds(
    PlayerConfig,
    max_buffer_s=st.sampled_from([1.0, 5.0, 30.0]),
    startup_buffer_s=st.sampled_from([0.0, 0.9]),
    resume_buffer_s=st.sampled_from([0.0, 0.2]),
    render_delay_s=st.sampled_from([0.0, 0.25]),
    tracks=st.sampled_from(["in-turn", "together"]),
    attempts=st.sampled_from([1, 3]),
    patience_s=st.sampled_from([0.0, 3.0]),
    first_byte_limit_s=st.just(2.0),
    idle_limit_s=st.sampled_from([1.5, 20.0]),
    total_limit_s=st.just(6.0),
)

LATEST_S = 1000.0
"""Five segments of at most 4 s for each of two tracks, their playlists, keys and
initialisation sections: 20 requests that take 3 s of patience and 3 tries of 6 s each,
twice where the lowest rung stands in, and less than 50 s of waiting and playing."""


Pauses = list[tuple[float, float]]
"""Seconds until the viewer pauses and until they resume, again and again."""


class Erratic:
    """Legal answers without sense: any rung, some waiting, some abandonment."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def choose(self, seen: Observation) -> Decision:
        rung = int(self._rng.integers(len(seen.ladder_bps)))
        return Decision(rung, wait_s=float(self._rng.choice([0.0, 0.0, 0.7])))

    def reconsider(self, _seen: Observation, _progress: Progress) -> Decision | None:
        return Decision(0) if self._rng.random() < 0.1 else None


def mostly_good(script: list[Reply], seed: int) -> Callable[[Want], Reply]:
    """The replies of ``script`` first, then good ones with one of the script now and then."""
    left, rng = list(script), np.random.default_rng(seed)

    def reply(_want: Want) -> Reply:
        if left:
            return left.pop(0)
        return script[int(rng.integers(len(script)))] if script and rng.random() < 0.1 else Reply()

    return reply


def check_ending(log: SessionLog, paused_s: float = 0.0) -> str:
    """Exactly one ``ended``, last, in time and not for want of an idea; returns its reason."""
    assert [r["e"] for r in log.records].count("ended") == 1
    last = log.records[-1]
    assert last["e"] == "ended"
    assert last["t"] < LATEST_S + paused_s
    assert last["why"] == "complete" or last["why"].startswith("error: ")
    assert "nothing is left to wait for" not in last["why"]
    return str(last["why"])


def play_shape(
    shape: Shape,
    reply: Callable[[Want], Reply] = lambda _want: Reply(),
    *,
    config: PlayerConfig | None = None,
    seed: int = 0,
) -> tuple[SessionLog, ScriptedOrigin]:
    """Play ``shape`` on the virtual driver."""
    origin = ScriptedOrigin(shape, reply)
    session = PlaybackSession(origin.url, lambda: Erratic(seed), config)
    link = ScriptedLink(origin.replies)
    return VirtualDriver(session, origin, link).run(), origin


@settings(max_examples=300)
@given(shapes(), st.lists(replies, max_size=12), configs, st.integers(0, 99))
def test_every_virtual_session_ends(
    shape: Shape, script: list[Reply], config: PlayerConfig, seed: int
) -> None:
    """In bounded time, with a reason; and a replay is identical."""
    log, _ = play_shape(shape, mostly_good(script, seed), config=config, seed=seed)
    check_ending(log)
    if "algorithm" in log.provenance:
        again = replay(SessionLog.loads(log.dumps()), algorithm=lambda: Erratic(seed))
        assert differences(log, again) == []


class WithViewer(VirtualDriver):
    """A viewer pauses and resumes, again and again, and resumes at last."""

    def __init__(self, session: PlaybackSession, origin: ScriptedOrigin, pauses: Pauses) -> None:
        self._scripted = ScriptedLink(origin.replies)
        super().__init__(session, origin, self._scripted)
        self._scripted.other_times_s = list(accumulate(chain.from_iterable(pauses)))

    def _step(self) -> None:
        super()._step()
        times_s = self._scripted.other_times_s
        while times_s and times_s[0] <= self._now_s:
            is_pause = len(times_s) % 2 == 0
            del times_s[0]
            press = self._session.pause if is_pause else self._session.resume
            self._apply(press(self._now_s))


@settings(max_examples=150)
@given(
    shapes(),
    st.lists(replies, max_size=6),
    configs,
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.sampled_from([0.0, 1.0, 30.0]))),
)
def test_every_session_ends_though_the_viewer_pauses(
    shape: Shape, script: list[Reply], config: PlayerConfig, pauses: Pauses
) -> None:
    """Pauses in startup, at the end of the media, while nothing comes."""
    origin = ScriptedOrigin(shape, mostly_good(script, 0))
    session = PlaybackSession(origin.url, lambda: Erratic(0), config)
    check_ending(WithViewer(session, origin, pauses).run(), sum(chain.from_iterable(pauses)))


def play_live(
    shape: Shape, reply: Callable[[Want], Reply], *, config: PlayerConfig, seed: int
) -> SessionLog:
    """Play ``shape`` on the live driver, on a clock that jumps."""
    session = PlaybackSession(shape.url, lambda: Erratic(seed), config)
    return run_jumping(LiveDriver(session, ScriptedTransport(shape, reply)).run())


@settings(max_examples=150)
@given(shapes(), st.lists(replies, max_size=12), configs, st.integers(0, 99))
def test_every_live_session_ends(
    shape: Shape, script: list[Reply], config: PlayerConfig, seed: int
) -> None:
    """The same over the event loop, where failures are of all kinds and media is decrypted."""
    log = play_live(shape, mostly_good(script, seed), config=config, seed=seed)
    check_ending(log)
    if "algorithm" in log.provenance:
        again = replay(SessionLog.loads(log.dumps()), algorithm=lambda: Erratic(seed))
        assert differences(log, again) == []


SHARED = {
    "two rungs": Shape(variants=("v.m3u8", "v.m3u8")),
    "the highest and the lowest rung": Shape(variants=("v.m3u8", "w.m3u8", "v.m3u8")),
    "all audio groups": Shape(audio=("a.m3u8", "a.m3u8")),
    "audio and its own variant": Shape(audio=("v0.m3u8", "v1.m3u8")),
    "audio and another variant": Shape(audio=("v1.m3u8", "v1.m3u8")),
    "audio and the only variant": Shape(variants=("v.m3u8",), audio=("v.m3u8",)),
    "key and playlist": Shape(key="v0.m3u8"),
    "initialisation section and playlist": Shape(init="v0.m3u8"),
    "key and initialisation section": Shape(key="key", init="key"),
}


@pytest.mark.parametrize("shape", SHARED.values(), ids=SHARED)
@pytest.mark.parametrize("seed", range(4))
def test_who_shares_a_url_plays_to_the_end(shape: Shape, seed: int) -> None:
    """Each is served, and no playlist is fetched twice."""
    log, origin = play_shape(shape, seed=seed)
    assert check_ending(log) == "complete"
    playlists = [want.url for want in origin.asked if want.kind == "media"]
    assert len(playlists) == len(set(playlists))
    live = play_live(shape, lambda _want: Reply(), config=PlayerConfig(), seed=seed)
    assert check_ending(live) == "complete"


def test_a_playlist_that_lists_itself_is_an_error() -> None:
    """Not waited for: a variant must be a media playlist."""
    log, _ = play_shape(Shape(variants=("multivariant.m3u8",)))
    assert "a multivariant playlist; expected a media playlist" in check_ending(log)


@pytest.mark.parametrize("slow", ["segment", "init", "key"])
def test_sound_that_goes_on_after_the_picture_is_not_waited_for(slow: str) -> None:
    """Audio of 3 s beside video of 2 s: what its last second needs comes long after the picture."""
    shape = Shape(
        variants=("v.m3u8",),
        audio=("a.m3u8",),
        other_s=(("a.m3u8", (2.0, 1.0)),),
        late_in_audio=slow,
    )
    for log in played_late(shape, slow):
        assert check_ending(log) == "complete"
        assert log.records[-1]["t"] < 3.0
        assert [r["to"] for r in log.of("state")] == ["playing", "ended"]
        (note,) = log.of("note")
        assert note["text"].startswith("the sound goes on for 1.0 s after the picture")


@pytest.mark.parametrize("slow", ["segment", "init", "key"])
def test_the_last_sound_that_comes_late_ends_the_session(slow: str) -> None:
    """The last second of both: playback stalls for it, and is over when it was played."""
    shape = Shape(variants=("v.m3u8",), audio=("a.m3u8",), late_in_audio=slow)
    for log in played_late(shape, slow):
        assert check_ending(log) == "complete"
        assert 10.0 < log.records[-1]["t"] < 13.0
        assert [r["to"] for r in log.of("state")] == ["playing", "stalled", "playing", "ended"]


@pytest.mark.parametrize("missing_s", [0.0, 0.001, 0.02])
def test_a_picture_whose_last_sound_is_short_ends_in_time(missing_s: float) -> None:
    """Frames of sound and picture differ: a rest of less than a frame is no stall of 9 s."""
    lengths = (2.0 - missing_s, 0.05)
    shape = Shape(
        variants=("v.m3u8",),
        audio=("a.m3u8",),
        other_s=(("a.m3u8", lengths),),
        late_in_audio="segment",
    )
    for log in played_late(shape, "segment"):
        assert check_ending(log) == "complete"
        assert [r["to"] for r in log.of("state")] == ["playing", "ended"]


def played_late(shape: Shape, slow: str) -> list[SessionLog]:
    """Both drivers, where what is late comes after 9 s."""

    def reply(want: Want) -> Reply:
        is_late = want.kind == slow and want.track == "audio" and "late" in want.url
        return Reply(first_byte_s=9.0 if is_late else 0.01)

    virtual, _ = play_shape(shape, reply)
    return [virtual, play_live(shape, reply, config=PlayerConfig(), seed=0)]


def test_rungs_whose_lengths_differ_a_little_share_one_timeline() -> None:
    """40 ms each, within the limit for alignment, make more than a segment after 30 of them.

    The playhead must not reach a segment that is not here.
    """
    shape = Shape(video_s=(1.0,) * 30, other_s=(("v1.m3u8", (1.04,) * 30),))

    class Highest:
        def choose(self, seen: Observation) -> int:
            return len(seen.ladder_bps) - 1

    origin = ScriptedOrigin(shape, lambda _want: Reply(first_byte_s=0.9))
    session = PlaybackSession(origin.url, Highest, PlayerConfig(max_buffer_s=2.0))
    log = VirtualDriver(session, origin, ScriptedLink(origin.replies)).run()
    assert check_ending(log) == "complete"
    assert log.records[-1]["playhead_s"] == pytest.approx(30.0)


def test_a_session_that_waits_for_nothing_ends_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever fault there may be: no session is left open without anything to wait for.

    The fault planted here is that the player never begins when its playlists are here.
    """
    monkeypatch.setattr(Loader, "_begin_when_known", lambda _loader: None)
    log, _ = play_shape(Shape())
    assert log.records[-1]["why"].startswith("error: nothing is left to wait for: no playlist that")


@pytest.mark.parametrize("damage", ["unusable", "status"])
def test_sound_that_cannot_be_had_is_left_out_and_not_the_last_rungs(damage: str) -> None:
    """Each rung has sound of its own; that of the first is of no use, wherever it is tried."""
    shape = Shape(variants=("v0.m3u8", "v1.m3u8", "v2.m3u8"), audio=("a.m3u8", "b.m3u8", "v0.m3u8"))
    wrong = Failure("status", 404) if damage == "status" else Failure("unusable", message="a page")

    def reply(want: Want) -> Reply:
        is_wrong = want.kind == "segment" and "a.m3u8" in want.url
        return Reply(failure=wrong if is_wrong else None)

    log, origin = play_shape(shape, reply)
    assert check_ending(log) == "complete"
    assert sum("a.m3u8." in want.url for want in origin.asked) < 12
