"""Capacity of a link over time, and the closed forms everything else asks of it.

A ``Trace`` is piecewise constant: period k offers ``capacity_bps[k]`` over
``[times_s[k], times_s[k+1])``. What happens after the last period is its end rule:
``loop`` starts again, ``hold`` keeps the last capacity for ever, ``end`` offers
nothing more.

Times and bits come from the cumulative capacity by bisection, so the cost of a
question does not depend on how long a transfer takes, and cutting a period in two
changes no answer. This module knows no file formats, connections or protocols.
"""

from __future__ import annotations

import copy
import hashlib
import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray, frozen_array

_SLACK_BITS = 1e-6

End = Literal["loop", "hold", "end"]
"""What a link offers after the last period of its trace."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """What one link can carry, K periods of constant capacity.

    Raises:
        TraceFormatError: no period, a time that is not finite, not from 0 or
            decreasing, a negative capacity or round-trip time, a loss outside 0 to 1,
            no length, or no capacity at all.
    """

    times_s: FloatArray
    """Bounds of the periods, from 0, not decreasing, shape (K+1,)."""
    capacity_bps: FloatArray
    """Capacity in each period, bits per second, shape (K,)."""
    rtt_s: FloatArray | None = None
    """Round-trip time in each period, shape (K,); None when the trace says nothing."""
    loss_ratio: FloatArray | None = None
    """Share of packets lost in each period, 0 to 1, shape (K,); None: nothing said."""
    end: End = "loop"
    """What comes after the last period."""
    name: str = ""
    """Name for reports and errors; not part of the digest."""
    _times: tuple[float, ...] = field(init=False, repr=False)
    _capacity: tuple[float, ...] = field(init=False, repr=False)
    # Bits offered from 0 to each bound: plain tuples, because bisecting them is
    # several times faster than asking numpy for one value.
    _offered: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        times, capacity = frozen_array(self.times_s), frozen_array(self.capacity_bps)
        rtt = None if self.rtt_s is None else frozen_array(self.rtt_s)
        loss = None if self.loss_ratio is None else frozen_array(self.loss_ratio)
        where = self.name or "trace"
        _check(where, times, capacity, rtt, loss, self.end)
        with np.errstate(over="ignore"):
            offered = np.concatenate([[0.0], np.cumsum(np.diff(times) * capacity)])
        if not 0 < offered[-1] < math.inf:
            raise TraceFormatError(
                f"{where}: offers {offered[-1]:g} bits in all; expected a finite amount"
                if offered[-1]
                else f"{where}: offers 0 bits in all, an outage from end to end; expected some "
                "capacity, as nothing can be played over a link that never delivers"
            )
        for name, value in (
            ("times_s", times),
            ("capacity_bps", capacity),
            ("rtt_s", rtt),
            ("loss_ratio", loss),
            ("_times", tuple(times.tolist())),
            ("_capacity", tuple(capacity.tolist())),
            ("_offered", tuple(offered.tolist())),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def constant(cls, capacity_bps: float, *, name: str = "constant") -> Trace:
        """A link of one capacity for ever."""
        return cls(
            times_s=frozen_array([0, 1]),
            capacity_bps=frozen_array([capacity_bps]),
            end="hold",
            name=name,
        )

    @classmethod
    def from_periods(
        cls, periods: Iterable[tuple[float, ...]], *, end: End = "loop", name: str = ""
    ) -> Trace:
        """A trace from ``(duration_s, capacity_bps[, rtt_s[, loss_ratio]])``.

        Raises:
            TraceFormatError: as the class; also when only some periods have a
                round-trip time or a loss, or a duration is negative.
        """
        rows = [tuple(row) for row in periods]
        where = name or "trace"
        widths = {len(row) for row in rows}
        if widths not in ({2}, {3}, {4}):
            raise TraceFormatError(
                f"{where}: periods have {sorted(widths)} values; expected (duration_s, "
                "capacity_bps) for all of them, or (duration_s, capacity_bps, rtt_s) for all, "
                "or these and loss_ratio for all"
            )
        columns = list(zip(*rows, strict=True))
        return cls(
            times_s=np.concatenate([[0.0], np.cumsum(np.array(columns[0], dtype=np.float64))]),
            capacity_bps=np.array(columns[1], dtype=np.float64),
            rtt_s=np.array(columns[2], dtype=np.float64) if len(columns) > 2 else None,
            loss_ratio=np.array(columns[3], dtype=np.float64) if len(columns) > 3 else None,
            end=end,
            name=name,
        )

    @property
    def duration_s(self) -> float:
        """Length of one pass, seconds."""
        return self._times[-1]

    @property
    def mean_bps(self) -> float:
        """Time-weighted mean capacity of one pass, bits per second."""
        return self._offered[-1] / self._times[-1]

    def named(self, name: str) -> Trace:
        """The same trace under another name."""
        again = copy.copy(self)  # what was checked and summed need not be again
        object.__setattr__(again, "name", name)
        return again

    def digest(self) -> str:
        """SHA-256 over times, capacities, round-trip times, losses and end rule, as hex."""
        hasher = hashlib.sha256(self.end.encode())
        for array in (self.times_s, self.capacity_bps, self.rtt_s):
            hasher.update(b"-" if array is None else array.astype("<f8").tobytes())
        if self.loss_ratio is not None:  # so that traces without keep the digest they had
            hasher.update(b"loss" + self.loss_ratio.astype("<f8").tobytes())
        return hasher.hexdigest()

    def bits_by(self, t_s: float) -> float:
        """Bits the link can deliver in ``[0, t_s]``; 0 for times before 0."""
        if t_s <= 0:
            return 0.0
        rounds, rest_s = self._folded(t_s)
        if self.end == "end" and rest_s >= self._times[-1]:
            return self._offered[-1]
        k = self._period(rest_s)
        within = self._offered[k] + (rest_s - self._times[k]) * self._capacity[k]
        return rounds * self._offered[-1] + within

    def time_of(self, bits: float) -> float:
        """Earliest time by which ``bits`` can have been delivered; inf when never."""
        if bits <= 0:
            return 0.0
        total = self._offered[-1]
        # Sums of rounded products may overshoot a bound by some ulps; without this
        # slack such a transfer would wait out a whole outage for its last nothing.
        slack = _SLACK_BITS + 4 * math.ulp(bits)
        rounds = 0
        if bits > total + slack:
            if self.end == "hold" and self._capacity[-1] > 0:
                return self._times[-2] + (bits - self._offered[-2]) / self._capacity[-1]
            if self.end != "loop" or math.isinf(bits):
                return math.inf
            # The last bit of a pass arrives in that pass, before any outage at its end.
            rounds = max(math.ceil((bits - slack) / total) - 1, 0)
            bits -= rounds * total
        return rounds * self._times[-1] + self._within_s(min(bits, total), slack)

    def capacity_at(self, t_s: float) -> float:
        """Capacity at ``t_s``, bits per second; at a bound, that of the period beginning."""
        rest_s = self._folded(t_s)[1]
        if self.end == "end" and rest_s >= self._times[-1]:
            return 0.0
        return self._capacity[self._period(rest_s)]

    def rtt_at(self, t_s: float, default_s: float) -> float:
        """Round-trip time at ``t_s``; ``default_s`` when the trace has none."""
        if self.rtt_s is None:
            return default_s
        return float(self.rtt_s[self._period(self._folded(t_s)[1])])

    def loss_at(self, t_s: float) -> float:
        """Share of packets lost at ``t_s``; 0 when the trace has none."""
        if self.loss_ratio is None:
            return 0.0
        return float(self.loss_ratio[self._period(self._folded(t_s)[1])])

    def finish_time(self, start_s: float, size_bytes: float) -> float:
        """When a transfer alone on the link from ``start_s`` ends; inf when never."""
        if size_bytes <= 0:
            return start_s
        return max(start_s, self.time_of(self.bits_by(start_s) + 8 * size_bytes))

    def _folded(self, t_s: float) -> tuple[float, float]:
        """Whole passes before ``t_s``, and the time within the pass it falls in."""
        period_s = self._times[-1]
        if self.end != "loop" or t_s < period_s:
            return 0.0, max(t_s, 0.0)
        rounds = math.floor(t_s / period_s)
        rest_s = t_s - rounds * period_s
        # The quotient is rounded, so the rest may fall outside the pass by one ulp.
        if rest_s < 0:
            rounds, rest_s = rounds - 1, rest_s + period_s
        elif rest_s >= period_s:
            rounds, rest_s = rounds + 1, rest_s - period_s
        return float(rounds), rest_s

    def _period(self, rest_s: float) -> int:
        return min(max(bisect_right(self._times, rest_s) - 1, 0), len(self._capacity) - 1)

    def _within_s(self, bits: float, slack: float) -> float:
        """Earliest time of the first pass by which ``bits`` are offered."""
        bound = bisect_left(self._offered, bits - slack)
        if bound == 0:
            return 0.0
        # Period ``bound - 1`` delivers the last of them, so its capacity is not 0.
        begin_s, end_s = self._times[bound - 1], self._times[bound]
        took_s = (bits - self._offered[bound - 1]) / self._capacity[bound - 1]
        return min(max(begin_s + took_s, begin_s), end_s)


def _check(
    where: str,
    times: FloatArray,
    capacity: FloatArray,
    rtt: FloatArray | None,
    loss: FloatArray | None,
    end: str,
) -> None:
    if end not in get_args(End):
        raise TraceFormatError(
            f"{where}: end rule {str(end)[:40]!r}; expected one of {get_args(End)}"
        )
    if capacity.ndim != 1 or len(capacity) == 0 or times.shape != (len(capacity) + 1,):
        raise TraceFormatError(
            f"{where}: {times.size} times for {capacity.size} capacities; "
            "expected one time more than capacities, and at least one capacity"
        )
    if not np.isfinite(times).all() or times[0] != 0:
        raise TraceFormatError(f"{where}: times must be finite and start at 0")
    for k in np.flatnonzero(np.diff(times) < 0)[:1]:
        raise TraceFormatError(
            f"{where}: time {times[k + 1]:g} s comes after {times[k]:g} s; times must not decrease"
        )
    if times[-1] <= 0:
        raise TraceFormatError(f"{where}: lasts 0 s; expected a trace with some length")
    for name, values, most in (
        ("capacity_bps", capacity, sys.float_info.max),
        ("rtt_s", rtt, sys.float_info.max),
        ("loss_ratio", loss, 1.0),
    ):
        if values is not None:
            _check_column(f"{where}: ", name, values, capacity.shape, most)


def _check_column(
    where: str, name: str, values: FloatArray, shape: tuple[int, ...], most: float
) -> None:
    if values.shape != shape:
        raise TraceFormatError(f"{where}{values.size} values of {name}; expected {shape[0]}")
    for k in np.flatnonzero(~((values >= 0) & (values <= most)))[:1]:
        wanted = "a number from 0 to 1" if most == 1 else "a finite number of 0 or more"
        raise TraceFormatError(f"{where}{name} is {values[k]:g} in period {k}; expected {wanted}")
