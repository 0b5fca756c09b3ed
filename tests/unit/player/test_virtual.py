"""The virtual driver: what a session does in the middle of a report."""

from __future__ import annotations

from typing import Any, cast

from abr.link import SharedLink
from abr.log import SessionLog
from abr.trace import Trace
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Abort, Action, Ended, Fetch, WakeAt, Want
from player.playback.session import PlaybackSession

WANT = Want(kind="segment", url="x", track="video", segment=0, rung=0)


class EndsWithBytes:
    """A session of two requests that is over once bytes of the first are told."""

    def __init__(self) -> None:
        self.log = SessionLog({})
        self.state = "playing"

    def start(self, _now_s: float) -> tuple[Action, ...]:
        return (Fetch(0, WANT, "x", 1), Fetch(1, WANT, "x", 1), WakeAt(1.0))

    def received(self, _flow: int, _size: float, _now_s: float, **_more: Any) -> tuple[Action, ...]:
        self.state = "ended"
        return (Abort(0, "session ended"), Abort(1, "session ended"), Ended("complete"))

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_more: ()


class Origin:
    url = "x"

    def answer(self, _want: Want) -> VirtualResponse:
        return VirtualResponse(1e6)


def test_a_session_that_ends_while_bytes_are_told_has_ended() -> None:
    """By the time of the alarm both responses have begun; the second is no more."""
    session = EndsWithBytes()
    driver = VirtualDriver(
        cast(PlaybackSession, session), Origin(), SharedLink(Trace.constant(1e6), rtt_s=0.05)
    )
    assert driver.run() is session.log
    assert repr(driver).endswith("0 transfers>")
