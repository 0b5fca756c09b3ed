"""Trace files: convert bytes to ``Trace`` and back, with one module per family of formats.

========== ===========================================================================
mahimahi   one integer per line, a time in milliseconds: an opportunity to deliver 1500
           bytes. The last one is also the length of the loop. Opportunities at ms t are
           spread over ``(t-1, t]``, so the bytes offered by each whole millisecond are those
           Mahimahi counts.
cooked     two columns, seconds and Mbit/s (Pensieve's files): the rate of a row applies since
           the previous row. The rate of the first row is unused, and its time becomes 0.
sabre      JSON list of ``{"duration_ms", "bandwidth_kbps", "latency_ms"}`` (Sabre's files);
           a missing latency is 0.
json       abrkit's own format, which represents a ``Trace`` exactly.
csv        columns and units named by a header (``time_s,capacity_kbps,rtt_ms,loss_pct``), or
           without one ``t_s,kbps[,rtt_ms[,loss_pct]]``: the rate of a row applies until the
           next row. A last row without a rate marks the end; otherwise the last rate lasts
           as long as the one before it.
oboe       pairs of lines, milliseconds and kbit/s; gaps between pairs are outages.
hsdpa      raw logs of 3G in Norway: six columns, including bytes and milliseconds.
ghent      raw logs of 4G in Ghent: the same columns.
raca       4G and 5G tables with ``DL_bitrate`` in kbit/s for each second.
fcc        ``curr_webget`` tables with ``bytes_sec``: one trace for each unit and target.
puffer     ``video_sent`` tables with ``delivery_rate`` in bytes/s: one trace per session.
========== ===========================================================================

All formats except ``json`` are read as looping traces, and any other end rule is lost when
they are written. Only ``json`` and ``csv`` store losses; mahimahi, cooked and oboe do not
store round-trip times either, and mahimahi rounds to milliseconds and packets. The last
five are measurement logs with additional data such as positions; they cannot be written.
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
"""Names of the formats that can be read."""
_ALL_FORMATS = ", ".join(FORMATS)

WRITABLE: tuple[str, ...] = tuple(name for name, codec in _CODECS.items() if codec.write)
"""Names of the formats that can also be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A trace read from a file."""

    trace: Trace
    format: str
    """One of ``FORMATS``."""
    remarks: tuple[str, ...] = ()
    """Notes on anything unusual about it, and on what was left out."""


def read_readings(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # the clearest word for callers
) -> tuple[Reading, ...]:
    """Read every trace of a file, with its format and remarks.

    Args:
        data: Content of the file.
        name: Name of the file in error messages; its last path component is the name of
            the trace, unless the format contains names.
        format: One of ``FORMATS``; detected from the content if None.

    Returns:
        One or more readings. Remarks about the file as a whole are with the first.

    Raises:
        TraceFormatError: the text violates its format, times decrease, or a trace has no
            length or no capacity. The message is ``name:line: found; expected``.
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
    with np.errstate(all="ignore"):  # Trace rejects overflows, with a clear message
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
    """Read every trace of a file, without remarks; see ``read_readings``.

    Raises:
        TraceFormatError: likewise.
    """
    return [reading.trace for reading in read_readings(data, name=name, format=format)]


def read_trace(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # as in read_readings
    pick: str | None = None,
) -> Trace:
    """Read the only trace of a file, or the one selected by ``pick``; see ``read_readings``.

    Raises:
        TraceFormatError: likewise; also if the file contains several and ``pick`` is None.
    """
    return pick_reading(read_readings(data, name=name, format=format), name=name, pick=pick).trace


def pick_reading(readings: tuple[Reading, ...], *, name: str, pick: str | None = None) -> Reading:
    """Select a reading by the name of its trace or its number, counted from 1.

    Raises:
        TraceFormatError: there is no such reading, or ``pick`` is None and there are several.
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
    """Write ``trace`` in ``format``; the module's docstring says what each format loses.

    Raises:
        TraceFormatError: the format is unknown or read-only, or cannot represent the trace.
    """
    where = trace.name or "trace"
    writer = _find_codec(format, where).write
    if writer is None:
        raise TraceFormatError(
            f"{where}: {format} is a log of measurements that a trace does not contain, and is "
            f"read-only; expected one of {', '.join(WRITABLE)}"
        )
    return writer(trace).encode()


def remarks(trace: Trace) -> tuple[str, ...]:
    """What users of the trace should know: likely unit errors, outages at either end."""
    found = []
    if trace.mean_bps > _FASTEST_BPS:
        found.append(f"mean capacity is {trace.mean_bps / 1e9:.3g} Gbit/s: kbit/s read as Mbit/s?")
    if trace.mean_bps < _SLOWEST_BPS:
        found.append(f"mean capacity is {trace.mean_bps / 1e3:.3g} kbit/s: Mbit/s read as kbit/s?")
    if trace.capacity_bps[0] == 0:
        found.append("starts with an outage: startup must wait for its end")
    if trace.capacity_bps[-1] == 0 and trace.end != "loop":
        found.append("ends with an outage: a playback that outlasts the trace never finishes")
    return tuple(found)


def _find_codec(called: str, name: str) -> _Codec:
    if called not in _CODECS:
        raise TraceFormatError(f"{name}: unknown trace format {called!r}; expected {_ALL_FORMATS}")
    return _CODECS[called]
