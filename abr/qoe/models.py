"""Published QoEs.

Weights may follow the ladder: ``linear`` takes the top rung's rate in Mbit/s for its stall
weight, as the literature does, so that a second stalled costs what a second at the best
quality is worth, whatever the ladder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np

from abr.arguments import expect
from abr.errors import QoEError
from abr.log import SessionLog
from abr.media import FloatArray
from abr.qoe.additive import Additive, Shown, Viewings, Weights, score_one, view
from abr.qoe.viewing import Viewing

PUBLISHED_STALL_WEIGHT = 4.3
HD_LEVELS = (1.0, 2.0, 3.0, 12.0, 15.0, 20.0)
MOST_SSIM_DB = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabre:
    """The score that Sabre prints, which BOLA maximises."""

    name: str
    label: str
    gamma: float
    source: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def formula(self, ladder_bps: FloatArray) -> str:
        """As reports print it."""
        del ladder_bps  # the same for all
        return (
            f"(Σ ln(rate / lowest rate) · s played − {self.gamma:g} · stalled s) "
            "/ (startup + played + stalled s)"
        )

    def score(self, of: SessionLog | Viewing) -> float:
        """Of one session; 0 when nothing was shown."""
        return score_one(self.score_all, view(of, f"QoE {self.name}: score(of=...)"))

    def score_all(self, viewings: Viewings) -> FloatArray:
        """Of many sessions of one presentation."""
        expect(viewings, Viewings, f"QoE {self.name}: score_all(viewings=...)", "Viewings")
        utility = _log_utility(viewings.shown) * viewings.played_s
        utility_s = np.add.reduceat(utility, viewings.first)
        played_s = np.add.reduceat(viewings.played_s, viewings.first)
        elapsed_s = np.nan_to_num(viewings.startup_s) + played_s + viewings.stall_s
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = (utility_s - self.gamma * viewings.stall_s) / elapsed_s
        return np.where(elapsed_s > 0, scores, 0.0)


def linear(
    *,
    stall_weight: float | None = None,
    switch_weight: float = 1.0,
    startup_weight: float = 0.0,
) -> Additive:
    """QoE_lin: Mbit/s, less stalls, less changes of Mbit/s.

    Source: Yin, Jindal, Sekar, Sinopoli, "A Control-Theoretic Approach for Dynamic Adaptive
    Video Streaming over HTTP", SIGCOMM 2015: a stall weight of 3 for a ladder up to 3 Mbit/s,
    and as much for startup. Mao, Netravali, Alizadeh, "Neural Adaptive Video Streaming with
    Pensieve", SIGCOMM 2017, section 5.1: 4.3 for one up to 4.3. Narayanan et al., "A Variegated
    Look at 5G in the Wild", SIGCOMM 2021: 160 for one up to 160.

    Args:
        stall_weight: Mbit/s that a second stalled costs; None: as many as the top rung has.
        switch_weight: Mbit/s that a change of one costs.
        startup_weight: Mbit/s that a second until the first picture costs; in Pensieve
            nothing, in Yin as much as a second stalled.
    """

    def weigh(ladder_bps: FloatArray) -> Weights:
        top = float(ladder_bps[-1]) / 1e6 if len(ladder_bps) else math.nan
        stall = top if stall_weight is None else stall_weight
        return Weights(stall, switch_weight, switch_weight, startup_weight)

    return _additive(
        "linear",
        {
            "stall_weight": stall_weight,
            "switch_weight": switch_weight,
            "startup_weight": startup_weight,
        },
        linear,
        utility=lambda shown: shown.bitrates_bps / 1e6,
        utility_text="Mbit/s",
        weigh=weigh,
        source="Yin 2015; Mao 2017 (Pensieve), section 5.1",
    )


def log(
    *, stall_weight: float = 2.66, switch_weight: float = 1.0, startup_weight: float = 0.0
) -> Additive:
    """QoE_log: the logarithm of the rate over the lowest, less stalls, less its changes.

    Source: Mao et al., Pensieve, SIGCOMM 2017, table 1: ln(R / R_min), a second stalled at 2.66,
    which is ln(4.3 / 0.3), the top of its own ladder.

    deviation: Pensieve's code, where it is commented out, divides by the highest rate, which
    takes the same from every segment.
    """
    return _additive(
        "log",
        {
            "stall_weight": stall_weight,
            "switch_weight": switch_weight,
            "startup_weight": startup_weight,
        },
        log,
        utility=_log_utility,
        utility_text="ln(rate / lowest rate)",
        weigh=lambda _: Weights(stall_weight, switch_weight, switch_weight, startup_weight),
        source="Mao 2017 (Pensieve), table 1",
    )


def hd(*, stall_weight: float = 8.0, switch_weight: float = 1.0) -> Additive:
    """QoE_hd: levels that favour high definition, less stalls, less changes of level.

    Source: Mao et al., Pensieve, SIGCOMM 2017, table 1: levels 1, 2, 3, 12, 15 and 20 of its six
    rungs, a second stalled at 8. There are levels for six rungs, and for no other ladder.
    """
    levels = np.array(HD_LEVELS)

    def utility(shown: Shown) -> FloatArray:
        if len(shown.ladder_bps) != len(levels):
            raise QoEError(
                f"hd: {shown.presentation or 'the presentation'} has {len(shown.ladder_bps)} rungs "
                f"and Pensieve's levels are for {len(levels)}; use linear or log"
            )
        return levels[shown.rungs]

    return _additive(
        "hd",
        {"stall_weight": stall_weight, "switch_weight": switch_weight},
        hd,
        utility=utility,
        utility_text="level",
        weigh=lambda _: Weights(stall_weight, switch_weight, switch_weight),
        source="Mao 2017 (Pensieve), table 1",
    )


def vmaf(
    *,
    quality_weight: float = 0.8469011,
    stall_weight: float = 28.79591348,
    rise_weight: float = -0.29797156,
    fall_weight: float = 1.06099887,
) -> Additive:
    """Comyco's QoE: VMAF, less stalls, plus a part of its rises, less its falls.

    Source: Huang et al., "Comyco: Quality-Aware Adaptive Video Streaming via Imitation
    Learning", ACM Multimedia 2019, with the digits of its published code.

    deviation: that code also takes 2.66 from every segment, the same for all algorithms.

    Args:
        quality_weight: What a point of VMAF is worth.
        stall_weight: What a second stalled costs.
        rise_weight: What a point more than the segment before costs; below 0 it is a gain.
        fall_weight: What a point less costs.
    """
    return _additive(
        "vmaf",
        {
            "quality_weight": quality_weight,
            "stall_weight": stall_weight,
            "rise_weight": rise_weight,
            "fall_weight": fall_weight,
        },
        vmaf,
        utility=lambda shown: _measured(shown, "vmaf"),
        utility_text="VMAF",
        weigh=lambda _: Weights(stall_weight, rise_weight, fall_weight, worth=quality_weight),
        source="Huang 2019 (Comyco)",
    )


def ssim(*, stall_weight: float = 100.0, switch_weight: float = 1.0) -> Additive:
    """Puffer's QoE: SSIM in dB, less stalls, less its changes.

    Source: Yan et al., "Learning in situ: a randomized experiment in video streaming", NSDI
    2020, section 4.1: a second stalled costs 100 dB, a change of 1 dB one. SSIM in dB is
    −10 log10(1 − SSIM), from 0 to 60 as in Puffer's code.
    """

    def utility(shown: Shown) -> FloatArray:
        loss = np.clip(1.0 - _measured(shown, "ssim"), 10.0 ** (-MOST_SSIM_DB / 10), 1.0)
        found: FloatArray = -10.0 * np.log10(loss)
        return found

    return _additive(
        "ssim",
        {"stall_weight": stall_weight, "switch_weight": switch_weight},
        ssim,
        utility=utility,
        utility_text="SSIM dB",
        weigh=lambda _: Weights(stall_weight, switch_weight, switch_weight),
        source="Yan 2020 (Puffer), section 4.1",
    )


def sabre(*, gamma: float = 5.0) -> Sabre:
    """The time average score that Sabre prints: utility over time, less time stalled.

    Source: Spiteri, Sitaraman, Sparacio, "From Theory to Practice: Improving Bitrate Adaptation
    in the DASH Reference Player", MMSys 2018, and its program ``sabre.py``, option ``-gp``.

    Args:
        gamma: What the time stalled costs; Sabre's default is 5.
    """
    params = {"gamma": gamma}
    name = spell("sabre", _checked("sabre", params), sabre)
    return Sabre(name=name, label=name, gamma=gamma, source="Spiteri 2018 (Sabre)", params=params)


def _additive(
    word: str, params: Mapping[str, float | None], make: Callable[..., Any], **more: Any
) -> Additive:
    """A model called as it was made.

    Raises:
        QoEError: a parameter is no number.
    """
    name = spell(word, _checked(word, params), make)
    return Additive(name=name, label=name, params=dict(params), **more)


def _checked(word: str, params: Mapping[str, float | None]) -> Mapping[str, float | None]:
    for key, value in params.items():
        if value is None and (word, key) == ("linear", "stall_weight"):  # it follows the ladder
            continue
        check_number(word, key, value, is_signed=key == "rise_weight")
    return params


def check_number(word: str, key: str, value: object, *, is_signed: bool = False) -> None:
    """Refuse a parameter that is no number, or below 0.

    Raises:
        QoEError: it is one of these.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value)):  # type: ignore[arg-type]  # a Real
        raise QoEError(f"QoE {word}: {key} is {value!r}; expected a finite number")
    if value < 0 and not is_signed:  # type: ignore[operator]  # likewise
        raise QoEError(f"QoE {word}: {key} is {value!r}; expected 0 or more")


