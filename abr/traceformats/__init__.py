"""Trace files: bytes to ``Trace`` and back, one reader and one writer per format.

========== ===========================================================================
mahimahi   one whole number per line, milliseconds: a chance to deliver 1500 bytes then.
           The last one is also the length of the loop. Chances at ms t are spread over
           ``(t-1, t]``, so what is offered by each whole millisecond is Mahimahi's count.
cooked     two columns, seconds and Mbit/s: the rate of a row holds since the row before.
           The rate of the first row is never used, its time becomes 0 (Pensieve's files).
sabre      JSON list of ``{"duration_ms", "bandwidth_kbps", "latency_ms"}`` (Sabre's);
           a missing latency is 0, as a request there costs nothing.
json       our own: everything a ``Trace`` holds, exactly.
csv        ``t_s,kbps[,rtt_ms]`` with or without that header: the rate of a row holds until
           the next row. A last row without rate is the end; without such a row the last
           rate holds as long as the one before it.
========== ===========================================================================

All but ``json`` are read as loops, and drop another end rule when written; mahimahi
and cooked drop round-trip times, and mahimahi rounds to milliseconds and packets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from abr.errors import TraceFormatError
from abr.trace import Trace
from abr.traceformats.columns import read_cooked, read_csv, write_cooked, write_csv
from abr.traceformats.mahimahi import read_mahimahi, write_mahimahi
from abr.traceformats.objects import read_json, read_sabre, write_json, write_sabre
from abr.traceformats.rows import numbered_lines

_SLOWEST_BPS, _FASTEST_BPS = 20e3, 20e9


@dataclass(frozen=True, slots=True)
class _Codec:
    read: Callable[[str, str], Trace]
    write: Callable[[Trace], str]


_CODECS = {
    "mahimahi": _Codec(read_mahimahi, write_mahimahi),
    "cooked": _Codec(read_cooked, write_cooked),
    "sabre": _Codec(read_sabre, write_sabre),
    "json": _Codec(read_json, write_json),
    "csv": _Codec(read_csv, write_csv),
}

FORMATS: tuple[str, ...] = tuple(_CODECS)
"""Names of the formats that are read and written."""


def read_trace(
    data: bytes,
    *,
    name: str,
    format: str | None = None,  # noqa: A002  # the plain word reads best at the caller
) -> Trace:
    """Read a trace file.

    Args:
        data: The whole file.
        name: How errors call it; its last path component names the trace.
        format: One of ``FORMATS``; found out from the content when None.

    Raises:
        TraceFormatError: ``name:line: found; expected``, when the text breaks its
            format, times decrease, or the trace has no length or no capacity.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise TraceFormatError(
            f"{name}: byte {exc.start} is not text; expected a trace in one of {_listed()}"
        ) from exc
    codec = _codec(format or _detect(text, name), name)
    trace = codec.read(text, name)
    return replace(trace, name=name.replace("\\", "/").rsplit("/", 1)[-1])


def write_trace(
    trace: Trace,
    format: str,  # noqa: A002  # as in read_trace
) -> bytes:
    """The file that holds ``trace`` in ``format``; see the module's docstring for losses.

    Raises:
        TraceFormatError: the format is unknown or cannot hold the trace.
    """
    return _codec(format, trace.name or "trace").write(trace).encode()


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


def _detect(text: str, name: str) -> str:
    for number, line in numbered_lines(text):
        if line[0] in "[{":
            return "sabre" if line[0] == "[" else "json"
        if "," in line:
            return "csv"
        fields = line.split()
        if len(fields) == 2:
            return "cooked"
        if len(fields) == 1 and fields[0].lstrip("+-").isdigit():
            return "mahimahi"
        raise TraceFormatError(
            f"{name}:{number}: found {line[:40]!r}; expected the start of {_listed()}"
        )
    raise TraceFormatError(f"{name}: the file is empty; expected a trace in one of {_listed()}")


def _codec(called: str, name: str) -> _Codec:
    if called not in _CODECS:
        raise TraceFormatError(f"{name}: unknown trace format {called!r}; expected {_listed()}")
    return _CODECS[called]


def _listed() -> str:
    return ", ".join(FORMATS)
