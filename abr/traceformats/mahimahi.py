"""Mahimahi's packet-delivery opportunities: one integer number of milliseconds per line.

Each line is an opportunity to deliver 1500 bytes at that time; the last one is also the
length of the loop. A ``Trace`` is a continuous flow of bits, so the opportunities at
millisecond t are spread over ``(t-1, t]``: the bytes offered by each whole millisecond are
then exactly those Mahimahi counts.

Source: ravinet/mahimahi, src/frontend/link_queue.cc and traces/README.
"""

from __future__ import annotations

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.rows import Found, check_times
from abr.traceformats.stamps import is_number

_PACKET_BITS = 1500 * 8
_MAX_PACKETS = 50_000_000
_DIGITS = 15
_CONSTANT_MS = 10.0
"""Up to this, equal times are how a constant rate is written."""
_AS_RATES = "--columns rate=1:mbit,step=1s"


def read_mahimahi(text: str, name: str) -> list[Found]:
    """Read packet-delivery opportunities; adjacent periods of equal rate are merged."""
    times = _times(text, name)
    if not len(times) or times[-1] == 0:
        raise TraceFormatError(
            f"{name}:{max(len(times), 1)}: the last time is 0 ms; "
            "expected the length of the loop, 1 ms or more"
        )
    # There is no time before 0, so an opportunity at 0 is spread over the first millisecond.
    stamps, chances = np.unique(np.maximum(times, 1.0), return_counts=True)
    bounds_ms = np.unique(np.concatenate([[0.0], stamps - 1, stamps]))
    packets = np.zeros(len(bounds_ms) - 1)
    packets[np.searchsorted(bounds_ms, stamps) - 1] = chances
    keep = np.concatenate([[True], np.diff(packets) != 0, [True]])
    rates = packets * _PACKET_BITS * 1000.0
    trace = Trace(times_s=bounds_ms[keep] / 1000, capacity_bps=rates[keep[:-1]], name=name)
    alike = len(times) > 2 and times[0] == times[-1] and times[0] > _CONSTANT_MS
    note = f"all {len(times)} times are {times[0]:g} ms; if these are rates: {_AS_RATES}"
    return [Found(trace, (note,) if alike else ())]


def _times(text: str, name: str) -> FloatArray:
    lines = list(map(str.strip, text.splitlines()))
    whole = "".join(lines)
    widths = set(map(len, lines))
    if not (whole.isdigit() and whole.isascii() and 0 not in widths and max(widths) <= _DIGITS):
        _raise_on_bad_line(lines, name)
    times = np.array(list(map(float, lines)), dtype=np.float64)
    try:
        check_times(times, list(range(1, len(lines) + 1)), name, "ms")
    except TraceFormatError as exc:
        raise TraceFormatError(f"{exc} (if these are rates: {_AS_RATES})") from exc
    return times


def _raise_on_bad_line(lines: list[str], name: str) -> None:
    for number, line in enumerate(lines, 1):
        if not (line.isdigit() and line.isascii() and len(line) <= _DIGITS):
            raise TraceFormatError(
                f"{name}:{number}: found {line[:40]!r}; expected a whole number of milliseconds"
                + (f" (if these are rates: {_AS_RATES})" if "." in line and is_number(line) else "")
            )


def write_mahimahi(trace: Trace) -> str:
    """Write one line for each 1500 bytes, at the millisecond by which they are offered.

    A trace that ends between two packets gets an additional packet at its end, because
    the last line is also the length of the loop.

    Raises:
        TraceFormatError: the file would have more than 50 million lines.
    """
    length_ms = max(round(trace.duration_s * 1000), 1)
    bits = trace.bits_by(trace.duration_s)
    count = int(bits / _PACKET_BITS + 4e-5)
    if count > _MAX_PACKETS:
        raise TraceFormatError(
            f"{trace.name or 'trace'}: needs {count} lines as mahimahi; expected at most "
            f"{_MAX_PACKETS}: write it in another format"
        )
    offered = np.concatenate([[0.0], np.cumsum(np.diff(trace.times_s) * trace.capacity_bps)])
    wanted = np.arange(1, count + 1) * float(_PACKET_BITS)
    k = np.clip(np.searchsorted(offered, wanted - 0.5), 1, len(trace.capacity_bps)) - 1
    after_s = (wanted - offered[k]) / trace.capacity_bps[k]
    stamps = np.ceil((trace.times_s[k] + after_s) * 1000 - 1e-3).astype(np.int64)
    stamps = np.clip(stamps, 0, length_ms)
    if count == 0 or stamps[-1] != length_ms:
        # The last line is the length of the loop; without this one the loop would be shorter.
        stamps = np.append(stamps, length_ms)
    return "\n".join(map(str, stamps.tolist())) + "\n"
