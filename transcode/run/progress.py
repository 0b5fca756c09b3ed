"""How far a transcode has come, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from transcode.planning.jobs import Job, VideoJob, jobs_of, work_of
from transcode.planning.plan import EncodePlan
from transcode.run.process import Tick

_SHARES = {"encode": 0.0, "package": 0.97, "verify": 0.98}
"""Where each phase begins, of the whole."""
_FULL_SHARES = {"encode": 0.0, "package": 0.82, "verify": 0.83}
"""The same when everything is decoded at the end."""
_MEASURED_SHARES = {"encode": 0.0, "measure": 0.4, "package": 0.97, "verify": 0.98}
"""The same when every frame is measured."""
_SHORTEST_S = 1e-3
_TELLS_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeProgress:
    """Progress of a transcode."""

    phase: str
    """``encode``, ``measure``, ``package`` or ``verify``."""
    fraction: float
    """Of the whole, 0 to 1."""
    speed: float
    """Media seconds per second of real time, in this phase."""
    eta_s: float
    """Seconds left at the pace so far; ``inf`` before anything is done."""
    tracks: Mapping[str, float]
    """Fraction of each track that is encoded, by the name of its folder."""


class Pace:
    """Turns ticks into progress."""

    def __init__(
        self,
        plan: EncodePlan,
        on_progress: Callable[[TranscodeProgress], None] | None,
        *,
        in_full: bool,
        measures: bool = False,
    ) -> None:
        """Begin; the last phase decodes everything with ``in_full``, or measures it."""
        self._plan = plan
        self._on_progress = on_progress
        plain = _FULL_SHARES if in_full else _SHARES
        self._shares = _MEASURED_SHARES if measures else plain
        self._began_s = self._phase_began_s = time.monotonic()
        self._phase = "encode"
        self._jobs = {(type(job), _key(job)): job for job in jobs_of(plan)}
        self._left = dict.fromkeys(self._jobs, 1.0)
        self._work = {key: work_of(job, self._plan) for key, job in self._jobs.items()}
        self._total = sum(self._work.values()) or 1.0
        self._there = 0.0
        self._fraction = 0.0
        self._told_s = 0.0

    def __repr__(self) -> str:
        return f"<Pace {self._phase}, {self._fraction:.0%} of {self._plan.duration_s:.2f} s>"

    def begin(self, phase: str) -> None:
        """A new phase begins."""
        self._phase, self._phase_began_s = phase, time.monotonic()
        self._tell(0.0, 0.0)

    def skip(self, todo: list[Job]) -> None:
        """Say which jobs, or parts of jobs, are left to do; the others are there already."""
        doing = {(type(job), _key(job)): job for job in todo}
        for key in self._jobs:
            job = doing.get(key)
            self._left[key] = 0.0 if job is None else work_of(job, self._plan) / self._work[key]
        self._there = self._done()

    def tick(self, job: Job, tick: Tick) -> None:
        """A job has come so far."""
        key = (type(job), _key(job))
        if isinstance(job, VideoJob):
            done = tick.frames / (job.chunk.frames or 1) if job.chunk.frames else 0.0
        else:
            done = tick.media_s / max(_SHORTEST_S, job.audio.duration_s)
        share = work_of(job, self._plan) / self._work[key]
        self._left[key] = min(self._left[key], share * max(0.0, 1 - done))
        if time.monotonic() >= self._told_s + _TELLS_EVERY_S:  # many jobs tick, a film has hundreds
            self._tell_encoded()

    def finish(self, job: Job) -> None:
        """A job is done."""
        self._left[type(job), _key(job)] = 0.0
        self._tell_encoded()

    def tell(self, done: float, media_s: float) -> None:
        """This phase has come so far: a fraction, and seconds of media."""
        self._tell(done, media_s)

    def _done(self) -> float:
        """Work done, and work that was not needed."""
        return sum(work * (1 - self._left[key]) for key, work in self._work.items())

    def _tell_encoded(self) -> None:
        own = (self._done() - self._there) / self._total
        self._tell(self._done() / self._total, own * self._plan.duration_s)

    def _tell(self, done: float, media_s: float) -> None:
        begin = self._shares[self._phase]
        ends = [share for share in self._shares.values() if share > begin]
        end = min(ends, default=1.0)
        self._fraction = max(self._fraction, begin + min(1.0, done) * (end - begin))
        if self._on_progress is None:
            return
        now_s = self._told_s = time.monotonic()
        there = self._there / self._total * list(self._shares.values())[1]
        own = self._fraction - there
        self._on_progress(
            TranscodeProgress(
                phase=self._phase,
                fraction=self._fraction,
                speed=media_s / max(_SHORTEST_S, now_s - self._phase_began_s),
                eta_s=(now_s - self._began_s) * (1 - self._fraction) / own
                if own > 0
                else float("inf"),
                tracks=self._tracks(),
            )
        )

    def _tracks(self) -> dict[str, float]:
        frames: dict[str, float] = {}
        done: dict[str, float] = {}
        for key, job in self._jobs.items():
            share = float(job.chunk.frames or 1) if isinstance(job, VideoJob) else 1.0
            for name in job.products:
                frames[name.track] = frames.get(name.track, 0.0) + share
                done[name.track] = done.get(name.track, 0.0) + share * (1 - self._left[key])
        return {track: done[track] / frames[track] for track in sorted(frames, reverse=True)}


def _key(job: Job) -> str:
    return str(job.chunk.index) if isinstance(job, VideoJob) else job.track
