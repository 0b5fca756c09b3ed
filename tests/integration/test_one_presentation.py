"""A package has one set of figures wherever it is played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from abr import registry
from abr.cli import main
from abr.files.traces import resolve_trace
from abr.link import SharedLink
from abr.log import SessionLog
from abr.qoe import summary
from abr.trace import Trace
from player import PlayerConfig, simulate, simulate_many
from player.batch.abrkit.simulator import ABRKIT
from player.batch.run.batch import run_batch
from player.batch.run.environment import AbrEnv
from player.batch.run.environment.stages import PlayerStage
from player.drivers.virtual import PackageOrigin, VirtualDriver
from player.playback.session import PlaybackSession
from tests.fakes.packages import write_playable
from transcode.files.reader import read_presentation

NOT_COMPARED = {"uri", "text"}
"""Where something was asked for, and what it said: of a given presentation nothing is read."""


def trace(rng: np.random.Generator) -> Trace:
    rates = rng.choice([2e5, 6e5, 1.5e6, 4e6], 12)
    return Trace.from_periods([(float(rng.uniform(1, 5)), float(rate)) for rate in rates])


def over_playlists(
    folder: Path, network: Trace, algorithm: str, config: PlayerConfig
) -> SessionLog:
    """As a player on the web plays it, playlist by playlist."""
    origin = PackageOrigin(folder)
    link = SharedLink(
        network,
        rtt_s=config.rtt_s,
        connections=config.connections,
        overhead_bytes=config.response_overhead_bytes,
        server_s=config.server_s,
    )
    session = PlaybackSession(origin.url, registry.load(algorithm), config, trace=network)
    return VirtualDriver(session, origin, link).run()


def told(log: SessionLog) -> list[dict[str, Any]]:
    return [{k: v for k, v in r.items() if k not in NOT_COMPARED} for r in log.records]


@pytest.mark.parametrize("algorithm", ["bola-sabre", "robust-mpc", "throughput", "dynamic"])
@pytest.mark.parametrize("rotate_every", [None, 0, 3])
@pytest.mark.parametrize("tracks", ["in-turn", "together"])
def test_a_simulated_package_is_played_as_its_playlists_are(
    algorithm: str, rotate_every: int | None, tracks: Any, tmp_path: Path
) -> None:
    """Every request, arrival, decision and stall, to the last bit."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        folder = tmp_path / f"film-{seed}"
        write_playable(folder, rng, rotate_every=rotate_every)
        network, config = trace(rng), PlayerConfig(tracks=tracks)
        simulated = simulate(folder, trace=network, algorithm=algorithm, config=config)
        assert told(simulated) == told(over_playlists(folder, network, algorithm, config))


PLAN = """\
[plan]
name = "one"
engine = "{engine}"
[[algorithm]]
name = "{algorithm}"
[[traces]]
files = ["net.json"]
[[presentation]]
path = "film"
"""


NETWORK = [
    {"duration_ms": 21000, "bandwidth_kbps": 2600, "latency_ms": 60},
    {"duration_ms": 32000, "bandwidth_kbps": 130, "latency_ms": 210},
    {"duration_ms": 9000, "bandwidth_kbps": 900, "latency_ms": 90},
]
"""In Sabre's format; the tunnel is longer than any buffer."""


class Figures(NamedTuple):
    """What every way of playing tells."""

    rungs: list[int]
    startup_s: float | None
    stall_s: float
    stall_events: int
    mean_bitrate_bps: float


def by_simulate(folder: Path, network: Trace, algorithm: str) -> Figures:
    got = summary(simulate(folder, trace=network, algorithm=algorithm))
    return Figures(
        list(got.rungs), got.startup_s, got.stall_s, got.stall_events, got.mean_bitrate_bps
    )


def by_bench(folder: Path, algorithm: str, engine: str) -> Figures:
    plan = folder.parent / f"{engine}.toml"
    plan.write_text(PLAN.format(algorithm=algorithm, engine=engine))
    out = folder.parent / f"results-{engine}"
    assert main(["bench", "run", str(plan), "--out", str(out), "--workers", "1"]) == 0
    lines = (out / "results.jsonl").read_text().splitlines()
    (row,) = (row for row in map(json.loads, lines) if "rungs" in row)
    return Figures(**{name: row[name] for name in Figures._fields})


def by_simulate_many(folder: Path, network: Trace, algorithm: str, engine: Any) -> Figures:
    (row,) = simulate_many(folder, traces=network, algorithms=algorithm, engine=engine)
    rungs = by_batch_rungs(folder, network, algorithm, engine)
    return Figures(rungs, *(row[name].item() for name in Figures._fields[1:]))


def by_batch_rungs(folder: Path, network: Trace, algorithm: str, engine: Any) -> list[int]:
    batch = run_batch(
        ABRKIT, read_presentation(folder), [network], registry.load(algorithm), engine=engine
    )
    return [int(rung) for rung in batch.rungs[0]]


def by_environment(folder: Path, network: Trace, rungs: list[int]) -> tuple[float, float]:
    """Startup and stalls of an episode whose actions are ``rungs``."""
    env = AbrEnv([read_presentation(folder)], [network])
    env.reset(seed=0)
    stalls_s = [env.step(np.int64(rung))[4]["stall_s"] for rung in rungs]
    assert isinstance(env._stage, PlayerStage)
    totals = env._stage._copies.totals[0]
    assert sum(stalls_s) == pytest.approx(float(totals["stall_s"]))
    return float(totals["startup_s"]), float(totals["stall_s"])


@pytest.mark.parametrize("algorithm", ["bba-0", "bola-sabre"])
def test_one_package_has_one_set_of_figures(algorithm: str, tmp_path: Path) -> None:
    """simulate, bench, simulate_many and the environment, plain and compiled, to the last bit."""
    folder = tmp_path / "film"
    write_playable(
        folder, np.random.default_rng(5), rungs=7, segments=60, rotate_every=7, audio_shift_s=0.02
    )
    (tmp_path / "net.json").write_text(json.dumps(NETWORK))
    network = resolve_trace(str(tmp_path / "net.json"))
    expected = by_simulate(folder, network, algorithm)
    assert expected.stall_events > 0
    assert len(set(expected.rungs)) > 1
    for engine in ("plain", "compiled"):
        assert by_simulate_many(folder, network, algorithm, engine) == expected
    for engine in ("plain", "auto"):
        assert by_bench(folder, algorithm, engine) == expected
    if algorithm == "bba-0":  # which abandons nothing, as environments do not
        startup_s, stall_s = by_environment(folder, network, expected.rungs)
        assert (startup_s, stall_s) == (expected.startup_s, expected.stall_s)
