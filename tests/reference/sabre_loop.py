"""Sabre's session loop, from its published description, around our rules and traces.

Only the test needs it: it shows that our rules decide as Sabre's in whole sessions,
where one different decision would change all that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from abr.decision import Download, Observation, Progress, Rule, begin, downloads_from
from abr.media import Presentation
from abr.trace import Trace


@dataclass
class Played:
    """What one session came to."""

    rungs: list[int] = field(default_factory=list)
    downloads: int = 0
    rebuffer_s: float = 0.0
    total_s: float = 0.0


def session(rule: Rule, film: Presentation, trace: Trace, max_buffer_s: float = 25.0) -> Played:
    """Play ``film`` over ``trace`` as Sabre does."""
    running = begin(rule, film)
    segment_s = float(film.durations_s[0])
    played = Played()
    history: list[Download] = []
    clock_s = level_s = 0.0

    def play(t_s: float) -> None:
        nonlocal level_s
        played.total_s += t_s
        played.rebuffer_s += max(t_s - level_s, 0.0)
        level_s = max(level_s - t_s, 0.0)

    segment, last_rung = 0, -1
    while segment < film.segments:
        full_s = level_s + segment_s - max_buffer_s
        if segment and full_s > 0:
            play(full_s)
            clock_s += full_s
        seen = Observation(
            clock_s, segment, level_s, max_buffer_s, last_rung, segment > 0,
            film.bitrates_bps, film.sizes_bytes, film.durations_s, downloads_from(history[-20:]),
        )  # fmt: skip
        decision = running.choose(seen)
        if decision.wait_s > 0:
            play(decision.wait_s)
            clock_s += decision.wait_s
        rung, begun_s, level0_s = decision.rung, clock_s, level_s
        size = float(film.sizes_bytes[rung, segment])
        first_s = _after_latency(trace, begun_s)
        clock_s, got, given_up = first_s, 0.0, False
        pause_s = 0.05 - (first_s - begun_s)
        while got < size:
            next_s = max(trace.finish_time(clock_s, 1500), clock_s + pause_s)
            end_s = trace.finish_time(clock_s, size - got)
            if end_s <= next_s:
                clock_s, got = end_s, size
                break
            got += (trace.bits_by(next_s) - trace.bits_by(clock_s)) / 8
            clock_s, pause_s = next_s, 0.05
            if segment == 0:
                continue
            buffer_s = max(0.0, level0_s - (clock_s - begun_s))
            progress = Progress(clock_s, segment, rung, size, got, begun_s, first_s, buffer_s)
            if running.reconsider(seen, progress) is not None:
                given_up = True
                break
        played.downloads += 1
        if segment:
            play(clock_s - begun_s)
        else:
            played.total_s += clock_s
        if given_up:
            continue
        level_s += segment_s
        download = Download(segment, rung, size, begun_s, first_s, clock_s)
        history.append(download)
        running.delivered(seen, download)
        played.rungs.append(rung)
        segment, last_rung = segment + 1, rung
    played.total_s += level_s
    return played


def _after_latency(trace: Trace, start_s: float) -> float:
    """One unit of latency, paid at each period's price for as long as it lasts."""
    assert trace.rtt_s is not None
    period_s, bounds, left = trace.duration_s, trace.times_s.tolist(), 1.0
    passes = int(start_s // period_s)
    within_s = start_s - passes * period_s
    k = max(i for i in range(len(bounds) - 1) if bounds[i] <= within_s)
    while True:
        latency_s = float(trace.rtt_s[k])
        room_s = bounds[k + 1] - within_s
        if left * latency_s <= room_s:
            return passes * period_s + within_s + left * latency_s
        left -= room_s / latency_s
        k, within_s = k + 1, bounds[k + 1]
        if k == len(trace.rtt_s):
            passes, k, within_s = passes + 1, 0, 0.0
