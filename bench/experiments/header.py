"""The header of results: what was played, and what scores are computed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from abr.media import Presentation
from bench.experiments.clusters import count_by_kind
from bench.experiments.experiment import Experiment


def header_of(experiment: Experiment, failed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The header of the results: all that is needed to repeat them."""
    networks = experiment.networks
    return {
        "name": experiment.name,
        "abrkit": experiment.version,
        "preset": experiment.preset,
        "player": dict(experiment.player),
        "seeds": sorted({network.seed for network in networks}),
        "algorithms": [
            {
                "label": each.label,
                "name": each.name,
                "params": dict(each.effective),
                "code": each.code,
                "foresees": each.foresees,
            }
            for each in experiment.contenders
        ],
        "presentations": [
            {
                "title": each.title,
                "digest": each.digest(),
                "ladder_bps": each.bitrates_bps.tolist(),
                "durations_s": each.durations_s.tolist(),
                **_quality_of(each),
            }
            for each in experiment.presentations
        ],
        "qoe": [dict(each) for each in experiment.qoe],
        "traces": len({network.digest for network in networks}),
        "clusters": count_by_kind(each.cluster for each in networks),
        "sessions": experiment.sessions,
        "left_out": list(experiment.left_out),
        "doubts": list(experiment.doubts),
        "failed": list(failed),
    }


def _quality_of(presentation: Presentation) -> dict[str, Any]:
    """Measured quality, which QoEs are computed from; nothing where there is none."""
    if presentation.quality is None:
        return {}
    return {
        "quality_metric": presentation.quality_metric,
        "quality": presentation.quality.tolist(),
    }


def judges_of(experiment: Experiment) -> list[tuple[str, str]]:
    """The QoEs that a plan names, as a row for people; none where it names none."""
    named = ", ".join(str(each["label"] or each["name"]) for each in experiment.qoe)
    return [("judged by", named)] if named else []
