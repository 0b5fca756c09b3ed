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
from abr.traceformats.rows import Found

_FORMAT, _VERSION = "abrkit-trace", 1
_TOO_BIG = 1e300

_SABRE_KEYS = ("duration_ms", "bandwidth_kbps", "latency_ms")
_SABRE_MISSING = {"latency_ms": 0}


def read_sabre(text: str, name: str) -> list[Found]:
    """Read a list of periods; a missing latency is 0."""
    periods = _json(text, name, list)
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
        raise TypeError(f"found {str(period)[:40]!r}; expected an object")
    values = [_finite(period.get(key, _SABRE_MISSING.get(key)), key) for key in _SABRE_KEYS]
    return values[0] / 1e3, values[1] * 1e3, values[2] / 1e3


def _finite(value: object, key: str) -> float:
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


def _json(text: str, name: str, kind: type) -> Any:
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
    held = _json(text, name, dict)
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
            columns[key] = _column(values, f"{name}: {key}")
    return [Found(Trace(**columns, end=held.get("end", "loop"), name=name))]


def _column(values: object, where: str) -> FloatArray:
    if not isinstance(values, list):
        raise TraceFormatError(f"{where} is {str(values)[:40]!r}; expected a list of numbers")
    numbers = []
    for index, value in enumerate(values):
        try:
            numbers.append(_finite(value, f"{where}[{index}]"))
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
