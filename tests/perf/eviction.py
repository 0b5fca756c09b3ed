"""How much each policy misses, beside libCacheSim, on the standard log of viewers.

    .venv/bin/python -m tests.perf.eviction [--viewers 14200] [--seed 1] [--json FILE]

For each policy and each size (1, 5 and 20 % of the footprint): requests and bytes that miss, of
all requests, as libCacheSim counts, and of those after a fifth has warmed the cache; against
LRU, against libCacheSim's same policy; requests per CPU second of our index and of theirs. Then
what one hit costs. The standard log takes about ten minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge import policies
from edge.index import CacheIndex, Entry
from edge.simulation.formats import Columns
from edge.simulation.run import Cache, Log, Simulated, simulate
from edge.simulation.viewing import RequestLog, Viewing, watch
from tests.fakes import libcachesim

SHARES = (0.01, 0.05, 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--viewers", type=int, default=Viewing().viewers)
    parser.add_argument("--titles", type=int, default=Viewing().titles)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    viewing = Viewing(titles=options.titles, viewers=options.viewers)
    log = watch(viewing, np.random.default_rng(options.seed))
    print(
        f"{len(log):,} requests, {log.distinct:,} objects, {log.footprint_bytes / 1e9:,.0f} GB, "
        f"seed {options.seed}"
    )
    rows = compare(log)
    show(rows)
    print(f"\none hit: {hit_us():.2f} us (lookup in an index of 100,000 objects, S3-FIFO, median)")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def compare(log: RequestLog) -> list[dict[str, Any]]:
    """A row for each size and policy."""
    missing = libcachesim.why_not()
    if missing:
        print(f"without a comparison: {missing}")
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "log.oracleGeneral"
        libcachesim.write_oracle_general(log, trace)
        cases = [
            (share, name, int(log.footprint_bytes * share))
            for share in SHARES
            for name in policies.names()
        ]
        cold, warm = (run(trace, cases, count) for count in (0, len(log) // 5))
        known = [case for case in cases if case[1] in libcachesim.NAMES and not missing]
        theirs = dict(
            zip(known, libcachesim.misses(trace, [case[1:] for case in known]), strict=True)
        )
    return [
        {
            "share": case[0],
            "policy": case[1],
            "miss": 1 - ours.outcome.hit_ratio,
            "byte_miss": 1 - ours.outcome.byte_hit_ratio,
            "warm_miss": 1 - warmed.outcome.hit_ratio,
            "warm_byte_miss": 1 - warmed.outcome.byte_hit_ratio,
            "requests_per_s": len(log) / ours.cpu_s,
            "their_miss": theirs[case].requests if case in theirs else None,
            "their_requests_per_s": len(log) / theirs[case].cpu_s if case in theirs else None,
        }
        for case, ours, warmed in zip(cases, cold, warm, strict=True)
    ]


def run(trace: Path, cases: list[tuple[float, str, int]], warm_up_requests: int) -> list[Simulated]:
    """One after the other, so that the times mean something."""
    log = Log(path=trace, format="oracle-general", columns=Columns())
    return [
        simulate(
            log,
            [
                Cache(
                    policy=name,
                    capacity_bytes=size_bytes,
                    overhead_bytes=0,
                    lifetime_s=float("inf"),
                    warm_up_requests=warm_up_requests,
                )
            ],
            processes=1,
            told=lambda _share: None,
        )[0]
        for _, name, size_bytes in cases
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """The table."""
    heads = (
        "cache",
        "policy",
        "miss",
        "bytes",
        "warm miss",
        "bytes",
        "vs LRU",
        "warm",
        "vs theirs",
    )
    print("".join(f"{head:>11}" for head in (*heads, "k/s", "theirs k/s")))
    for row in rows:
        (lru,) = (
            each for each in rows if each["policy"] == "lru" and each["share"] == row["share"]
        )
        theirs = row["their_miss"]
        cells = [
            f"{row['share']:.0%}",
            row["policy"],
            *(f"{row[name]:.4f}" for name in ("miss", "byte_miss", "warm_miss", "warm_byte_miss")),
            *(f"{row[name] / lru[name] - 1:+.1%}" for name in ("miss", "warm_miss")),
            "-" if theirs is None else f"{row['miss'] / theirs - 1:+.2%}",
            f"{row['requests_per_s'] / 1e3:.0f}",
            "-" if theirs is None else f"{row['their_requests_per_s'] / 1e3:.0f}",
        ]
        print("".join(f"{cell:>11}" for cell in cells))


def hit_us(objects: int = 100_000, rounds: int = 9) -> float:
    """Microseconds of one hit, median over rounds."""
    size = objects * 1000
    index = CacheIndex(size, policies.make("s3-fifo", capacity_bytes=size))
    keys = [f"/film/v0/{number}.m4s" for number in range(objects)]
    for key in keys:
        assert index.reserve(key, 1000).granted
        index.commit(Entry(key=key, size_bytes=1000, stored_s=0.0, lifetime_s=1e9))
    asked = [keys[at] for at in np.random.default_rng(1).integers(0, objects, 50_000)]
    times_s = []
    for _ in range(rounds):
        started_s = time.process_time()
        for key in asked:
            index.lookup(key, now_s=1.0)
        times_s.append((time.process_time() - started_s) / len(asked))
    return statistics.median(times_s) * 1e6


if __name__ == "__main__":
    main()
