"""A package has one set of figures wherever it is played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abr import registry
from abr.link import SharedLink
from abr.log import SessionLog
from abr.trace import Trace
from player import PlayerConfig, simulate
from player.drivers.virtual import PackageOrigin, VirtualDriver
from player.session import PlaybackSession
from tests.fakes.packages import write_playable

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
