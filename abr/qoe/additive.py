"""QoE models, and the form that most published ones have: a sum over segments.

::

    score = (worth · Σ utility − stall · stalled s − rise · Σ rises − fall · Σ falls
             − startup · startup s) / segments

where a rise or a fall is the change of utility from the segment before, the first having
none. Dividing by segments makes sessions of different lengths comparable; published totals
are this times the number of segments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from abr.arguments import expect, kind_of
from abr.errors import ArgumentError, QoEError
from abr.log import SessionLog
from abr.media import FloatArray, Presentation
from abr.qoe.viewing import Viewing, viewing_of


class Shown(NamedTuple):
    """Segments whose utility is asked for: arrays of one shape."""

    rungs: NDArray[np.intp]
    bitrates_bps: FloatArray
    quality: FloatArray | None
    quality_metric: str | None
    ladder_bps: FloatArray
    """Of the whole presentation, shape (R,)."""
    presentation: str
    """For messages."""


class Weights(NamedTuple):
    """What is worth and costs how much."""

    stall: float
    """Cost of a second stalled."""
    rise: float
    """Cost of a unit of utility that a segment has more than the one before; below 0: a gain."""
    fall: float
    """Cost of a unit that it has less."""
    startup: float = 0.0
    """Cost of a second until the first picture."""
    worth: float = 1.0
    """Of a unit of utility."""


class Bound(NamedTuple):
    """An additive QoE for one presentation: all that an environment's reward needs."""

    utility: FloatArray
    """Of every rung and segment, shape (R, N)."""
    weights: Weights


class Viewings(NamedTuple):
    """Sessions of one presentation end to end, to be scored at once."""

    first: NDArray[np.intp]
    """Where each session's segments begin, shape (sessions,); each has one or more."""
    shown: Shown
    played_s: FloatArray
    """Media seconds played of each segment."""
    startup_s: FloatArray
    """Of each session."""
    stall_s: FloatArray


class Model(Protocol):
    """What a QoE is, whatever it computes."""

    @property
    def name(self) -> str:
        """By which it is found again, parameters included."""

    @property
    def label(self) -> str:
        """In reports."""

    @property
    def source(self) -> str:
        """Where it was published, or what it was read from."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters, as they were given or by default."""

    def formula(self, ladder_bps: FloatArray) -> str:
        """In words and signs, with the weights for a ladder."""

    def score(self, of: SessionLog | Viewing) -> float:
        """Of one session; 0 when nothing was shown.

        Raises:
            QoEError: the session lacks what it needs.
        """


def view(of: SessionLog | Viewing, where: str = "score(of=...)") -> Viewing:
    """What a model sees of a session, however it is given.

    Raises:
        ArgumentError: it is neither a log nor a viewing; ``where`` is told.
        LogFormatError: it is the log of no session.
    """
    if isinstance(of, SessionLog):
        return viewing_of(of)
    expect(
        of,
        Viewing,
        where,
        "one SessionLog, or a Viewing of it; player.files.read_log(path) reads one",
    )
    return of


