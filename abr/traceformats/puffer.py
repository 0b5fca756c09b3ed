"""Puffer's ``video_sent`` tables: chunks sent to viewers, one trace per session.

``delivery_rate`` is TCP's own estimate when a chunk was sent, in **bytes** per second, and
applies since the previous chunk. A well-known conversion of these tables divides it by a
million and calls the result Mbit/s, which is 8 times too low. More than 15 s without a
chunk, the capacity of the buffer, mean that the viewer paused or left: such gaps are
shortened to 2 s.

Sources: the data description of the Puffer project (puffer.stanford.edu); F. Y. Yan et al.,
Learning in situ, NSDI 2020.
"""

from __future__ import annotations

import numpy as np

from abr.media import FloatArray
from abr.traceformats.rows import Found, parse_numbers
from abr.traceformats.tables import build_traces, named_columns, shorten_gaps

_COLUMNS = ("time", "session_id", "delivery_rate")
_UNNAMED = {"time": 0, "session_id": 1, "index": 2, "delivery_rate": 13}
_PAUSE_S, _CHUNK_S = 15.0, 2.0


def read_puffer(text: str, name: str) -> list[Found]:
    """Read one trace per session, in the order of their first rows."""
    rows, columns = named_columns(text, name, _COLUMNS, _UNNAMED)
    times = parse_numbers(rows, columns["time"], name, "time")
    rates = parse_numbers(rows, columns["delivery_rate"], name, "delivery_rate") * 8
    sessions: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        sessions.setdefault(row.fields[columns["session_id"]], []).append(at)
    groups: dict[str, tuple[FloatArray, FloatArray]] = {}
    notes: tuple[str, ...] = ()
    for key, indexes in sessions.items():
        groups[key], cut = _periods(times[indexes], rates[indexes])
        notes += tuple(f"session {key[:40]}: {note}" for note in cut)
    return build_traces(groups, name, "sessions", notes)


def _periods(
    times: FloatArray, rates: FloatArray
) -> tuple[tuple[FloatArray, FloatArray], tuple[str, ...]]:
    order = np.argsort(times, kind="stable")
    steps, notes = shorten_gaps(np.diff(times[order]) * 1e-9, _PAUSE_S, _CHUNK_S)
    return (steps, rates[order][1:]), notes
