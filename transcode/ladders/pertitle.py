"""The ladder that one title needs, chosen from trial encodes of samples of it.

Each size was encoded at several constant rate factors, and each sample of each trial was
measured. Between the trials, curves give rate and quality of every size at every factor, so
also what a cap on the rate does to hard samples. The hull over all sizes says which size is
best at which rate. Rungs go down it from the top in steps that can just be seen.

Method: the convex hull over resolution and quality that Netflix's per-title encoding made
known, taken over curves between trials and not over the trials alone. That six VMAF can just
be seen is a rule of thumb of the field, and not checked here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from abr.errors import MediaError
from abr.media import FloatArray
from transcode.ladders.codecs import CRF_OF_HALF
from transcode.ladders.curves import interpolate, upper_hull
from transcode.ladders.presets import HD_AREA
from transcode.ladders.rungs import PlannedRung
from transcode.quality import Metric

CRF_STEP = 0.25
"""Rate factors are chosen to this, which is a change of about 3 % in rate."""
_LEAST_STEPS, _MOST_STEPS = 2, 12
"""Of a rung that is mended: what every encoder can tell apart, and a rate half as high again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A run of frames that stands for part of the film."""

    first: int
    """Number of its first frame at the constant frame rate."""
    frames: int
    weight: float
    """Which part of the film it stands for; all together 1."""
    stratum: int = 0
    """Which place it has among the samples by how hard they are."""
    stands_for: int = 1
    """How many groups of pictures it stands for, itself included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One size at one rate factor, encoded and measured."""

    width: int
    height: int
    crf: float
    bits: FloatArray
    """Of each sample, shape (S,)."""
    quality: FloatArray
    """Mean score of each sample, shape (S,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What steps and ends of a ladder are, in one metric."""

    step: float
    """A difference that can just be seen."""
    top: float
    """Above this no difference can be seen."""
    log: bool = False
    """Whether steps are of ``-10 log10(1 - score)``."""

    def units(self, score: FloatArray) -> FloatArray:
        """Scores in what steps are counted in."""
        if not self.log:
            return score
        units: FloatArray = -10 * np.log10(np.maximum(1 - score, 1e-6))
        return units


SCALES: dict[Metric, Scale] = {
    "vmaf": Scale(step=6.0, top=95.0),
    # No study was found for these two: about as many rungs as VMAF gives on the trailer.
    "xpsnr": Scale(step=2.0, top=42.0),
    "ssim": Scale(step=2.0, top=18.0, log=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds the choice."""

    sample_rate_fps: float
    """Frames per second."""
    peak_ratio: float = 1.5
    """Cap of a rung as a multiple of its mean."""
    lowest_bps: float = 150_000.0
    """The lowest rung needs no less than about this."""
    highest_bps: float = math.inf
    """No rung needs more."""
    least_ratio: float = 1.5
    """Rates of neighbouring rungs are at least so far apart: nearer ones help nobody."""
    pairs_from_area: float = HD_AREA
    """From so many pixels on, the two highest rungs have the same size (Apple's item 9.10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A size at a rate factor, and what it would give."""

    width: int
    height: int
    crf: float
    rate_bps: float
    quality: float
    error: float = 0.0
    """Standard error of the quality, because only samples were looked at."""


def choose_rungs(
    trials: Sequence[Trial], samples: Sequence[Sample], metric: Metric, limits: Limits
) -> tuple[PlannedRung, ...]:
    """The rungs that the title needs, lowest first.

    Every rung is the cheapest candidate of its quality. The highest reaches the top of the
    metric's scale, or what the limits and the trials allow; each further one is a step below
    in quality and by ``least_ratio`` in rate, down to the lowest rate.

    Raises:
        MediaError: there is no trial.
    """
    every = candidates_of(trials, samples, limits)
    if not every:
        raise MediaError("per-title: no trial encode; expected at least one")
    scale = SCALES[metric]
    kept = efficient([each for each in every if each.rate_bps <= limits.highest_bps] or every[:1])
    best = _first_reaching(kept, scale)
    chosen = [best]
    if best.width * best.height >= limits.pairs_from_area:
        same = [each for each in every if (each.width, each.height) == (best.width, best.height)]
        chosen += _next_below(efficient(same), best, scale, limits)
    while chosen[-1].rate_bps > limits.lowest_bps and (
        below := _next_below(kept, chosen[-1], scale, limits)
    ):
        chosen += below
    return tuple(
        PlannedRung(
            each.width,
            each.height,
            round(each.rate_bps),
            crf=each.crf,
            cap_bps=round(each.rate_bps * limits.peak_ratio),
            target=each.quality - each.error,
            gain=_gain(each, every),
        )
        for each in reversed(chosen)
    )


def _gain(chosen: Candidate, every: Sequence[Candidate]) -> float | None:
    """Quality that a factor lower by one brings; None at the end of what was tried."""
    finer = (
        each.quality - chosen.quality
        for each in every
        if (each.width, each.height) == (chosen.width, chosen.height)
        and math.isclose(each.crf, chosen.crf - 1)
    )
    return next(finer, None)


def mend_rungs(
    rungs: Sequence[PlannedRung], missing: Mapping[int, float]
) -> tuple[PlannedRung, ...]:
    """The ladder with rungs that came out below their targets encoded more finely.

    Args:
        rungs: The ladder, at constant quality.
        missing: By the number of the rung, the quality that it lacks.

    The cap rises as much as the rate is expected to, so the two stay as far apart.
    """
    mended = list(rungs)
    for number, lacking in missing.items():
        rung = rungs[number]
        assert rung.crf is not None, "a rung with a target has a quality"
        gain = rung.gain or 0.0
        steps = lacking / gain / CRF_STEP if gain > 0 else _MOST_STEPS
        lower = CRF_STEP * math.ceil(min(max(_LEAST_STEPS, steps), _MOST_STEPS))
        more = 2 ** (lower / CRF_OF_HALF)
        mended[number] = replace(
            rung,
            crf=max(0.0, rung.crf - lower),
            bitrate_bps=round(rung.bitrate_bps * more),
            cap_bps=rung.cap_bps and round(rung.cap_bps * more),
        )
    return tuple(mended)


def _first_reaching(kept: Sequence[Candidate], scale: Scale) -> Candidate:
    """The cheapest that reaches the top of the scale, or else the best."""
    reaching = (each for each in kept if each.quality >= _score(scale))
    return next(reaching, kept[-1])


def _score(scale: Scale) -> float:
    return 1 - 10 ** (-scale.top / 10) if scale.log else scale.top


def _next_below(
    kept: Sequence[Candidate], above: Candidate, scale: Scale, limits: Limits
) -> list[Candidate]:
    """The best candidate a step below ``above``; none where nothing is left."""
    units = scale.units(np.array([above.quality, *(each.quality for each in kept)]))
    fitting = [
        each
        for each, own in zip(kept, units[1:], strict=True)
        if own <= units[0] - scale.step and each.rate_bps * limits.least_ratio <= above.rate_bps
    ]
    return fitting[-1:]


def candidates_of(
    trials: Sequence[Trial], samples: Sequence[Sample], limits: Limits
) -> list[Candidate]:
    """Every size at every rate factor between its trials, by rising rate."""
    sizes = sorted({(trial.width, trial.height) for trial in trials})
    found: list[Candidate] = []
    for width, height in sizes:
        same = [trial for trial in trials if (trial.width, trial.height) == (width, height)]
        found += _candidates_of_size(same, samples, limits)
    return sorted(found, key=lambda each: (each.rate_bps, -each.quality))


def _candidates_of_size(
    trials: Sequence[Trial], samples: Sequence[Sample], limits: Limits
) -> list[Candidate]:
    trials = sorted(trials, key=lambda trial: trial.crf)
    factors = np.array([trial.crf for trial in trials])
    seconds = np.array([sample.frames for sample in samples]) / limits.sample_rate_fps
    weights = np.array([sample.weight for sample in samples])
    rates = np.log2(np.maximum([trial.bits for trial in trials], 1.0) / seconds)
    qualities = np.array([trial.quality for trial in trials])
    count = math.floor((factors[-1] - factors[0]) / CRF_STEP + 1e-9)
    dense = factors[0] + CRF_STEP * np.arange(count + 1)
    # By rising rate from here on: rates fall as factors rise, even where a trial says otherwise.
    rates = np.maximum.accumulate(interpolate(dense, factors, rates)[::-1])
    qualities = interpolate(dense, factors, qualities)[::-1]
    found: list[Candidate] = []
    for crf, own in zip(dense[::-1], rates, strict=True):
        mean_bps = capped_mean_bps(2**own, weights, limits.peak_ratio)
        # A sample that would need more than the cap is encoded as if its factor were higher.
        capped = np.minimum(own, math.log2(mean_bps * limits.peak_ratio))
        quality = [
            np.interp(rate, curve, score)
            for rate, curve, score in zip(capped, rates.T, qualities.T, strict=True)
        ]
        found.append(
            Candidate(
                width=trials[0].width,
                height=trials[0].height,
                crf=float(crf),
                rate_bps=float(weights @ 2**capped),
                quality=float(weights @ np.array(quality)),
                error=standard_error(np.array(quality), samples),
            )
        )
    return found


def standard_error(quality: FloatArray, samples: Sequence[Sample]) -> float:
    """How far the mean over the samples may be from that over the film.

    Within a stratum, qualities are taken to differ as those of its neighbours' samples do, which
    is more than they do. A stratum that was looked at in full adds nothing.

    Method: collapsed strata, because each holds one sample.
    """
    order = np.argsort([sample.stratum for sample in samples])
    if len(order) < 2:
        return 0.0
    steps = np.diff(quality[order]) ** 2 / 2
    spread = np.concatenate([steps[:1], (steps[:-1] + steps[1:]) / 2, steps[-1:]])
    weights = np.array([sample.weight for sample in samples])[order]
    unseen = 1 - 1 / np.array([sample.stands_for for sample in samples])[order]
    return float(np.sqrt(np.sum(weights**2 * spread * unseen)))


def capped_mean_bps(rates_bps: FloatArray, weights: FloatArray, peak_ratio: float) -> float:
    """Mean rate once no sample takes more than ``peak_ratio`` times that mean.

    Capping lowers the mean, which lowers the cap; where that would starve a few hard scenes
    among still ones, it stops at half of the mean without a cap. Apple's item 1.30, a peak of
    at most twice the mean, is a recommendation.
    """
    free = mean = float(weights @ rates_bps)
    for _ in range(100):
        capped = float(weights @ np.minimum(rates_bps, peak_ratio * mean))
        if mean - capped <= 1e-9 * free or mean <= free / 2:
            break
        mean = capped
    return max(mean, free / 2)


def efficient(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those of the sizes on the hull that no cheaper candidate equals, by rising rate.

    A size that has no point on the hull is left out, however well it does in between.
    """
    logs = np.log2([each.rate_bps for each in candidates])
    worth = [each.quality for each in candidates]
    sizes = {(candidates[i].width, candidates[i].height) for i in upper_hull(logs, worth)}
    kept: list[Candidate] = []
    for each in sorted(candidates, key=lambda each: (each.rate_bps, -each.quality)):
        if (each.width, each.height) in sizes and (not kept or each.quality > kept[-1].quality):
            kept.append(each)
    return kept
