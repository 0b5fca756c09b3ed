"""Capacity of a link over time.

A ``Trace`` is piecewise constant: period k offers ``capacity_bps[k]`` over
``[times_s[k], times_s[k+1])``. What happens after the last period is its end rule:
``loop`` starts again, ``hold`` keeps the last capacity for ever, ``end`` offers
nothing more. What it answers is computed in ``abr.capacity``. This module knows no
file formats, connections or protocols.
"""

from __future__ import annotations

import copy
import hashlib
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn, get_args

import numpy as np

from abr import capacity
from abr.capacity import CapacityTable, End
from abr.errors import TraceFormatError
from abr.media import FloatArray, frozen_array


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
    _summed: list[CapacityTable] = field(init=False, repr=False)
    """What ``abr.capacity`` asks, once somebody does; most traces of an experiment only travel."""

    def __post_init__(self) -> None:
        times, rates = frozen_array(self.times_s), frozen_array(self.capacity_bps)
        rtt = None if self.rtt_s is None else frozen_array(self.rtt_s)
        loss = None if self.loss_ratio is None else frozen_array(self.loss_ratio)
        where = self.name or "trace"
        _check(where, times, rates, rtt, loss, self.end)
        offered = _offered_bits(times, rates)
        if not 0 < offered < math.inf:
            raise TraceFormatError(
                f"{where}: offers {offered:g} bits in all; expected a finite amount"
                if offered
                else f"{where}: offers 0 bits in all, an outage from end to end; expected some "
                "capacity, as nothing can be played over a link that never delivers"
            )
        for name, value in (
            ("times_s", times),
            ("capacity_bps", rates),
            ("rtt_s", rtt),
            ("loss_ratio", loss),
            ("_summed", []),
        ):
            object.__setattr__(self, name, value)

    @property
    def _table(self) -> CapacityTable:
        if not self._summed:
            rtt_s = np.zeros(len(self.capacity_bps)) if self.rtt_s is None else self.rtt_s
            table = capacity.table_of(self.times_s, self.capacity_bps, rtt_s, self.end)
            # Tuples, because one value of them is had several times faster than of an array.
            columns = (tuple(np.asarray(column).tolist()) for column in table)
            self._summed.append(CapacityTable(*columns))
        return self._summed[0]

    def __reduce__(self) -> tuple[Any, ...]:
        """As what was given and checked; the table is summed again where it is asked for."""
        given = (self.times_s, self.capacity_bps, self.rtt_s, self.loss_ratio, self.end, self.name)
        return _as_checked, given

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
        return float(self.times_s[-1])

    @property
    def mean_bps(self) -> float:
        """Time-weighted mean capacity of one pass, bits per second."""
        return self.bits_by(self.duration_s) / self.duration_s

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

    def table(self, default_rtt_s: float) -> CapacityTable:
        """What ``abr.capacity`` asks, in tuples.

        Args:
            default_rtt_s: Round-trip time where the trace has none.
        """
        if self.rtt_s is not None:
            return self._table
        return self._table._replace(rtt_s=(default_rtt_s,) * len(self._table.rtt_s))

    def bits_by(self, t_s: float) -> float:
        """Bits the link can deliver in ``[0, t_s]``; 0 for times before 0."""
        return capacity.bits_by(self._table, t_s, 0) if t_s > 0 else 0.0

    def time_of(self, bits: float) -> float:
        """Earliest time by which ``bits`` can have been delivered; inf when never."""
        if bits <= 0:
            return 0.0
        return capacity.time_of(self._table, bits, 0) if bits < math.inf else math.inf

    def capacity_at(self, t_s: float) -> float:
        """Capacity at ``t_s``, bits per second; at a bound, that of the period beginning."""
        return self._table.capacity_bps[self._period(t_s)]

    def rtt_at(self, t_s: float, default_s: float) -> float:
        """Round-trip time at ``t_s``; ``default_s`` when the trace has none."""
        if self.rtt_s is None:
            return default_s
        return self._table.rtt_s[self._period(t_s)]

    def loss_at(self, t_s: float) -> float:
        """Share of packets lost at ``t_s``; 0 when the trace has none."""
        if self.loss_ratio is None:
            return 0.0
        # After the end of a link that ends, packets are lost as they were last.
        return float(self.loss_ratio[min(self._period(t_s), len(self.loss_ratio) - 1)])

    def finish_time(self, start_s: float, size_bytes: float) -> float:
        """When a transfer alone on the link from ``start_s`` ends; inf when never."""
        if size_bytes <= 0:
            return start_s
        return max(start_s, self.time_of(self.bits_by(start_s) + 8 * size_bytes))

    def _period(self, t_s: float) -> int:
        """The period of the table that ``t_s`` falls in."""
        rest_s = capacity.fold(self._table, max(t_s, 0.0))[1]
        return capacity.find_period(self._table, rest_s, 0)


def _as_checked(*given: Any) -> Trace:
    """A trace of values that were checked when it was made."""
    trace = object.__new__(Trace)
    names = ("times_s", "capacity_bps", "rtt_s", "loss_ratio", "end", "name")
    for name, value in (*zip(names, given, strict=True), ("_summed", [])):
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
        object.__setattr__(trace, name, value)
    return trace


def _offered_bits(times: FloatArray, rates: FloatArray) -> float:
    """In one pass; infinite where that is no finite number."""
    if float(times[-1]) * float(rates.max()) == math.inf:
        with np.errstate(over="ignore"):
            return float(np.sum(np.diff(times) * rates))
    return float(np.sum((times[1:] - times[:-1]) * rates))


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
    if times[0] != 0 or not ((times[1:] >= times[:-1]).all() and times[-1] < math.inf):
        _refuse_times(where, times)
    if times[-1] <= 0:
        raise TraceFormatError(f"{where}: lasts 0 s; expected a trace with some length")
    for name, values, most in (
        ("capacity_bps", capacity, sys.float_info.max),
        ("rtt_s", rtt, sys.float_info.max),
        ("loss_ratio", loss, 1.0),
    ):
        if values is not None:
            _check_column(f"{where}: ", name, values, capacity.shape, most)


def _refuse_times(where: str, times: FloatArray) -> NoReturn:
    if not np.isfinite(times).all() or times[0] != 0:
        raise TraceFormatError(f"{where}: times must be finite and start at 0")
    k = int(np.argmax(np.diff(times) < 0))
    raise TraceFormatError(
        f"{where}: time {times[k + 1]:g} s comes after {times[k]:g} s; times must not decrease"
    )


def _check_column(
    where: str, name: str, values: FloatArray, shape: tuple[int, ...], most: float
) -> None:
    if values.shape != shape:
        raise TraceFormatError(f"{where}{values.size} values of {name}; expected {shape[0]}")
    if values.min() >= 0 and values.max() <= most:  # false where one is not a number
        return
    for k in np.flatnonzero(~((values >= 0) & (values <= most)))[:1]:
        wanted = "a number from 0 to 1" if most == 1 else "a finite number of 0 or more"
        raise TraceFormatError(f"{where}{name} is {values[k]:g} in period {k}; expected {wanted}")
