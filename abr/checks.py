"""A conformance kit for algorithms, including third-party ones.

``check_algorithm(make)`` asks an algorithm every question a player could ask, over a
grid of extreme observations, and rejects answers that a player could not use. Call it
from the tests of the distribution that ships the algorithm. An algorithm that needs the
trace is given the constant one of the synthetic playback.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from abr.decision import (
    Algorithm,
    Decision,
    Download,
    Observation,
    Progress,
    Rule,
    begin,
    downloads_from,
)
from abr.errors import AlgorithmError
from abr.media import Presentation, constant_presentation
from abr.trace import Trace

_LADDERS_BPS = (
    (400e3,),
    (300e3, 750e3),
    (230e3, 331e3, 477e3, 688e3, 991e3, 1427e3, 2056e3, 2962e3, 5027e3, 6000e3),
)
_SEGMENTS = ((1, 4.0), (6, 2.0), (40, 10.0))
_CAPACITIES_BPS = (1e3, 8e5, 3e6, 1e9)
_BUFFERS_S = (0.0, 0.1, 4.0, 11.0, 30.0, 240.0)
_MAX_BUFFERS_S = (4.0, 25.0, 240.0)
_WAITS_S = (0.0, 0.7, 5.0)
_MAX_REPLACEMENTS = 3
"""Consecutive replacements after which the playback moves on to the next segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What ``check_algorithm`` found."""

    name: str
    playbacks: int
    decisions: int
    s_per_decision: float | None
    """Mean seconds per decision, checks included; None without a clock."""


class _Playback(NamedTuple):
    """The answers of an algorithm in one synthetic playback."""

    name: str
    answers: list[tuple[Observation, Decision | None]]


def check_algorithm(
    make: Rule | Callable[[], object], *, clock: Callable[[], float] | None = None
) -> CheckReport:
    """Check that an algorithm gives valid, repeatable answers without output or side effects.

    Args:
        make: A ``Rule``, or a callable without arguments that returns a ``Rule`` or a
            fresh object with ``choose(seen)``.
        clock: A function such as ``time.perf_counter``; if given, the report includes the
            time per decision.

    Raises:
        AlgorithmError: the first violation found, with the observation that led to it.
    """
    algorithm = _make_algorithm(make)
    start_s = clock() if clock else 0.0
    playbacks = decisions = 0
    name = ""
    for presentation, capacity_bps, max_buffer_s in _grid():
        playbacks += 1
        first = _play(algorithm, presentation, capacity_bps, max_buffer_s)
        again = _play(algorithm, presentation, capacity_bps, max_buffer_s)
        for (seen, answer), (_, other) in zip(first.answers, again.answers, strict=True):
            if answer != other:
                raise AlgorithmError(
                    f"answers {answer} and {other} to equal observations: {_describe(seen)}; "
                    "keep memory in the object or the state of one playback"
                )
        decisions += len(first.answers) + len(again.answers)
        name = first.name
    elapsed_s = clock() - start_s if clock else 0.0
    return CheckReport(
        name=name,
        playbacks=playbacks,
        decisions=decisions,
        s_per_decision=elapsed_s / decisions if clock else None,
    )


def _make_algorithm(make: Rule | Callable[[], object]) -> Algorithm:
    if isinstance(make, Rule):
        return make
    made = make()
    return made if isinstance(made, Rule) else make  # type: ignore[return-value]  # begin() checks


def _grid() -> Iterator[tuple[Presentation, float, float]]:
    for rates, (segments, segment_s) in itertools.product(_LADDERS_BPS, _SEGMENTS):
        presentation = constant_presentation(rates, segments=segments, segment_s=segment_s)
        for capacity_bps, max_buffer_s in itertools.product(_CAPACITIES_BPS, _MAX_BUFFERS_S):
            yield presentation, capacity_bps, max_buffer_s


def _play(
    algorithm: Algorithm, presentation: Presentation, capacity_bps: float, max_buffer_s: float
) -> _Playback:
    """Every answer in one synthetic playback whose buffer jumps between extremes."""
    running = begin(algorithm, presentation, Trace.constant(capacity_bps))
    downloads: list[Download] = []
    answers: list[tuple[Observation, Decision | None]] = []
    now_s, last_rung, segment, replaced = 0.0, -1, 0, 0
    while segment < presentation.segments:
        buffer_s = min(_BUFFERS_S[segment % len(_BUFFERS_S)] if segment else 0.0, max_buffer_s)
        seen = Observation(
            now_s,
            segment,
            buffer_s,
            max_buffer_s,
            last_rung,
            segment > 0,
            presentation.bitrates_bps,
            presentation.sizes_bytes,
            presentation.durations_s,
            downloads_from(downloads),
        )
        if segment % len(_WAITS_S):
            _call_quietly(partial(running.waited, seen, _WAITS_S[segment % len(_WAITS_S)]), seen)
        decision = _call_quietly(partial(running.choose, seen), seen)
        assert decision is not None
        answers.append((seen, decision))
        rung, wanted = decision.rung, segment
        if 0 <= decision.segment < segment and replaced < _MAX_REPLACEMENTS:
            wanted = decision.segment
            _check_unplayed(seen, wanted)
        size_bytes = float(presentation.sizes_bytes[rung, wanted])
        first_s, end_s = now_s + 0.05, now_s + 0.05 + 8 * size_bytes / capacity_bps
        for at_s in (now_s + 0.02, first_s, (first_s + end_s) / 2, end_s):
            progress = _progress_at(seen, wanted, rung, size_bytes, first_s, end_s, at_s)
            verdict = _call_quietly(partial(running.reconsider, seen, progress), seen)
            answers.append((seen, verdict))
        download = Download(wanted, rung, size_bytes, now_s, first_s, end_s)
        _call_quietly(partial(running.delivered, seen, download), seen)
        downloads.append(download)
        now_s = end_s
        if wanted == segment:
            last_rung, segment, replaced = rung, segment + 1, 0
        else:
            replaced += 1
            last_rung = rung if wanted == segment - 1 else last_rung
    return _Playback(running.name, answers)


def _check_unplayed(seen: Observation, segment: int) -> None:
    """Check that a segment requested again has not been played to its end."""
    after_s = float(seen.durations_s[segment + 1 : seen.segment].sum())
    if after_s >= seen.buffer_s:
        raise AlgorithmError(
            f"choose() requested segment {segment} again, which has been played: {_describe(seen)}"
        )


def _progress_at(
    seen: Observation,
    segment: int,
    rung: int,
    size_bytes: float,
    first_s: float,
    end_s: float,
    at_s: float,
) -> Progress:
    part = min(max((at_s - first_s) / (end_s - first_s), 0.0), 1.0)
    first_byte_s = first_s if at_s >= first_s else float("nan")
    buffer_s = max(seen.buffer_s - (at_s - seen.now_s), 0.0)
    return Progress(
        at_s, segment, rung, size_bytes, part * size_bytes, seen.now_s, first_byte_s, buffer_s
    )


def _call_quietly(ask: Callable[[], Decision | None], seen: Observation) -> Decision | None:
    """Return the answer; an exception, a changed observation or any output is an error."""
    before = _snapshot(seen)
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            answer = ask()
    except AlgorithmError as exc:
        raise AlgorithmError(f"{exc}: {_describe(seen)}") from exc
    except Exception as exc:
        raise AlgorithmError(f"raised {type(exc).__name__}: {exc}: {_describe(seen)}") from exc
    if _snapshot(seen) != before:
        raise AlgorithmError(
            f"changed its observation: {_describe(seen)}; copy arrays before changing them"
        )
    if output.getvalue():
        raise AlgorithmError(
            f"printed {output.getvalue()[:40]!r}; standard output belongs to the player"
        )
    return answer


def _snapshot(seen: Observation) -> tuple[bytes, ...]:
    arrays = (seen.ladder_bps, seen.sizes_bytes, seen.durations_s, *seen.downloads)
    return tuple(np.asarray(array).tobytes() for array in arrays)


def _describe(seen: Observation) -> str:
    return (
        f"at segment {seen.segment} of {len(seen.durations_s)}, {len(seen.ladder_bps)} rungs, "
        f"buffer {seen.buffer_s:g} of {seen.max_buffer_s:g} s"
    )
