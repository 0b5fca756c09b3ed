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
oboe       pairs of lines, milliseconds and kbit/s; gaps between pairs are interpolated.
genet      JSON with ``timestamps`` in seconds and ``bandwidths`` in Mbit/s (Genet, PCC).
hsdpa      raw logs of 3G in Norway: six columns, including bytes and milliseconds.
ghent      raw logs of 4G in Ghent: the same columns.
raca       4G and 5G tables with ``DL_bitrate`` in kbit/s for each second.
fcc        ``curr_webget`` tables with ``bytes_sec``: one trace for each unit and target.
puffer     ``video_sent`` tables with ``delivery_rate`` in bytes/s: one trace per session.
lumos5g    and ``5gophers``, ``lumos``, ``mtu``, ``starlink``: see ``published``.
========== ===========================================================================

All formats except ``json`` are read as looping traces, and any other end rule is lost when
they are written. Only ``json`` and ``csv`` store losses; mahimahi, cooked and oboe do not
store round-trip times either, and mahimahi rounds to milliseconds and packets. From hsdpa on
they are measurement logs with additional data such as positions; they cannot be written, and
neither can genet. Any other table is read when told which columns are what; see ``columns``.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from abr.errors import ConfigError, TraceFormatError
from abr.trace import Trace
from abr.traceformats.columns import Columns, parse_columns
from abr.traceformats.cooked import read_cooked, write_cooked
from abr.traceformats.csvtable import read_csv, write_csv
from abr.traceformats.detect import detect
from abr.traceformats.fcc import read_fcc
from abr.traceformats.genet import read_genet
from abr.traceformats.mahimahi import read_mahimahi, write_mahimahi
from abr.traceformats.mapped import read_mapped
from abr.traceformats.objects import read_json, read_sabre, write_json, write_sabre
from abr.traceformats.oboe import read_oboe, write_oboe
from abr.traceformats.published import NAMES as PUBLISHED
from abr.traceformats.published import holds_several, read_published
from abr.traceformats.puffer import read_puffer
from abr.traceformats.raca import read_raca
from abr.traceformats.rawlogs import read_rawlog
from abr.traceformats.rows import Found
from abr.traceformats.units import Summary, find_doubts, summarize

_SLOWEST_BPS, _FASTEST_BPS, _LARGEST_BPS = 20e3, 20e9, 1e12


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
    "genet": _Codec(read_genet),
    **{
        name: _Codec(partial(read_published, name), holds_several=holds_several(name))
        for name in PUBLISHED
    },
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
    """One of ``FORMATS``, or ``columns``."""
    remarks: tuple[str, ...] = ()
    """Notes on anything unusual about it, and on what was left out."""
    summary: Summary | None = None
    """What doubts about a set of traces need to know of this one."""


def read_readings(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # the clearest word for callers
    columns: str | Mapping[str, object] | Columns | None = None,
) -> tuple[Reading, ...]:
    """Read every trace of a file, with its format and remarks.

    Args:
        data: Content of the file.
        name: Name of the file in error messages; its last path component is the name of
            the trace, unless the format contains names.
        format: One of ``FORMATS``; detected from the content if None.
        columns: For a table in none of the formats: which columns are times and rates, such as
            ``"time=1:ms,rate=2:kbit"`` or ``{"time": "1:ms", "rate": "2:kbit"}``; see
            ``abr.traceformats.columns``.

    Returns:
        One or more readings. Remarks about the file as a whole are with the first.

    Raises:
        TraceFormatError: the text violates its format, times decrease, or a trace has no
            length or no capacity. The message is ``name:line: found; expected``.
        ConfigError: ``columns`` is not understood, or both it and ``format`` are given.
    """
    asked = None if columns is None else parse_columns(columns)
    if asked is not None and format is not None:
        raise ConfigError(f"columns={asked} and format={format!r} exclude each other; give one")
    text = _decode(data, name)
    if asked is not None:
        called, several = "columns", asked.run is not None
        read: Callable[[str, str], list[Found]] = partial(read_mapped, columns=asked)
    else:
        called = format or detect(text, name, _ALL_FORMATS)
        codec = _find_codec(called, name)
        read, several = codec.read, codec.holds_several
    with np.errstate(all="ignore"):  # Trace rejects overflows, with a clear message
        found = read(text, name)
    stem = name.replace("\\", "/").rsplit("/", 1)[-1]
    if not several or (len(found) == 1 and called in ("columns", *PUBLISHED)):
        found = [each._replace(trace=each.trace.named(stem)) for each in found]
    for each in found:
        _check_plausible(each.trace, name)
    return tuple(_reading(each, called) for each in found)


_BINARY = {
    b"\x93NUMPY": "a NumPy array; write its values as text, one in each line",
    b"\x80": "a Python pickle",
    b"PK\x03\x04": "a ZIP archive; unpack it",
    b"\x1f\x8b": "compressed; unpack it with gunzip",
}


def _decode(data: bytes, name: str) -> str:
    for start, kind in _BINARY.items():
        if data.startswith(start):
            raise TraceFormatError(f"{name}: {kind}; expected a trace as text")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as exc:
        raise TraceFormatError(
            f"{name}: byte {exc.start} is not text in UTF-8; expected a trace in one of "
            f"{_ALL_FORMATS}; if it is text, save it as UTF-8"
        ) from exc
    if not text.strip():
        raise TraceFormatError(
            f"{name}: the file is empty; expected a trace in one of {_ALL_FORMATS}"
        )
    return text


def _check_plausible(trace: Trace, name: str) -> None:
    peak_bps = float(trace.capacity_bps.max())
    if peak_bps > _LARGEST_BPS:
        raise TraceFormatError(
            f"{name}: offers {peak_bps:.3g} bit/s at its peak; expected at most {_LARGEST_BPS:.3g} "
            "bit/s (in another unit? --columns time=1:s,rate=2:bit names units)"
        )


def _reading(found: Found, called: str) -> Reading:
    summary = summarize(found.trace, found.assumed, found.doubts)
    doubts = find_doubts([summary])
    doubts_rate = any(each.startswith(("rates ", "median rate ")) for each in doubts)
    general = (r for r in remarks(found.trace) if not (doubts_rate and r.startswith("mean ")))
    notes = (*found.notes, *doubts, *general)
    return Reading(trace=found.trace, format=called, remarks=notes, summary=summary)


def find_set_doubts(readings: Iterable[Reading]) -> tuple[str, ...]:
    """What is hardly plausible about a set of traces together, such as a likely wrong unit.

    Returns:
        One line each, with the option that reads it otherwise.
    """
    return find_doubts(each.summary for each in readings if each.summary is not None)


def read_traces(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # as in read_readings
    columns: str | Mapping[str, object] | Columns | None = None,
) -> list[Trace]:
    """Read every trace of a file, without remarks; see ``read_readings``.

    Raises:
        TraceFormatError: likewise.
        ConfigError: likewise.
    """
    readings = read_readings(data, name=name, format=format, columns=columns)
    return [reading.trace for reading in readings]


def read_trace(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # as in read_readings
    columns: str | Mapping[str, object] | Columns | None = None,
    pick: str | None = None,
) -> Trace:
    """Read the only trace of a file, or the one selected by ``pick``; see ``read_readings``.

    Raises:
        TraceFormatError: likewise; also if the file contains several and ``pick`` is None.
        ConfigError: likewise.
    """
    readings = read_readings(data, name=name, format=format, columns=columns)
    return pick_reading(readings, name=name, pick=pick).trace


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
