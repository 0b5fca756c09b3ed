"""The live driver on a clock that jumps and a transport that answers by a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from abr.decision import Observation
from abr.log import SessionLog
from abr.qoe import summary
from player import replay
from player.config import PlayerConfig
from player.drivers.live import LiveDriver, MediaSink
from player.drivers.replay import differences
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.jumpingloop import JumpingLoop, run_jumping
from tests.fakes.shapes import INIT, MEDIA, Reply, ScriptedTransport, Shape
from tests.fakes.titles import fixed


class Collects:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[str, int, bytes]] = []

    def add(self, want: Want, data: bytes) -> None:
        """Note kind and number of segment."""
        self.got.append((want.kind, want.segment, data))


class IsFull:
    """A sink whose disk is full."""

    def add(self, _want: Want, _data: bytes) -> None:
        """Fail like the disk."""
        raise OSError(28, "no space left")


def good(_want: Want) -> Reply:
    return Reply()


def driver(
    shape: Shape,
    reply: Callable[[Want], Reply] = good,
    config: PlayerConfig | None = None,
    *,
    sink: MediaSink | None = None,
    on_progress: Callable[[PlaybackSession], None] | None = None,
) -> LiveDriver:
    session = PlaybackSession(shape.url, fixed(0), config)
    transport = ScriptedTransport(shape, reply)
    return LiveDriver(session, transport, sink=sink, on_progress=on_progress)


def test_media_is_decrypted_though_its_key_comes_last() -> None:
    """The sink gets the section and both segments in the clear, once each."""
    sink = Collects()
    late_key = lambda want: Reply(first_byte_s=3.0 if want.kind == "key" else 0.01)  # noqa: E731
    log = run_jumping(driver(Shape(key="key", init="init"), late_key, sink=sink).run())
    assert log.records[-1]["why"] == "complete"
    assert sorted(sink.got) == [("init", -1, INIT)] + [("segment", n, MEDIA) for n in (0, 1)]


def test_a_sink_that_fails_ends_the_run_with_its_error() -> None:
    """A full disk is not silently a playback without media."""
    with pytest.raises(OSError, match="no space left"):
        run_jumping(driver(Shape(), sink=IsFull()).run())


def test_a_progress_line_that_fails_ends_the_run_with_its_error() -> None:
    """Whatever is called from a timer or a task."""

    def progress(session: PlaybackSession) -> None:
        if session.state == "playing":
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        run_jumping(driver(Shape(), on_progress=progress).run())


def test_a_transport_that_raises_anything_else_ends_the_run_with_it() -> None:
    """A fault of ours is not taken for silence of the server."""

    def reply(_want: Want) -> Reply:
        raise LookupError("a fault")

    with pytest.raises(LookupError, match="a fault"):
        run_jumping(driver(Shape(), reply).run())


@pytest.mark.parametrize("attempts", [1, 2])
def test_requests_that_pass_a_limit_together_end_the_session_once(attempts: int) -> None:
    """Key, section and segment are asked for together and all are met with silence."""
    config = PlayerConfig(attempts=attempts, first_byte_limit_s=2.0, patience_s=0.0)
    quiet = lambda want: Reply(first_byte_s=0.01 if want.kind in READ else 1e9)  # noqa: E731
    shape = Shape(variants=("v.m3u8",), key="key", init="init")
    log = run_jumping(driver(shape, quiet, config).run())
    tries = "1 attempt" if attempts == 1 else "2 attempts"
    assert log.records[-1]["why"].endswith(f"no byte after 2 s after {tries}")
    assert [r["e"] for r in log.records].count("ended") == 1


READ = ("multivariant", "media")


def test_cancelling_stops_the_session_and_every_transfer() -> None:
    """The session's log is closed and no task is left."""
    shape = Shape(video_s=(1.0,) * 50)
    session = PlaybackSession(shape.url, fixed(0))

    async def leave() -> SessionLog:
        task = asyncio.create_task(LiveDriver(session, ScriptedTransport(shape, good)).run())
        await asyncio.sleep(5.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1
        return session.log

    assert run_jumping(leave()).records[-1]["why"] == "stopped"


class Thinks:
    """An algorithm that takes its time: it moves the clock of the loop."""

    def choose(self, seen: Observation) -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        loop.spend(0.5)
        self.seen = seen
        return 0


def test_what_this_program_computes_is_not_time_of_the_network() -> None:
    """Half a second before each request: downloads are timed from when they are sent."""
    made: list[Thinks] = []

    def make() -> Thinks:
        made.append(Thinks())
        return made[-1]

    session = PlaybackSession(Shape().url, make)
    log = run_jumping(LiveDriver(session, ScriptedTransport(Shape(), good)).run())
    asked, sent = ({r["id"]: r["t"] for r in log.of(kind)} for kind in ("fetch", "sent"))
    late = {number: sent[number] - asked[number] for number in sent}
    assert list(late.values()) == [pytest.approx(0.5)] * 2
    downloads = made[-1].seen.downloads
    assert downloads.end_s - downloads.start_s == pytest.approx([0.02])
    assert differences(log, replay(SessionLog.loads(log.dumps()), algorithm=fixed(0))) == []


@pytest.mark.parametrize("late", ["key", "init"])
def test_media_that_prove_useless_when_their_key_comes_are_fetched_again(late: str) -> None:
    """Two of four segments were cut, and the first section; all had been taken for good.

    What is behind them is kept; playback waits for them, and the log replays.
    """
    seen: dict[str, int] = {}

    def reply(want: Want) -> Reply:
        tries = seen[want.url] = seen.get(want.url, 0) + 1
        is_cut = tries == 1 and (want.segment in (0, 2) or (want.kind == "init" and late == "key"))
        wait_s = 9.0 if want.kind == late else 0.01
        return Reply(first_byte_s=wait_s, cut_bytes=5 if is_cut else 0)

    sink = Collects()
    shape = Shape(variants=("v.m3u8",), video_s=(4.0,) * 4, key="key", init="init")
    config = PlayerConfig(max_buffer_s=12.0)
    log = run_jumping(driver(shape, reply, config, sink=sink).run())
    assert log.records[-1]["why"] == "complete"
    assert {name: count for name, count in seen.items() if count > 1} == {
        **{shape.url.replace("multivariant.m3u8", f"v.m3u8.{n}.m4s"): 2 for n in (0, 2)},
        **({shape.url.replace("multivariant.m3u8", "init"): 2} if late == "key" else {}),
    }
    assert sorted(n for kind, n, _ in sink.got if kind == "segment") == [0, 1, 2, 3]
    assert summary(log).rungs == (0, 0, 0, 0)
    first = next(r["t"] for r in log.of("state"))
    assert first > max(r["t"] for r in log.of("failed"))
    assert differences(log, replay(SessionLog.loads(log.dumps()), algorithm=fixed(0))) == []


def test_media_that_stay_useless_end_the_session() -> None:
    """After as many tries as any other request."""
    wrong = lambda want: Reply(9.0 if want.kind == "key" else 0.01, cut_bytes=want.segment == 0)  # noqa: E731
    shape = Shape(variants=("v.m3u8",), key="key", init="init")
    config = PlayerConfig(attempts=3, patience_s=0.0)
    log = run_jumping(driver(shape, wrong, config).run())
    why = log.records[-1]["why"]
    assert why.startswith("error: v.m3u8.0.m4s: segment 0: encrypted segment: ")
    assert why.endswith(" after 3 attempts")


def test_a_timer_that_is_early_is_no_reason_to_wait_again_and_again() -> None:
    """On a clock that has run for two months, times are rounded to a nanosecond."""

    async def late() -> SessionLog:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        loop.spend(5e6)
        return await driver(Shape(video_s=(1.1,) * 40), config=PlayerConfig(max_buffer_s=3.3)).run()

    log = run_jumping(late())
    assert log.records[-1]["why"] == "complete"
    assert len(list(log.of("wake"))) < 60
