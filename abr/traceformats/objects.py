"""JSON traces: Sabre's list of periods, and abrkit's own lossless format.

Source of Sabre's format: UMass-LIDS/sabre, sabre.py.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.columns import suggest_columns
from abr.traceformats.rows import Found

_FORMAT, _VERSION = "abrkit-trace", 1
_TOO_BIG = 1e300

_SABRE_KEYS = ("duration_ms", "bandwidth_kbps", "latency_ms")
_SABRE_MISSING = {"latency_ms": 0}


def read_sabre(text: str, name: str) -> list[Found]:
    """Read a list of periods; a missing latency is 0."""
    periods = parse_json(text, name, list)
    if periods and isinstance(periods[0], dict) and not set(_SABRE_KEYS) & set(periods[0]):
        keys = list(map(str, periods[0]))
        raise TraceFormatError(
            f"{name}:1: found objects with {', '.join(keys)[:80]}; expected "
            f"{', '.join(_SABRE_KEYS)}; for another list say which is what: {suggest_columns(keys)}"
        )
    rows = []
    for index, period in enumerate(periods):
        try:
            rows.append(_sabre_row(period))
        except (TypeError, ValueError) as exc:
            raise TraceFormatError(f"{name}:{_line_of(text, index)}: {exc}") from exc
    if not rows:
        raise TraceFormatError(f"{name}:1: found no periods; expected at least one")
    return [Found(Trace.from_periods(rows, name=name))]


def _sabre_row(period: object) -> tuple[float, float, float]:
    if not isinstance(period, dict):
        raise TypeError(
            f"found {str(period)[:40]!r}; expected an object with {', '.join(_SABRE_KEYS)} (for "
            "rates of equal length: --columns rate=1:mbit,step=1s)"
        )
    values = [finite(period.get(key, _SABRE_MISSING.get(key)), key) for key in _SABRE_KEYS]
    return values[0] / 1e3, values[1] * 1e3, values[2] / 1e3


def finite(value: object, key: str) -> float:
    """A number of 0 or more; error messages call it ``key``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{key} is {_shorten(value)}; expected a number")
    if not 0 <= value < _TOO_BIG:
        raise ValueError(f"{key} is {_shorten(value)}; expected a finite number of 0 or more")
    return float(value)


def _line_of(text: str, index: int) -> int:
    """Number of the line on which element ``index`` of the JSON list starts."""
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    for past in range(index + 1):
        while text[at] in " \t\r\n,":
            at += 1
        if past < index:
            at = decoder.raw_decode(text, at)[1]
    return text.count("\n", 0, at) + 1


def write_sabre(trace: Trace) -> str:
    """Write one period per line; without round-trip times, the latency is 0."""
    rtt = trace.rtt_s if trace.rtt_s is not None else np.zeros(len(trace.capacity_bps))
    columns = (np.diff(trace.times_s) * 1e3, trace.capacity_bps / 1e3, rtt * 1e3)
    # Smaller digits, below nanoseconds and millibits, are artefacts of earlier sums.
    rows = zip(*(column.round(6).tolist() for column in columns), strict=True)
    periods = (json.dumps(dict(zip(_SABRE_KEYS, row, strict=True))) for row in rows)
    return "[\n  " + ",\n  ".join(periods) + "\n]\n"


def parse_json(text: str, name: str, kind: type) -> Any:
    """Parse JSON of one kind.

    Raises:
        TraceFormatError: it is broken, or of another kind.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        line = getattr(exc, "lineno", 1)
        raise TraceFormatError(
            f"{name}:{line}: broken JSON ({exc}); expected {_describe_kind(kind)}"
        ) from exc
    if not isinstance(value, kind):
        raise TraceFormatError(
            f"{name}:1: found {_describe_kind(type(value))}; expected {_describe_kind(kind)}"
        )
    return value


def _describe_kind(kind: type) -> str:
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
    return names.get(kind, "a single value")


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def read_json(text: str, name: str) -> list[Found]:
    """Read abrkit's own format.

    Raises:
        TraceFormatError: the format or version is unknown, or the trace is not usable.
    """
    held = parse_json(text, name, dict)
    if "format" not in held:
        raise TraceFormatError(f"{name}:1: {_what_else(held)}")
    if held.get("format") != _FORMAT or held.get("version") != _VERSION:
        raise TraceFormatError(
            f"{name}:1: found format {_shorten(held.get('format'))} "
            f"version {_shorten(held.get('version'))}; "
            f"expected {_FORMAT!r} version {_VERSION}"
        )
    columns = {}
    for key in ("times_s", "capacity_bps", "rtt_s", "loss_ratio"):
        values = held.get(key)
        if values is not None or key not in ("rtt_s", "loss_ratio"):
            columns[key] = list_of_numbers(values, f"{name}: {key}")
    return [Found(Trace(**columns, end=held.get("end", "loop"), name=name))]


def _what_else(held: dict[str, Any]) -> str:
    keys = ", ".join(map(str, held))[:80]
    if "segment_sizes_bits" in held:
        return "found a movie of Sabre's; expected a trace of a network"
    lists = [str(key) for key, each in held.items() if isinstance(each, list)]
    if not lists:
        return f"found an object with {keys or 'nothing'}; expected a trace in JSON"
    return (
        f"found an object with {keys}; expected {_FORMAT!r}, or lists of timestamps and "
        f"bandwidths; for other lists say which is what: {suggest_columns(lists)}"
    )


def list_of_numbers(values: object, where: str) -> FloatArray:
    """The numbers of a JSON list, each 0 or more.

    Raises:
        TraceFormatError: it is no list, or holds something else.
    """
    if not isinstance(values, list):
        raise TraceFormatError(f"{where} is {str(values)[:40]!r}; expected a list of numbers")
    numbers = []
    for index, value in enumerate(values):
        try:
            numbers.append(finite(value, f"{where}[{index}]"))
        except (TypeError, ValueError) as exc:
            raise TraceFormatError(str(exc)) from exc
    return np.array(numbers, dtype=np.float64)


def write_json(trace: Trace) -> str:
    """Write the complete trace, one column per line."""
    held: dict[str, object] = {
        "format": _FORMAT,
        "version": _VERSION,
        "name": trace.name,
        "end": trace.end,
        "times_s": trace.times_s.tolist(),
        "capacity_bps": trace.capacity_bps.tolist(),
        "rtt_s": None if trace.rtt_s is None else trace.rtt_s.tolist(),
    }
    if trace.loss_ratio is not None:
        held["loss_ratio"] = trace.loss_ratio.tolist()
    rows = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in held.items())
    return "{\n" + ",\n".join(rows) + "\n}\n"