def spell(word: str, params: Mapping[str, Any], make: Callable[..., Any]) -> str:
    """``linear:stall_weight=20``: the word, and each parameter that is not the default."""
    defaults = {each.name: each.default for each in signature(make).parameters.values()}
    return spelt(word, {key: v for key, v in params.items() if v != defaults[key]})


def spelt(word: str, params: Mapping[str, Any]) -> str:
    """``word:key=value,key=value``."""
    pairs = ",".join(f"{key}={_plain(value)}" for key, value in params.items())
    return f"{word}:{pairs}" if pairs else word


def _plain(value: object) -> str:
    """As short as it can be read back."""
    short = format(value, "g") if isinstance(value, float) else str(value)
    return short if not isinstance(value, float) or float(short) == value else repr(value)


def _log_utility(shown: Shown) -> FloatArray:
    found: FloatArray = np.log(shown.bitrates_bps / shown.ladder_bps[0])
    return found


def _measured(shown: Shown, metric: str) -> FloatArray:
    """The quality of what was shown.

    Raises:
        QoEError: it was not measured, or in something else.
    """
    if shown.quality is None or shown.quality_metric != metric:
        has = "none" if shown.quality is None else f"that of {shown.quality_metric}"
        raise QoEError(
            f"{metric}: it needs the {metric.upper()} of every segment, and "
            f"{shown.presentation or 'the presentation'} has {has}; play a package of "
            f"`abr transcode --quality {metric}`, or use linear or log"
        )
    return shown.quality


QOE_LIN = replace(
    linear(stall_weight=PUBLISHED_STALL_WEIGHT),
    name="qoe_lin",
    label="QoE_lin",
    source="Mao 2017 (Pensieve), section 5.1",
)
"""QoE_lin as published for Pensieve's ladder, 0.3 to 4.3 Mbit/s: a stall weight of 4.3."""
