"""Sessions that nobody recorded: ours against a second implementation of the same tool.

``sabre_ms`` is held to the recorded sessions first; then titles and networks are made up
and both must agree in every rung, stall and download.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from player.batch.configurations import SABRE_CONFIGURATIONS
from player.batch.run.batch import Engine
from tests.fakes.sabre import Expected, Network, differences, play, presentation_of_movie, trace_of

CONFIGS = sorted(SABRE_CONFIGURATIONS)
GOLDEN = Path(__file__).parents[1] / "golden" / "sabre_sessions.json"
# Made-up titles, six networks each.
TITLES = int(os.environ.get("SABRE_TITLES", "3"))

_spec = importlib.util.spec_from_file_location("sabre_ms", Path(__file__).with_name("sabre_ms.py"))
assert _spec is not None
assert _spec.loader is not None
sabre_ms = importlib.util.module_from_spec(_spec)
sys.modules["sabre_ms"] = sabre_ms  # its dataclasses look themselves up
_spec.loader.exec_module(sabre_ms)


def second_opinion(config: str, movie: dict[str, Any], net: Network, *, abandon: bool) -> Expected:
    title = sabre_ms.Title(
        movie["segment_duration_ms"], movie["bitrates_kbps"], movie["segment_sizes_bits"]
    )
    periods = [(p["duration_ms"], p["bandwidth_kbps"], p["latency_ms"]) for p in net]
    out = sabre_ms.Session(config, title, sabre_ms.Net(periods), abandon=abandon).run()
    return Expected(
        rungs=out.rungs,
        stall_ms=out.stall_ms,
        stalls=out.stalls,
        total_ms=out.total_ms,
        downloads=out.downloads,
        abandoned=out.abandoned,
    )


@pytest.mark.parametrize("config", CONFIGS)
def test_the_second_implementation_plays_the_recorded_sessions(config: str) -> None:
    table = json.loads(GOLDEN.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["sessions"]]
    for row in rows:
        if row["config"] != config:
            continue
        net = table["nets"][row["net"]]
        got = second_opinion(config, table["movie"], net, abandon=row["abandon"])
        assert got.rungs == [int(rung) for rung in row["quality"]], row["net"]
        assert got.stall_ms == pytest.approx(row["rebuffer_ms"], abs=1e-6)
        assert got.total_ms == pytest.approx(row["total_play_ms"], abs=1e-6)
        assert (got.downloads, got.abandoned) == (row["n_downloads"], row["n_abandon"])


def made_up_movie(rng: np.random.Generator, segments: int) -> dict[str, Any]:
    rungs = int(rng.integers(2, 12))
    rates = np.unique(np.round(np.exp(rng.uniform(np.log(150), np.log(12000), rungs)), 1))
    if len(rates) < 2:
        rates = np.array([300.0, 900.0])
    segment_ms = float(rng.choice([1000, 2002, 3000, 4000, 4004, 6000]))
    by_segment = rng.lognormal(0, 0.3, segments)
    sizes = np.outer(by_segment, rates * segment_ms) * rng.uniform(0.95, 1.05, (segments, 1))
    return {
        "segment_duration_ms": segment_ms,
        "bitrates_kbps": rates.tolist(),
        "segment_sizes_bits": np.rint(sizes).tolist(),
    }


def made_up_network(rng: np.random.Generator, kind: int, kbps: float) -> Network:
    """Steady, walking, short periods, outages, no latency, or latency that jumps."""
    count = 1 if kind == 0 else int(rng.integers(2, 200))
    duration = rng.uniform(200, 9000, count)
    if kind == 2:
        duration = rng.uniform(1, 60, count)
    rate = kbps * np.exp(rng.normal(0, 0.7, count))
    if kind == 3:
        rate[1:][rng.random(count - 1) < 0.3] = 0
    latency = np.full(count, float(rng.integers(5, 120)))
    if kind == 4:
        latency[:] = 0
    elif kind == 5:
        latency = rng.uniform(0, 1500, count)
    columns = (np.round(each, 3).tolist() for each in (duration, rate, latency))
    names = ("duration_ms", "bandwidth_kbps", "latency_ms")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def compare(config: str, engine: Engine, titles: range, segments: int) -> None:
    for seed in titles:
        rng = np.random.default_rng(seed)
        movie = made_up_movie(rng, segments)
        rates = movie["bitrates_kbps"]
        nets = [
            made_up_network(rng, kind, float(np.exp(rng.uniform(*np.log([rates[0], rates[-1]])))))
            for kind in range(6)
        ]
        traces = [trace_of(net) for net in nets]
        for abandon in (True, False):
            batch = play(
                config, presentation_of_movie(movie), traces, abandon=abandon, engine=engine
            )
            for k, net in enumerate(nets):
                expected = second_opinion(config, movie, net, abandon=abandon)
                assert not differences(batch, k, expected), (seed, k, abandon)


@pytest.mark.parametrize("config", CONFIGS)
def test_plain_sessions_agree_on_what_is_made_up(config: str) -> None:
    compare(config, "plain", range(TITLES), 25)


@pytest.mark.timeout(900)  # a rule is compiled once, which takes half a minute or more
@pytest.mark.parametrize("config", CONFIGS)
def test_compiled_sessions_agree_on_what_is_made_up(config: str) -> None:
    compare(config, "compiled", range(100, 100 + 2 * TITLES), 80)