def check_model(found: object, where: str) -> None:
    """Refuse what is no QoE.

    Raises:
        ArgumentError: it has no name, label, source and score.
    """
    said = (getattr(found, name, None) for name in ("name", "label", "source"))
    if isinstance(found, type) or not (
        callable(getattr(found, "score", None)) and all(isinstance(each, str) for each in said)
    ):
        raise ArgumentError(
            f"{where}: found {kind_of(found)}; expected a QoE, such as linear() or "
            'named("linear:stall_weight=20")'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Additive:
    """A sum over segments; see the module."""

    name: str
    label: str
    utility: Callable[[Shown], FloatArray]
    """Of each segment.

    Raises:
        QoEError: there is no such utility for what was shown.
    """
    utility_text: str
    """As the formula has it."""
    weigh: Callable[[FloatArray], Weights]
    """Weights for a ladder in bit/s."""
    source: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def formula(self, ladder_bps: FloatArray) -> str:
        """As reports print it.

        Raises:
            ArgumentError: no rates of a ladder.
        """
        weights, what = self.weigh(_rates(ladder_bps, self.name)), self.utility_text
        parts = [_term(weights.worth, f"Σ {what}").removeprefix("+ ")]
        parts.append(_term(-weights.stall, "stalled s"))
        if weights.rise == weights.fall:
            parts.append(_term(-weights.rise, f"Σ |change of {what}|"))
        else:
            parts += [_term(-weights.rise, "Σ rises"), _term(-weights.fall, "Σ falls")]
        parts.append(_term(-weights.startup, "startup s"))
        return f"({' '.join(part for part in parts if part)}) / segments"

    def bind(self, presentation: Presentation) -> Bound:
        """Utility of every segment of a presentation, and what costs how much.

        Raises:
            ArgumentError: it is no presentation.
            QoEError: the presentation lacks what it needs.
        """
        where = f"QoE {self.name}: bind(presentation=...)"
        expect(presentation, Presentation, where, "a Presentation")
        shape = presentation.sizes_bytes.shape
        rungs = np.broadcast_to(np.arange(shape[0])[:, None], shape)
        shown = Shown(
            rungs=rungs,
            bitrates_bps=presentation.bitrates_bps[rungs],
            quality=presentation.quality,
            quality_metric=presentation.quality_metric,
            ladder_bps=presentation.bitrates_bps,
            presentation=presentation.title,
        )
        return Bound(self._utility_of(shown), self.weigh(presentation.bitrates_bps))

    def parts(self, of: SessionLog | Viewing) -> FloatArray:
        """What each segment adds, shape (K,): their sum over K is the score."""
        viewing = view(of, f"QoE {self.name}: parts(of=...)")
        if not viewing.segments:
            return np.zeros(0)
        weights = self.weigh(viewing.ladder_bps)
        utility = self._utility_of(_shown(viewing))
        parts = weights.worth * utility - weights.stall * viewing.stalls_s
        parts[1:] -= _change_costs(utility, weights)
        parts[0] -= weights.startup * (viewing.startup_s or 0.0)
        return parts

    def score(self, of: SessionLog | Viewing) -> float:
        """Of one session; 0 when nothing was shown."""
        return score_one(self.score_all, view(of, f"QoE {self.name}: score(of=...)"))

    def score_all(self, viewings: Viewings) -> FloatArray:
        """Of many sessions of one presentation."""
        expect(viewings, Viewings, f"QoE {self.name}: score_all(viewings=...)", "Viewings")
        weights = self.weigh(viewings.shown.ladder_bps)
        utility = self._utility_of(viewings.shown)
        gains = weights.worth * utility
        costs = np.concatenate([[0.0], _change_costs(utility, weights)])
        costs[viewings.first] = 0.0  # no change across sessions
        gains = gains - costs
        total = np.add.reduceat(gains, viewings.first) - weights.stall * viewings.stall_s
        if weights.startup:
            total = total - weights.startup * np.nan_to_num(viewings.startup_s)
        return total / _counts(viewings)

    def _utility_of(self, shown: Shown) -> FloatArray:
        """One number for each segment, or an error."""
        found: FloatArray = np.asarray(self.utility(shown), dtype=np.float64)
        if found.shape != shown.rungs.shape:
            raise QoEError(
                f"QoE {self.name}: its utility has the shape {found.shape}; expected "
                f"{shown.rungs.shape}, a number for each segment"
            )
        return found


def score_one(score_all: Callable[[Viewings], FloatArray], viewing: Viewing) -> float:
    """One session by a function for many; 0 when nothing was shown."""
    if not viewing.segments:
        return 0.0
    startup_s = math.nan if viewing.startup_s is None else viewing.startup_s
    alone = Viewings(
        first=np.zeros(1, dtype=np.intp),
        shown=_shown(viewing),
        played_s=viewing.played_s,
        startup_s=np.array([startup_s]),
        stall_s=np.array([viewing.stall_s]),
    )
    return float(score_all(alone)[0])


def _shown(viewing: Viewing) -> Shown:
    return Shown(
        rungs=viewing.rungs,
        bitrates_bps=viewing.bitrates_bps,
        quality=viewing.quality,
        quality_metric=viewing.quality_metric,
        ladder_bps=viewing.ladder_bps,
        presentation=viewing.presentation,
    )


def _change_costs(utility: FloatArray, weights: Weights) -> FloatArray:
    """Of every segment but the first."""
    change = np.diff(utility)
    return np.where(change > 0, weights.rise * change, -weights.fall * change)


def _rates(ladder_bps: object, name: str) -> FloatArray:
    """The rates of a ladder; none where it is not known."""
    try:
        rates: FloatArray = np.asarray(ladder_bps, dtype=np.float64)
    except (TypeError, ValueError):
        rates = np.zeros((0, 0))
    if ladder_bps is None or rates.ndim != 1 or not (np.isfinite(rates) & (rates > 0)).all():
        raise ArgumentError(
            f"QoE {name}: formula(ladder_bps=...): found {kind_of(ladder_bps)}; expected the bit/s "
            "of each rung, such as presentation.bitrates_bps"
        )
    return rates


def _counts(viewings: Viewings) -> FloatArray:
    ends = np.append(viewings.first[1:], len(viewings.shown.rungs))
    return (ends - viewings.first).astype(np.float64)


def _term(weight: float, what: str) -> str:
    """``− 4.3 · stalled s``; nothing without weight."""
    if weight == 0:
        return ""
    size = "" if abs(weight) == 1 else f"{abs(weight):.6g} · "
    if math.isnan(weight):  # it follows a ladder that is not known
        return f"− w · {what}"
    return f"{'+' if weight > 0 else '−'} {size}{what}"
