"""Tables of times and rates: Pensieve's "cooked" files, and CSV.

The two differ in where a rate belongs: a cooked row tells the rate *since* the row
before it, a CSV row the rate *until* the next one.

Source of cooked: the simulators of the Pensieve family (``load_trace.py``,
``fixed_env.py``), which never use the rate of the first row.
"""

from __future__ import annotations

import math

import numpy as np

from abr.errors import TraceFormatError
from abr.trace import Trace
from abr.traceformats.rows import Clock, digits_of, need_two_rows, number_in, numbered_lines


def read_cooked(text: str, name: str) -> Trace:
    """Read rows of seconds and Mbit/s; each rate holds since the row before."""
    clock, rates = Clock(name), []
    for number, line in numbered_lines(text):
        fields = line.split()
        if len(fields) != 2:
            raise TraceFormatError(
                f"{name}:{number}: found {len(fields)} columns; expected 2, seconds and Mbit/s"
            )
        where = f"{name}:{number}"
        clock.add(number_in(fields[0], where, "time", least=-math.inf), number, "s")
        rates.append(number_in(fields[1], where, "rate") * 1e6)
    need_two_rows(clock)
    return Trace(times_s=clock.from_zero(), capacity_bps=np.array(rates[1:]), name=name)


def write_cooked(trace: Trace) -> str:
    """One row per bound; the first repeats a rate that no reader uses."""
    rates = [digits_of(rate, 1e6) for rate in trace.capacity_bps.tolist()]
    rows = zip(trace.times_s.tolist(), [rates[0], *rates], strict=True)
    return "".join(f"{time!r}\t{rate}\n" for time, rate in rows)


def read_csv(text: str, name: str) -> Trace:
    """Read ``t_s,kbps[,rtt_ms]``; each rate holds until the next row."""
    clock, rates, rtts, width, ended = Clock(name), [], [], 0, False
    for number, line in numbered_lines(text):
        where, fields = f"{name}:{number}", [f.strip() for f in line.split(",")]
        if not clock.times and not width and fields[0].lower() == "t_s":
            width = _csv_header(fields, where)
            continue
        width = width or len(fields)
        if ended or len(fields) != width or width not in (2, 3):
            raise TraceFormatError(
                f"{where}: found {'a row after the end' if ended else f'{len(fields)} columns'}; "
                f"expected {'none' if ended else 't_s,kbps or t_s,kbps,rtt_ms in every row'}"
            )
        clock.add(number_in(fields[0], where, "time", least=-math.inf), number, "s")
        ended = not any(fields[1:])
        if not ended:
            rates.append(number_in(fields[1], where, "rate") * 1e3)
            rtts.append(
                number_in(fields[2], where, "round-trip time") * 1e-3 if width == 3 else 0.0
            )
    need_two_rows(clock)
    if not ended:
        clock.times.append(2 * clock.times[-1] - clock.times[-2])
    rtt = np.array(rtts) if width == 3 else None
    return Trace(times_s=clock.from_zero(), capacity_bps=np.array(rates), rtt_s=rtt, name=name)


def _csv_header(fields: list[str], where: str) -> int:
    if [f.lower() for f in fields] not in (["t_s", "kbps"], ["t_s", "kbps", "rtt_ms"]):
        raise TraceFormatError(
            f"{where}: found header {','.join(fields)!r}; expected t_s,kbps or t_s,kbps,rtt_ms"
        )
    return len(fields)


def write_csv(trace: Trace) -> str:
    """With header, and a last row that gives only the end."""
    times = [repr(t) for t in trace.times_s.tolist()]
    columns = [times[:-1], [digits_of(rate, 1e3) for rate in trace.capacity_bps.tolist()]]
    head, last = "t_s,kbps", f"{times[-1]},"
    if trace.rtt_s is not None:
        columns.append([digits_of(rtt, 1e-3) for rtt in trace.rtt_s.tolist()])
        head, last = head + ",rtt_ms", last + ","
    return "\n".join([head, *map(",".join, zip(*columns, strict=True)), last]) + "\n"
