"""Titles, networks and expectations in the reference tool's own words, for our engines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from abr import registry
from abr.decision import Rule
from abr.media import Presentation
from abr.trace import Trace
from abr.traceformats import read_trace
from player.batch import sabre
from player.batch.configurations import SABRE_CONFIGURATIONS
from player.batch.run.batch import Batch, Engine, run_batch

Network = Sequence[Mapping[str, float]]
"""Periods with ``duration_ms``, ``bandwidth_kbps`` and ``latency_ms``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one session came to."""

    rungs: list[int]
    stall_ms: float
    stalls: int
    """Without what the last play-out may add by rounding."""
    total_ms: float
    downloads: int
    abandoned: int


def presentation_of_movie(movie: Mapping[str, Any]) -> Presentation:
    """A title of ``segment_duration_ms``, ``bitrates_kbps`` and ``segment_sizes_bits``."""
    sizes = np.array(movie["segment_sizes_bits"], dtype=np.float64).T / 8
    return Presentation(
        bitrates_bps=np.array(movie["bitrates_kbps"], dtype=np.float64) * 1e3,
        sizes_bytes=sizes,
        durations_s=np.full(sizes.shape[1], movie["segment_duration_ms"] / 1e3),
    )


def trace_of(network: Network) -> Trace:
    """A network, by way of our reader of the tool's format."""
    return read_trace(json.dumps(list(network)).encode(), name="network.json")


def rule_of(config: str) -> Rule:
    """Our algorithm with the parameters that a configuration means."""
    meant = SABRE_CONFIGURATIONS[config]
    rule = registry.load(meant.algorithm, **meant.params)
    assert isinstance(rule, Rule)
    return rule


def play(
    config: str,
    presentation: Presentation,
    traces: Sequence[Trace],
    *,
    abandon: bool,
    engine: Engine = "compiled",
) -> Batch:
    """One session of a configuration over each trace."""
    options: dict[str, Any] = {"abandon": abandon, **SABRE_CONFIGURATIONS[config].options}
    return run_batch(
        sabre.SABRE,
        presentation,
        traces,
        rule_of(config),
        options=sabre.Options(**options),
        engine=engine,
    )


def differences(batch: Batch, row: int, expected: Expected) -> list[str]:
    """What is not as expected; times may differ by a microsecond."""
    found = []
    if batch.rungs[row].tolist() != expected.rungs:
        pairs = enumerate(zip(batch.rungs[row].tolist(), expected.rungs, strict=True))
        found.append(f"rungs, first at {next(k for k, (a, b) in pairs if a != b)}")
    for name, value, slack in (
        ("stall_s", expected.stall_ms / 1e3, 1e-6),
        ("stall_events", expected.stalls, 0),
        ("ended_s", expected.total_ms / 1e3, 1e-6),
        ("downloads", expected.downloads, 0),
        ("abandoned", expected.abandoned, 0),
    ):
        got = batch.total(name)[row]
        if abs(got - value) > slack:
            found.append(f"{name} {got!r} instead of {value!r}")
    return found
