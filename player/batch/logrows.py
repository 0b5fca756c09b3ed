"""A session log as the row that the batch simulator of our own player would have made.

What that simulator leaves to the player itself (requests that meet a limit in time, tracks
fetched together) is played by the virtual driver; so that it stands beside the other
sessions of a batch, its log is summed up here in the same fields.
"""

from __future__ import annotations

import math

import numpy as np

from abr import qoe
from abr.log import SessionLog
from player.batch import tables
from player.batch.abrkit.timeline import DECIDED_S, note_stall
from player.batch.tables import (
    COMPLETE,
    FAILED,
    STOPPED,
    Out,
    PresentationTable,
    Totals,
    clear_totals,
    sum_rungs,
)


def fill(log: SessionLog, presentation: PresentationTable, out: Out) -> Totals:
    """Fill columns and rungs of ``out`` from a session's log; the totals of the session."""
    out.columns[:], out.rungs[:] = 0.0, -1.0
    fetched = _columns(log, out)
    _stalls(log, out, fetched)
    score = qoe.summary(log)
    shown, totals = score.rungs, Totals()
    clear_totals(totals)
    totals.startup_s = math.nan if score.startup_s is None else score.startup_s
    totals.stall_s = score.stall_s
    totals.stall_events = score.stall_events
    totals.played_s = score.played_s
    totals.ended_s = score.elapsed_s
    sum_rungs(presentation, out._replace(totals=totals), len(shown), score.played_s)
    outcome = {"complete": COMPLETE, "stopped": STOPPED}
    totals.outcome = outcome.get(score.ended, FAILED)
    aborted = [float(record["received_bytes"]) for record in log.of("abort")]
    finished = [float(record["size_bytes"]) for record in log.of("finished")]
    totals.downloads = sum(1 for _ in log.of("fetch"))
    totals.abandoned = sum(record["why"] == "abandoned" for record in log.of("abort"))
    totals.downloaded_bytes = sum(finished) + sum(aborted)
    unseen = out.columns[tables.SIZE_BYTES, len(shown) : fetched]
    totals.wasted_bytes = sum(aborted) + float(unseen.sum()) + _replaced_bytes(log)
    totals.idle_s = _idle_s(log, is_all_here=fetched == len(out.rungs))
    return totals


def _replaced_bytes(log: SessionLog) -> float:
    """Bytes of video segments that were fetched again although they had come."""
    newest: dict[int, float] = {}
    asked = {r["id"]: r for r in log.of("fetch") if r["kind"] == "segment"}
    replaced = 0.0
    for record in log.of("finished"):
        segment = asked.get(record["id"])
        if segment is not None and segment["track"] == "video":
            replaced += newest.get(segment["segment"], 0.0)
            newest[segment["segment"]] = float(record["size_bytes"])
    return replaced


def _columns(log: SessionLog, out: Out) -> int:
    """Fill the columns of video segments that came; how many did."""
    fetched = [r for r in log.of("fetch") if r["kind"] == "segment"]
    video = {r["id"]: r for r in fetched if r["track"] == "video"}
    first_byte_s = {r["id"]: r["t"] for r in log.of("response")}
    decided = {r["segment"]: r for r in log.of("decision")}
    count = 0
    for record in log.of("finished"):
        asked = video.get(record["id"])
        if asked is None:
            continue
        segment = asked["segment"]
        count = max(count, segment + 1)
        column = out.columns[:, segment]
        out.rungs[segment] = column[tables.RUNG] = asked["rung"]
        column[tables.START_S] = asked["t"]
        column[tables.FIRST_BYTE_S] = first_byte_s.get(record["id"], record["t"])
        column[tables.END_S] = record["t"]
        column[tables.SIZE_BYTES] = record["size_bytes"]
        decision = decided[segment]
        played_s = _played_s(log, decision["t"], asked["t"])
        column[tables.BUFFER_BEFORE_S] = max(decision["buffer_s"] - played_s, 0.0)
        column[DECIDED_S] = decision["t"]
    return count


def _stalls(log: SessionLog, out: Out, fetched: int) -> None:
    """Each stall belongs to the segment whose arrival ended it, or that was awaited."""
    # What is replaced comes later than some of what follows it.
    came = np.maximum.accumulate(out.columns[tables.END_S, :fetched])
    for stall in qoe.stalls(log):
        segment = int(np.searchsorted(came, stall.end_s, side="right")) - 1
        # The session ended within this stall, so what it waited for never came.
        if stall.end_s == log.records[-1]["t"]:
            segments = [r for r in log.of("fetch") if r["kind"] == "segment"]
            is_video = not segments or segments[-1]["track"] == "video"
            segment = min(fetched if is_video else fetched - 1, len(out.rungs) - 1)
        note_stall(out, segment, stall.start_s, stall.end_s)


def _played_s(log: SessionLog, start_s: float, end_s: float) -> float:
    """Media seconds played between two times."""
    played_s, since_s = 0.0, math.inf
    for record in [*log.of("state"), {"t": end_s, "to": ""}]:
        until_s = min(record["t"], end_s)
        played_s += max(until_s - max(since_s, start_s), 0.0)
        since_s = record["t"] if record["to"] == "playing" else math.inf
    return played_s


def _idle_s(log: SessionLog, *, is_all_here: bool) -> float:
    """Time without any request, as long as there was something to ask for."""
    idle_s, free_s, active = 0.0, 0.0, 0
    for record in log.of("fetch", "finished", "abort", "failed"):
        if record["e"] == "fetch":
            idle_s += 0.0 if active else record["t"] - free_s
            active += 1
        else:
            active -= 1
            free_s = record["t"]
    if not (active or is_all_here):
        idle_s += log.records[-1]["t"] - free_s
    return idle_s
