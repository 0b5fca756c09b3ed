"""Genet's JSON: lists of ``timestamps`` in seconds and ``bandwidths`` in Mbit/s.

A trace for adaptive bitrate has ``link_rtt`` in milliseconds, and its rates apply since the
time before, as in Pensieve's simulator. A trace for congestion control, as in PCC's, has
one-way ``delays`` in milliseconds and a ``loss`` ratio, and its rates apply until the next
time; the last time is the end. A round-trip time is twice the delay.

Source: GenetProject/Genet, simulator/trace.py and simulator/abr_simulator/abr_trace.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from abr.errors import TraceFormatError
from abr.media import FloatArray
from abr.trace import Trace
from abr.traceformats.objects import finite, list_of_numbers, parse_json
from abr.traceformats.rows import Assumed, Found, rebase_note

KEYS = frozenset({"timestamps", "bandwidths"})
"""What such an object has."""
_ASSUMED = Assumed("s", "Mbit/s", "timestamps", "bandwidths")


def read_genet(text: str, name: str) -> list[Found]:
    """Read a trace of either kind."""
    held = parse_json(text, name, dict)
    times = list_of_numbers(held.get("timestamps"), f"{name}: timestamps")
    rates = list_of_numbers(held.get("bandwidths"), f"{name}: bandwidths") * 1e6
    if not len(times) == len(rates) > 1:
        raise TraceFormatError(
            f"{name}: found {len(times)} timestamps and {len(rates)} bandwidths; expected as many "
            "of both, two or more"
        )
    for k in np.flatnonzero(np.diff(times) < 0)[:1]:
        raise TraceFormatError(
            f"{name}: time {times[k + 1]:g} s comes after {times[k]:g} s; times must not decrease"
        )
    for_abr = "link_rtt" in held
    count = len(times) - 1
    trace = Trace(
        times_s=times - times[0],
        capacity_bps=rates[1:] if for_abr else rates[:-1],
        rtt_s=_rtt_s(held, count, name),
        loss_ratio=_loss(held, count, name),
        name=name,
    )
    assumed = _ASSUMED._replace(applies="since" if for_abr else "until")
    return [Found(trace, rebase_note(times[0], "s"), assumed)]


def _rtt_s(held: dict[str, Any], count: int, name: str) -> FloatArray | None:
    if held.get("link_rtt") is not None:
        return np.full(count, _number(held, "link_rtt", name) / 1e3)
    if not held.get("delays"):
        return None
    delays = list_of_numbers(held["delays"], f"{name}: delays")
    # The last delay holds on, as in Genet's simulator.
    return 2e-3 * delays[np.minimum(np.arange(count), len(delays) - 1)]


def _loss(held: dict[str, Any], count: int, name: str) -> FloatArray | None:
    loss = _number(held, "loss", name) if held.get("loss") is not None else 0.0
    return np.full(count, loss) if loss > 0 else None


def _number(held: dict[str, Any], key: str, name: str) -> float:
    try:
        return finite(held[key], key)
    except (TypeError, ValueError) as exc:
        raise TraceFormatError(f"{name}: {exc}") from exc
