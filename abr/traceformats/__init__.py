"""Trace files: bytes to ``Trace`` and back, one module per family of formats.

========== ===========================================================================
mahimahi   one whole number per line, milliseconds: a chance to deliver 1500 bytes then.
           The last one is also the length of the loop. Chances at ms t are spread over
           ``(t-1, t]``, so what is offered by each whole millisecond is Mahimahi's count.
cooked     two columns, seconds and Mbit/s: the rate of a row holds since the row before.
           The rate of the first row is never used, its time becomes 0 (Pensieve's files).
sabre      JSON list of ``{"duration_ms", "bandwidth_kbps", "latency_ms"}`` (Sabre's);
           a missing latency is 0, as a request there costs nothing.
json       our own: everything a ``Trace`` holds, exactly.
csv        columns and units named by a header (``time_s,capacity_kbps,rtt_ms,loss_pct``), or
           ``t_s,kbps[,rtt_ms[,loss_pct]]`` without: the rate of a row holds until the next
           row. A last row without rate is the end; without such a row the last rate holds
           as long as the one before it.
oboe       pairs of lines, milliseconds and kbit/s; gaps between pairs are outages.
hsdpa      raw logs of 3G in Norway: six columns, bytes and milliseconds among them.
ghent      raw logs of 4G in Ghent: the same columns.
raca       4G and 5G tables, ``DL_bitrate`` in kbit/s each second.
fcc        ``curr_webget`` tables, ``bytes_sec``: a trace for each unit and target.
puffer     ``video_sent`` tables, ``delivery_rate`` in bytes/s: a trace for each session.
========== ===========================================================================

All but ``json`` are read as loops, and drop another end rule when written. Only ``json``
and ``csv`` hold losses; mahimahi, cooked and oboe drop round-trip times too, and mahimahi
rounds to milliseconds and packets. The last five are logs of measurements that hold much
more than a link, such as positions: they are read only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from abr.errors import TraceFormatError
from abr.trace import Trace
from abr.traceformats.cooked import read_cooked, write_cooked
from abr.traceformats.csvtable import read_csv, write_csv
from abr.traceformats.detect import detect
from abr.traceformats.fcc import read_fcc
from abr.traceformats.mahimahi import read_mahimahi, write_mahimahi
from abr.traceformats.objects import read_json, read_sabre, write_json, write_sabre
from abr.traceformats.oboe import read_oboe, write_oboe
from abr.traceformats.puffer import read_puffer
from abr.traceformats.raca import read_raca
from abr.traceformats.rawlogs import read_rawlog
from abr.traceformats.rows import Found

_SLOWEST_BPS, _FASTEST_BPS = 20e3, 20e9


@dataclass(frozen=True, slots=True)
class _Codec:
    read: Callable[[str, str], list[Found]]
    write: Callable[[Trace], str] | None = None
    holds_several: bool = False


_CODECS = {
    "mahimahi": _Codec(read_mahimahi, write_mahimahi),
    "cooked": _Codec(read_cooked, write_cooked),
    "sabre": _Codec(read_sabre, write_sabre),
    "json": _Codec(read_json, write_json),
    "csv": _Codec(read_csv, write_csv),
    "oboe": _Codec(read_oboe, write_oboe),
    "hsdpa": _Codec(read_rawlog),
    "ghent": _Codec(read_rawlog),
    "raca": _Codec(read_raca),
    "fcc": _Codec(read_fcc, holds_several=True),
    "puffer": _Codec(read_puffer, holds_several=True),
}

FORMATS: tuple[str, ...] = tuple(_CODECS)
"""Names of the formats that are read."""
_ALL_FORMATS = ", ".join(FORMATS)

WRITABLE: tuple[str, ...] = tuple(name for name, codec in _CODECS.items() if codec.write)
"""Names of the formats that are also written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A trace as it was read from a file."""

    trace: Trace
    format: str
    """One of ``FORMATS``."""
    remarks: tuple[str, ...] = ()
    """What is odd about it, and what was left out; a sentence each."""


def read_readings(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # the plain word reads best at the caller
) -> tuple[Reading, ...]:
    """Read every trace of a file, with its format and remarks.

    Args:
        data: The whole file.
        name: How errors call it; its last path component names the trace, unless the
            format names the traces inside.
        format: One of ``FORMATS``; found out from the content when None.

    Returns:
        One or more. Remarks about a file of several traces are with the first.

    Raises:
        TraceFormatError: ``name:line: found; expected``, when the text breaks its
            format, times decrease, or a trace has no length or no capacity.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise TraceFormatError(
            f"{name}: byte {exc.start} is not text; expected a trace in one of {_ALL_FORMATS}"
        ) from exc
    if not text.strip():
        raise TraceFormatError(
            f"{name}: the file is empty; expected a trace in one of {_ALL_FORMATS}"
        )
    called = format or detect(text, name, _ALL_FORMATS)
    codec = _find_codec(called, name)
    with np.errstate(all="ignore"):  # what overflows is refused by Trace, in words
        found = codec.read(text, name)
    stem = name.replace("\\", "/").rsplit("/", 1)[-1]
    if not codec.holds_several:
        found = [each._replace(trace=each.trace.named(stem)) for each in found]
    return tuple(_reading(each, called) for each in found)


