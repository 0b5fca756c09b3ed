"""Sessions that failed: which, how many of each algorithm, and why.

A session that never began, or ended before its media did, has figures of a playback
nobody saw: no stall in it, perhaps, because it never played. It is counted and named
here, and counts in no figure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from abr.qoe import QoE
from bench.experiments.results import Results, Row

NEVER_BEGAN = "playback never began"
EARLY_ENDS = {"stopped": "stopped before the end", "still open": "the log breaks off"}
_ADDRESS = re.compile(r"^\S*/\S*: ")
"""What was asked for, at the head of an error: it differs where the reason is the same."""

REASONS_SHOWN = 3
"""Sentences name this many reasons; JSON and CSV have all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Failed sessions of one algorithm."""

    sessions: int
    """That were to be played."""
    failed: int
    reasons: tuple[tuple[str, int], ...]
    """Each reason with its number of sessions, most common first."""

    def __str__(self) -> str:
        """``12 of 24 sessions failed: no byte after 20 s (11), playback never began (1)``."""
        named = [f"{reason} ({times})" for reason, times in self.reasons[:REASONS_SHOWN]]
        if len(self.reasons) > REASONS_SHOWN:
            others = sum(times for _, times in self.reasons[REASONS_SHOWN:])
            named.append(f"other reasons ({others})")
        noun = "session" if self.sessions == 1 else "sessions"
        return f"{self.failed} of {self.sessions} {noun} failed: {', '.join(named)}"


def why_failed(ended: str, startup_s: float | None, *, may_stop: bool = False) -> str | None:
    """Why a session counts in no figure; None when it does.

    Args:
        ended: How it ended: complete, stopped, still open, or the error.
        startup_s: None when playback never began.
        may_stop: Somebody's wish to stop is no failure.
    """
    if ended.startswith("error: "):
        return _ADDRESS.sub("", ended.removeprefix("error: "))
    if startup_s is None:
        return NEVER_BEGAN
    if ended == "complete" or (may_stop and ended == "stopped"):
        return None
    return EARLY_ENDS.get(ended, ended)


def why_playback_failed(qoe: QoE) -> str | None:
    """Why a playback counts in no figure, judged by its log; None when it does."""
    return why_failed(qoe.ended, qoe.startup_s, may_stop=True)


def why_row_failed(row: Row) -> str | None:
    """Why a session of an experiment counts in no figure; None when it does."""
    return why_failed(str(row["ended"]), row["startup_s"])


def failures_of(sessions: int, reasons: Iterable[str]) -> Failures:
    """Count ``reasons``, one for each failed session of ``sessions``."""
    counted = Counter(reasons)
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    return Failures(sessions=sessions, failed=counted.total(), reasons=tuple(ordered))


def failures_by_algorithm(results: Results) -> dict[str, Failures]:
    """Failed sessions of every algorithm of the plan, in its order.

    An algorithm whose every run failed has no row; it is here by the header's word.
    """
    reasons = [(str(row["algorithm"]), why_row_failed(row)) for row in results.rows]
    return count_failures(
        results.header,
        sessions=Counter(label for label, _ in reasons),
        reasons=((label, reason) for label, reason in reasons if reason),
    )


def count_failures(
    header: Mapping[str, Any],
    *,
    sessions: Mapping[str, int],
    reasons: Iterable[tuple[str, str]],
) -> dict[str, Failures]:
    """As ``failures_by_algorithm``.

    Args:
        header: Of the results.
        sessions: How many have a row, by algorithm.
        reasons: The algorithm and the reason of each of these that failed.
    """
    found: dict[str, list[str]] = {label: [] for label in (*planned_labels(header), *sessions)}
    for label, reason in reasons:
        found[label].append(reason)
    planned = max(sessions.values(), default=0)
    for label, all_reasons in found.items():
        missing = max(planned - sessions.get(label, 0), 0)
        for entry in _failed_runs(header, label):
            count = int(entry.get("sessions", missing))
            all_reasons.extend([f"run failed: {entry.get('error', 'unknown')}"] * count)
            missing = max(missing - count, 0)
    return {
        label: failures_of(max(planned, sessions.get(label, 0), len(all_reasons)), all_reasons)
        for label, all_reasons in found.items()
    }


def planned_labels(header: Mapping[str, Any]) -> list[str]:
    """The algorithms that a plan named, in its order."""
    return [str(each["label"]) for each in header.get("algorithms", ()) if "label" in each]


def _failed_runs(header: Mapping[str, Any], label: str) -> Sequence[Mapping[str, Any]]:
    """Entries of ``failed`` that are of this algorithm; older results name it in a sentence."""
    return [
        entry
        for entry in header.get("failed", ())
        if entry.get("algorithm") == label
        or ("algorithm" not in entry and str(entry.get("run", "")).startswith(f"{label} on "))
    ]
