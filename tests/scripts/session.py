"""One random session: a title, a server, a player and a viewer, all drawn from one number.

``play`` runs it on the virtual driver or on the live one, over an event loop whose clock jumps;
``problems`` says what is wrong with its log, whatever was drawn.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

from abr.decision import Decision, Observation, Progress
from abr.errors import AbrError
from abr.log import SessionLog
from abr.qoe import summary
from player import replay
from player.config import PlayerConfig
from player.drivers.live import LiveDriver
from player.drivers.replay import differences
from player.drivers.transport import TransferError
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.jumpingloop import run_jumping
from tests.fakes.shapes import SILENCE_S, Reply, ScriptedLink
from tests.scripts.draw import Draw
from tests.scripts.server import Server
from tests.scripts.shown import got_s
from tests.scripts.title import Title, random_title

Clock = Literal["virtual", "live"]

LATEST_S = 3600.0
"""No session of a random title, of half a minute at most and some forty requests, lasts longer."""
MOST_RECORDS = 20_000
"""Nor does so much happen in one."""

SAME_END_S = 0.25
"""Rungs of other lengths may end so much earlier."""

GAP = re.compile(r"no (picture|sound) from (\S+) to (\S+) s: .*")

ELSEWHERE = "http://c.test/moved/film/"


class Erratic:
    """Legal answers without sense: any rung, some waiting, some abandonment."""

    def __init__(self, seed: int) -> None:
        self._draw = Draw(seed)

    def choose(self, seen: Observation) -> Decision:
        """Any rung."""
        rung = self._draw.below(len(seen.ladder_bps))
        return Decision(rung, wait_s=self._draw.one((0.0, 0.0, 0.7)))

    def reconsider(self, _seen: Observation, progress: Progress) -> Decision | None:
        """A lower rung now and then."""
        if self._draw.random() > 0.1:
            return None
        return Decision(self._draw.below(progress.rung))


@dataclass(frozen=True, slots=True)
class Script:
    """All that is drawn."""

    seed: int
    title: Title
    server: Server
    config: PlayerConfig
    pauses_s: tuple[float, ...]
    """Seconds until the viewer pauses, resumes, pauses and so on; they resume at last."""
    stop_at_s: float

    @property
    def latest_s(self) -> float:
        """When it must be over."""
        return min(LATEST_S + sum(self.pauses_s), self.stop_at_s)


def random_script(seed: int) -> Script:
    """The script of that number."""
    draw = Draw(seed)
    title = random_title(draw)
    pauses: tuple[float, ...] = ()
    if draw.random() < 0.1:
        count = 2 * draw.between(1, 3)
        pauses = tuple(draw.one((0.2, 0.5, 3.0, 30.0)) for _ in range(count))
    stop_at_s = draw.one((20.0, 60.0)) if title.is_live else math.inf
    if draw.random() < 0.08:
        stop_at_s = draw.one((0.0, 0.01, 1.5, 6.0))
    return Script(seed, title, Server(title, draw), _random_config(draw), pauses, stop_at_s)


def _random_config(draw: Draw) -> PlayerConfig:
    return PlayerConfig(
        max_buffer_s=draw.one((1.0, 5.0, 30.0)),
        startup_buffer_s=draw.one((0.0, 0.2, 0.9)),
        resume_buffer_s=draw.one((0.0, 0.2)),
        resume_growth=draw.one((1.0, 2.0)),
        render_delay_s=draw.one((0.0, 0.0, 0.25)),
        tracks=draw.one(("in-turn", "together")),
        attempts=draw.one((1, 2, 4)),
        patience_s=draw.one((0.0, 3.0, 20.0)),
        first_byte_limit_s=draw.one((2.0, 20.0)),
        idle_limit_s=draw.one((1.5, 20.0)),
        total_limit_s=draw.one((6.0, 180.0)),
        seed=draw.below(100),
    )


def play(script: Script, clock: Clock) -> SessionLog:
    """Run the session to its end."""
    seed = script.seed
    session = PlaybackSession(script.title.url, lambda: Erratic(seed), script.config)
    if clock == "virtual":
        return _Watched(script, session).run()
    return run_jumping(_play_live(script, session))


@dataclass
class _Origin:
    """The server, as the virtual driver asks it."""

    server: Server
    now_s: Callable[[], float] = lambda: 0.0
    replies: list[Reply] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.title.url

    def answer(self, want: Want) -> VirtualResponse:
        answer = self.server.answer(want, self.now_s())
        self.replies.append(Reply(answer.first_byte_s, answer.rest_s))
        return VirtualResponse(float(len(answer.body)), answer.body, failure=answer.failure)


class _Watched(VirtualDriver):
    """The virtual driver with a viewer who pauses and resumes."""

    def __init__(self, script: Script, session: PlaybackSession) -> None:
        origin = _Origin(script.server)
        self._scripted = ScriptedLink(origin.replies)
        super().__init__(session, origin, self._scripted, stop_at_s=script.stop_at_s)
        origin.now_s = lambda: self._now_s
        self._scripted.other_times_s = list(accumulate(script.pauses_s))

    def _step(self) -> None:
        super()._step()
        times_s = self._scripted.other_times_s
        while times_s and times_s[0] <= self._now_s:
            is_pause = len(times_s) % 2 == 0
            del times_s[0]
            self._apply((self._session.pause if is_pause else self._session.resume)(self._now_s))


class _Transport:
    """The server, as the live driver asks it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._draw = Draw(script.seed)
        self.driver: LiveDriver | None = None

    async def fetch(
        self,
        want: Want,
        url: str,
        *,
        on_response: Callable[[str | None], None],
        on_piece: Callable[[int], None],
    ) -> bytes:
        assert self.driver is not None
        answer = self._script.server.answer(want, self.driver._now_s())
        failure = answer.failure
        await asyncio.sleep(min(answer.first_byte_s, SILENCE_S))
        if failure is not None and failure.kind in ("status", "connect", "timeout"):
            raise TransferError(failure)
        on_response(self._moved(want, url))
        size = len(answer.body)
        on_piece(size // 2)
        await asyncio.sleep(min(answer.rest_s, SILENCE_S))
        if failure is not None:
            raise TransferError(failure)
        on_piece(size - size // 2)
        return answer.body

    def _moved(self, want: Want, url: str) -> str | None:
        """Where a redirect led."""
        is_playlist = want.kind in ("multivariant", "media")
        if not is_playlist or self._draw.random() > 0.05:
            return None
        return ELSEWHERE + url.rpartition("/")[2]


async def _play_live(script: Script, session: PlaybackSession) -> SessionLog:
    loop = asyncio.get_running_loop()
    transport = _Transport(script)
    presses: list[asyncio.TimerHandle] = []
    driver = LiveDriver(session, transport, stop_at_s=script.stop_at_s)
    transport.driver = driver
    now_s = loop.time()
    for index, at_s in enumerate(accumulate(script.pauses_s)):
        press = session.pause if index % 2 == 0 else session.resume
        presses.append(loop.call_at(now_s + at_s, driver._tell, press))
    try:
        return await driver.run()
    finally:
        for handle in presses:
            handle.cancel()


# --- what must hold ------------------------------------------------------------------------


def problems(script: Script, log: SessionLog) -> list[str]:
    """What is wrong with the log of ``script``; empty when nothing is."""
    found = [*_ending(script, log), *_requests(log), *_time(script, log)]
    try:
        found += differences(log, replay(log, algorithm=lambda: Erratic(script.seed)))
    except AbrError as exc:
        found.append(f"replay: {exc}")
    return found


def _ending(script: Script, log: SessionLog) -> list[str]:
    kinds = Counter(record["e"] for record in log.records)
    last = log.records[-1]
    if kinds["ended"] != 1 or last["e"] != "ended":
        return [f"{kinds['ended']} endings; expected one, last"]
    why, found = str(last["why"]), []
    if "nothing is left to wait for" in why:
        found.append(why)
    if not (why in ("complete", "stopped") or why.startswith("error: ")):
        found.append(f"ended: {why}")
    if why == "stopped" and last["t"] < script.stop_at_s - 1e-6:
        found.append(f"stopped at {last['t']} s, and nobody asked")
    if last["t"] > script.latest_s + 1e-6:
        found.append(f"ended after {last['t']:.1f} s")
    if len(log.records) > MOST_RECORDS:
        found.append(f"{len(log.records)} records")
    return found


def _requests(log: SessionLog) -> list[str]:
    """Each has one end, and nothing is heard of it afterwards."""
    state: dict[int, str] = {}
    found = []
    for record in log.of("fetch", "sent", "response", "finished", "abort"):
        number, kind = record["id"], record["e"]
        if kind == "fetch":
            if number in state:
                found.append(f"request {number} twice")
            state[number] = "open"
        elif state.get(number) != "open":
            found.append(f"{kind} of request {number}, which is {state.get(number, 'unknown')}")
        if kind in ("finished", "abort"):
            state[number] = kind
        if kind == "abort" and record["why"] == "timeout":
            state[number] = "timeout"
    return found


def _time(script: Script, log: SessionLog) -> list[str]:
    """Every second is startup, playing, stalled or paused; times do not go back."""
    found = []
    times = [record["t"] for record in log.records]
    if times != sorted(times):
        found.append("times go back")
    qoe = summary(log)
    startup_s = qoe.elapsed_s if qoe.startup_s is None else qoe.startup_s
    spent_s = startup_s + qoe.played_s + qoe.stall_s + qoe.paused_s
    if abs(spent_s - qoe.elapsed_s) > 1e-6:
        found.append(f"{spent_s} s accounted for; expected {qoe.elapsed_s} s")
    if qoe.played_s > got_s(log) + _gaps_s(log, "picture") + SAME_END_S:
        found.append(f"{qoe.played_s} s played of {got_s(log)} s that came")
    # Playlists of a live stream (or cut ones, which look like it) may lie one behind the other.
    was_followed = any(log.of("live"))
    if not was_followed and qoe.played_s > script.title.media_s + SAME_END_S:
        found.append(f"{qoe.played_s} s played of {script.title.media_s} s")
    found += [
        f"buffer from {record['before_s']} to {record['buffer_s']} s"
        for record in log.of("buffer")
        if not -1e-9 <= record["before_s"] <= record["buffer_s"] + 1e-9
    ]
    played = [record["segment"] for record in log.of("play")]
    if played != sorted(set(played)):
        found.append(f"segments shown in the order {played}")
    if qoe.ended == "complete" and not script.title.is_live:
        whole_s = log.provenance["duration_s"]
        # The last segment of another rung may reach further; gaps may take no time.
        if qoe.played_s < whole_s - SAME_END_S - _gaps_s(log):
            found.append(f"complete after {qoe.played_s} s of {whole_s} s")
    return found


def _gaps_s(log: SessionLog, *what: str) -> float:
    """How much of the title is there in name only, as the log says: of ``what``, or of all."""
    told = (GAP.fullmatch(record["text"]) for record in log.of("note"))
    gaps = [gap for gap in told if gap is not None and (not what or gap[1] in what)]
    return sum(float(gap[3]) - float(gap[2]) for gap in gaps)


__all__ = ["Clock", "Erratic", "Script", "play", "problems", "random_script"]