def _reading(found: Found, called: str) -> Reading:
    doubts_rate = any(note.startswith("rates ") for note in found.notes)
    general = (r for r in remarks(found.trace) if not (doubts_rate and r.startswith("mean ")))
    return Reading(trace=found.trace, format=called, remarks=(*found.notes, *general))


def read_traces(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # as in read_readings
) -> list[Trace]:
    """Read every trace of a file; see ``read_readings``.

    Raises:
        TraceFormatError: as there.
    """
    return [reading.trace for reading in read_readings(data, name=name, format=format)]


def read_trace(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # as in read_readings
    pick: str | None = None,
) -> Trace:
    """Read the one trace of a file, or the one called ``pick``; see ``read_readings``.

    Raises:
        TraceFormatError: as there; also when the file holds several and none was picked.
    """
    return pick_reading(read_readings(data, name=name, format=format), name=name, pick=pick).trace


def pick_reading(readings: tuple[Reading, ...], *, name: str, pick: str | None = None) -> Reading:
    """The reading called ``pick``, by the name of its trace or its number from 1.

    Raises:
        TraceFormatError: there is none of that name, or several and no ``pick``.
    """
    for number, reading in enumerate(readings, 1):
        if pick == reading.trace.name or (pick is None and len(readings) == 1):
            return reading
        if pick == str(number) and all(r.trace.name != pick for r in readings):
            return reading
    some = ", ".join(reading.trace.name for reading in readings[:3])
    more = ", ..." if len(readings) > 3 else ""
    count = f"{len(readings)} trace{'s' if len(readings) > 1 else ''}"
    wrong = "" if pick is None else f", none of them {pick[:40]!r}"
    raise TraceFormatError(
        f"{name}: holds {count} ({some}{more}){wrong}; pick one by its name or its number, "
        f"as in {name}#{readings[0].trace.name} or {name}#1"
    )


def write_trace(
    trace: Trace,
    format: str,  # noqa: A002  # as in read_readings
) -> bytes:
    """The file that holds ``trace`` in ``format``; see the module's docstring for losses.

    Raises:
        TraceFormatError: the format is unknown, read only, or cannot hold the trace.
    """
    where = trace.name or "trace"
    writer = _find_codec(format, where).write
    if writer is None:
        raise TraceFormatError(
            f"{where}: {format} is a log of measurements, which a trace does not hold, and is "
            f"read only; expected one of {', '.join(WRITABLE)}"
        )
    return writer(trace).encode()


def remarks(trace: Trace) -> tuple[str, ...]:
    """What a reader of figures should know: likely unit mistakes, outages at an end."""
    found = []
    if trace.mean_bps > _FASTEST_BPS:
        found.append(f"mean capacity is {trace.mean_bps / 1e9:.3g} Gbit/s: kbit/s read as Mbit/s?")
    if trace.mean_bps < _SLOWEST_BPS:
        found.append(f"mean capacity is {trace.mean_bps / 1e3:.3g} kbit/s: Mbit/s read as kbit/s?")
    if trace.capacity_bps[0] == 0:
        found.append("starts in an outage: startup waits for its end")
    if trace.capacity_bps[-1] == 0 and trace.end != "loop":
        found.append("ends in an outage: a playback that outlives it never ends")
    return tuple(found)


def _find_codec(called: str, name: str) -> _Codec:
    if called not in _CODECS:
        raise TraceFormatError(f"{name}: unknown trace format {called!r}; expected {_ALL_FORMATS}")
    return _CODECS[called]
