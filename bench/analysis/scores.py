"""QoEs of finished results: every session scored from its row, none played again.

A row holds what a QoE sees (``abr.qoe.Viewing``): the rung of every segment, every stall,
startup. Ladder, durations and measured quality of a presentation are in the header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from abr.media import FloatArray
from abr.qoe import QOE_LIN, Model, Viewing, check_distinct, linear
from abr.qoe.additive import Shown, Viewings
from abr.qoe.viewing import make_viewing
from bench.analysis.metrics import OTHERS, Metric, column_of, score_metric
from bench.experiments.failures import why_row_failed
from bench.experiments.results import Results, ResultsError, Row

LADDERS_OF_QOE_LIN_MBPS = (3.0, 6.0)
"""Top rungs for which the published stall weight of 4.3 stands: between 0.7 and 1.4 of it."""


def default_models(ladders_bps: Sequence[Sequence[float]]) -> tuple[Model, ...]:
    """The QoE of a plan that names none.

    ``qoe_lin`` as published where every ladder is much like that it was published for, 0.3 to
    4.3 Mbit/s; else ``linear``, whose stall weight follows the ladder.
    """
    low, high = LADDERS_OF_QOE_LIN_MBPS
    is_like = all(low <= ladder[-1] / 1e6 <= high for ladder in ladders_bps)
    return (QOE_LIN if is_like else linear(),)


def models_of(results: Results) -> tuple[Model, ...]:
    """The QoE of results that name none."""
    return default_models([each["ladder_bps"] for each in _presentations(results).values()])


def score(results: Results, models: Sequence[Model]) -> tuple[Results, tuple[Metric, ...]]:
    """Score every session that was played to its end.

    Returns:
        The results with a column for each QoE, and every figure there is of them.

    Raises:
        ResultsError: a presentation is not in the header.
        QoEError: two have one name, or one needs what the sessions lack, or fails.
    """
    check_distinct(models)
    columns, metrics = dict(results.numbers), []
    known = _presentations(results)
    for model in models:
        metric = score_metric(model, list(known.values()))
        metrics.append(metric)
        column = column_of(model)
        if column not in columns:
            columns[column] = _score_rows(results, model, known)
    first, *rest = OTHERS
    return replace(results, numbers=columns), (first, rest[0], *metrics, *rest[1:])


def _presentations(results: Results) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What the header says of each presentation, by title and digest."""
    found = {
        (str(each["title"]), str(each["digest"])): each
        for each in results.header.get("presentations", ())
    }
    for row in results.rows:
        if _key(row) not in found:
            raise ResultsError(
                f"{results.name}: no presentation {row['presentation']!r} in the header, which "
                "QoEs need; run `abr bench run` again"
            )
    return found


def _key(row: Row) -> tuple[str, str]:
    return str(row["presentation"]), str(row["presentation_digest"])


def viewing_of_row(row: Row, presentation: Mapping[str, Any]) -> Viewing:
    """What a QoE sees of a session.

    Args:
        row: Of the results.
        presentation: What the header says of it.
    """
    rungs = row["rungs"]
    table = presentation.get("quality")
    return make_viewing(
        rungs=rungs,
        durations_s=presentation["durations_s"][: len(rungs)],
        played_s=row["played_s"],
        stall_s=row["stall_s"],
        stalls=row["stalls"],
        ladder_bps=presentation["ladder_bps"],
        quality=None if table is None else [table[rung][k] for k, rung in enumerate(rungs)],
        quality_metric=presentation.get("quality_metric"),
        startup_s=row["startup_s"],
        ended=row["ended"],
        algorithm=row["algorithm"],
        presentation=row["presentation"],
        trace=row["trace"],
    )


def _score_rows(
    results: Results, model: Model, known: Mapping[tuple[str, str], Mapping[str, Any]]
) -> FloatArray:
    """Of every row; nan where the session failed."""
    scores = np.full(len(results.rows), np.nan)
    score_all = getattr(model, "score_all", None)
    places: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(results.rows):
        if why_row_failed(row) is None and row["rungs"]:
            places.setdefault(_key(row), []).append(place)
    for key, here in places.items():
        rows = [results.rows[place] for place in here]
        scores[here] = (
            [model.score(viewing_of_row(row, known[key])) for row in rows]
            if score_all is None
            else score_all(_end_to_end(rows, known[key]))
        )
    return scores


def _end_to_end(rows: Sequence[Row], presentation: Mapping[str, Any]) -> Viewings:
    """Sessions of one presentation, to be scored at once."""
    counts = np.array([len(row["rungs"]) for row in rows])
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rungs = np.fromiter(chain.from_iterable(row["rungs"] for row in rows), dtype=np.intp)
    segment = np.arange(len(rungs)) - np.repeat(first, counts)
    ladder_bps = np.array(presentation["ladder_bps"], dtype=np.float64)
    durations_s = np.array(presentation["durations_s"], dtype=np.float64)
    played_s = durations_s[segment]
    last = first + counts - 1
    before_s = np.add.reduceat(played_s, first) - played_s[last]
    shown_s = np.array([row["played_s"] for row in rows])
    played_s[last] = np.clip(shown_s - before_s, 0.0, played_s[last])
    table = presentation.get("quality")
    return Viewings(
        first=first,
        shown=Shown(
            rungs=rungs,
            bitrates_bps=ladder_bps[rungs],
            quality=None if table is None else np.array(table)[rungs, segment],
            quality_metric=presentation.get("quality_metric"),
            ladder_bps=ladder_bps,
            presentation=str(presentation["title"]),
        ),
        played_s=played_s,
        startup_s=np.array([row["startup_s"] for row in rows], dtype=np.float64),
        stall_s=np.array([row["stall_s"] for row in rows]),
    )
