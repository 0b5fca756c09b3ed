"""Our policies against libCacheSim's, on the same log of viewers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge import policies
from edge.index import CacheIndex
from edge.simulation.replay import Outcome, Replay
from edge.simulation.viewing import RequestLog, Viewing, watch
from tests.fakes import libcachesim

SHARES = (0.01, 0.05, 0.2)


@pytest.fixture(scope="module")
def log() -> RequestLog:
    """A tenth of the standard log, of a tenth of its titles."""
    return watch(Viewing(titles=150, viewers=1420), np.random.default_rng(1))


def replay(log: RequestLog, name: str, size_bytes: int, warm_up_requests: int = 0) -> Outcome:
    policy = policies.make(name, capacity_bytes=size_bytes)
    replayed = Replay(CacheIndex(size_bytes, policy), warm_up_requests=warm_up_requests)
    replayed.feed(log.requests())
    return replayed.outcome()


@pytest.mark.parametrize("name", libcachesim.NAMES)
def test_misses_are_those_of_libcachesim(name: str, log: RequestLog, tmp_path: Path) -> None:
    """Within 2 % where it has the same algorithm; LRU and SIEVE leave nothing to choose."""
    missing = libcachesim.why_not()
    if missing:
        pytest.skip(missing)
    libcachesim.write_oracle_general(log, tmp_path / "trace")
    sizes = [int(log.footprint_bytes * share) for share in SHARES]
    expected = libcachesim.misses(tmp_path / "trace", [(name, size) for size in sizes])
    for size, missed in zip(sizes, expected, strict=True):
        found = replay(log, name, size)
        gap = 1e-9 if name in ("lru", "sieve") else 0.02
        assert 1 - found.hit_ratio == pytest.approx(missed.requests, rel=gap)
        assert 1 - found.byte_hit_ratio == pytest.approx(missed.bytes, rel=gap)


def test_s3_fifo_misses_at_least_7_percent_less_than_lru() -> None:
    """On a quarter of the standard log, after a fifth of the requests has warmed the caches."""
    log = watch(Viewing(titles=400, viewers=4000), np.random.default_rng(1))
    for share in SHARES:
        size = int(log.footprint_bytes * share)
        lru, ours = (replay(log, name, size, len(log) // 5) for name in ("lru", "s3-fifo"))
        assert 1 - ours.hit_ratio <= 0.93 * (1 - lru.hit_ratio), share
