"""Random live streams on random networks, by number, and what must be true of every playback.

The same number gives the same stream, network, algorithm and player. Streams stop, end, begin anew,
lag and leave requests unanswered in any combination.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np

from abr import registry
from abr.decision import Algorithm
from abr.log import SessionLog
from abr.qoe import summary
from abr.trace import Trace
from player.api import replay
from player.config import PlayerConfig
from player.drivers.replay import differences
from player.drivers.virtual import VirtualResponse
from player.playback.actions import Want
from tests.fakes.livestream import FakeLive, play_live
from transcode.playlist import ServerControl

T = TypeVar("T")

UNTIL_S = 300.0
MOST_REQUESTS = 6000
ALGORITHMS = ("bola-sabre", "mpc", "bola-e", "hls-js", "bba-0", "lowest", "dynamic", "puffer-mpc")
NEVER_S = 1e9


@dataclass(frozen=True, slots=True)
class Outage:
    """Some requests are not answered as they should be, for a time."""

    start_s: float
    length_s: float
    status: int
    """0: with 200 and no playlist."""
    kinds: tuple[str, ...]
    track: str
    rung: int | None

    def answer(self, want: Want, now_s: float) -> VirtualResponse | None:
        """What ``want`` gets; None: what it asks for."""
        is_meant = want.kind in self.kinds and self.track in ("", want.track)
        if not is_meant or self.rung not in (None, want.rung):
            return None
        if not self.start_s < now_s < self.start_s + self.length_s:
            return None
        if self.status == 0 and want.kind in ("media", "multivariant"):
            return VirtualResponse(20, b"this is no playlist.")
        return VirtualResponse(0, status=self.status or 503)


@dataclass
class LiveScript:
    """One playback to be."""

    stream: FakeLive
    algorithm: Algorithm
    trace: Trace
    config: PlayerConfig
    outages: list[Outage] = field(default_factory=list)

    def play(self) -> SessionLog:
        """Play it on the virtual clock."""
        return play_live(
            self.stream,
            algorithm=self.algorithm,
            until_s=UNTIL_S,
            trace=self.trace,
            config=self.config,
        )


def random_live(number: int) -> LiveScript:
    """The playback of that number."""
    rng = np.random.default_rng(number)
    outages = [_outage(rng) for _ in range(_pick(rng, [0, 0, 1, 2, 3]))]

    def refuse(want: Want, now_s: float) -> VirtualResponse | None:
        found = (outage.answer(want, now_s) for outage in outages)
        return next((answer for answer in found if answer is not None), None)

    return LiveScript(
        stream=_stream(rng, refuse),
        algorithm=registry.load(_pick(rng, ALGORITHMS)),
        trace=_trace(rng),
        config=PlayerConfig(tracks=_pick(rng, ["in-turn", "together"])),
        outages=outages,
    )


def problems(script: LiveScript, log: SessionLog) -> list[str]:
    """What is wrong with a playback; empty when nothing is."""
    qoe, found = summary(log), []
    if qoe.ended == "still open" or "nothing is left to wait for" in qoe.ended:
        found.append(f"ended: {qoe.ended}")
    if len(script.stream.asked) > MOST_REQUESTS:
        found.append(f"{len(script.stream.asked)} requests")
    if qoe.startup_s is None:
        return found
    spent_s = qoe.startup_s + qoe.played_s + qoe.stall_s + qoe.paused_s
    if not math.isclose(spent_s, qoe.elapsed_s, abs_tol=1e-6):
        found.append(f"{spent_s} s accounted for, {qoe.elapsed_s} s passed")
    plays = list(log.of("play"))
    shown = [record["segment"] for record in plays]
    if any(after <= before for before, after in pairwise(shown)):  # some may be passed over
        found.append("segments were not shown one after the other")
    if qoe.played_s > sum(record["duration_s"] for record in plays) + 0.5:
        found.append(f"{qoe.played_s} s played, more than was shown")
    return found + differences(log, replay(log, algorithm=script.algorithm), most=2)


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _outage(rng: np.random.Generator) -> Outage:
    kinds = rng.permutation(["media", "segment", "init", "multivariant"])[: rng.integers(1, 4)]
    return Outage(
        start_s=_uniform(rng, 0, 200),
        length_s=_pick(rng, [1, 5, 20, 70]),
        status=_pick(rng, [0, 403, 404, 500, 503]),
        kinds=tuple(map(str, kinds)),
        track=_pick(rng, ["", "video", "audio"]),
        rung=_pick(rng, [None, 0, 1, 2]),
    )


def _stream(
    rng: np.random.Generator, refuse: Callable[[Want, float], VirtualResponse | None]
) -> FakeLive:
    segment_s = _pick(rng, [1.0, 2.0, 2.002, 3.84, 4.0, 6.006, 10.0])
    lags_s = {rung: _pick(rng, [0, 0, 0, _uniform(rng, 0, 3 * segment_s)]) for rung in range(-1, 3)}
    stop_s = _uniform(rng, 0, 150)
    return FakeLive(
        rates_bps=_pick(rng, [(1_000_000, 2_000_000, 4_000_000), (1_000_000,)]),
        segment_s=segment_s,
        audio_segment_s=segment_s * _pick(rng, [1, 1, 1.5, 0.5]),
        window=_pick(rng, [0, 1, 2, 3, 5, 10, 40]),
        on_air_s=_pick(rng, [0, _uniform(rng, 0, 30), _uniform(rng, 50, 200)]),
        ends_s=_pick(rng, [NEVER_S, NEVER_S, _uniform(rng, 0, 200)]),
        stops=_pick(rng, [(NEVER_S, NEVER_S), (stop_s, stop_s + _pick(rng, [10, 50, NEVER_S]))]),
        restarts_s=_pick(rng, [NEVER_S, NEVER_S, _uniform(rng, 0, 200)]),
        jumps=(_pick(rng, [NEVER_S, _uniform(rng, 0, 200)]), _pick(rng, [1, 3, 100])),
        has_audio=rng.random() < 0.7,
        audio_first=_pick(rng, [0, 0, 7, 10**6]),
        is_dated=rng.random() < 0.5,
        control=_pick(
            rng,
            [
                None,
                ServerControl(hold_back_s=round(_uniform(rng, segment_s, 5 * segment_s), 3)),
                ServerControl(can_skip_until_s=6 * segment_s),
            ],
        ),
        lag_s=lambda rung: lags_s.get(rung, 0.0),
        refuse=refuse,
    )


def _trace(rng: np.random.Generator) -> Trace:
    if rng.random() < 0.6:
        return Trace.constant(_pick(rng, [0.4e6, 1.3e6, 3e6, 20e6]))
    bad_bps = _pick(rng, [0.0, 2e5])
    times_s, capacity_bps = np.array([0.0, 50.0, 80.0, 9000.0]), np.array([5e6, bad_bps, 5e6])
    return Trace(times_s=times_s, capacity_bps=capacity_bps, end="loop", name="dip")
