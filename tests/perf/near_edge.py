"""Startup near an edge: our own player, 5 ms of round trip, and an edge that holds everything.

    python -m tests.perf.near_edge [PACKAGE] [--sessions 1000] [--rtt-ms 5] [--json]

Sessions one after the other, each with new connections: play is asked, and the viewer leaves as
soon as the first frame could be shown. ``abr serve --warm`` runs in a process of its own; player
and shaping proxy share another. Startup ends when sound and picture of the first segment are there:
playlists, initialisation sections and segments of both. First byte is from asking to the head of
the answer; on a new connection it holds a round trip more.

Bars: startup and first byte both under 100 ms in the 99th percentile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from abr.log import SessionLog
from abr.trace import Trace
from bench.stack.served import served
from player.api import play
from player.config import PlayerConfig
from player.playback.session import PlaybackSession
from tests.fakes.packages import write_playable

BAR_S = 0.1
LINK_BPS = 100e6
LIMIT_S = 5.0
"""A session that has not begun to play by then has failed."""


class ViewerLeft(Exception):  # noqa: N818 -- not an error
    """The first frame could be shown, and the viewer leaves."""


def first_bytes(log: SessionLog) -> dict[str, list[float]]:
    """Seconds from asking to the head of the answer, by kind of request."""
    asked: dict[int, tuple[float, str]] = {}
    found: dict[str, list[float]] = defaultdict(list)
    for record in log.records:
        if record["e"] == "fetch":
            asked[record["id"]] = (record["t"], record["kind"])
        elif record["e"] == "response":
            began_s, kind = asked[record["id"]]
            found[kind].append(record["t"] - began_s)
    return found


async def startup(url: str, rtt_s: float) -> SessionLog:
    """One session, until it plays."""
    kept: list[SessionLog] = []

    def leave(session: PlaybackSession) -> None:
        if any(each["e"] == "play" for each in session.log.records):
            kept.append(session.log)
            raise ViewerLeft

    trace = Trace.from_periods([(1.0, LINK_BPS)], end="hold", name="near")
    try:
        log = await play(
            url,
            trace=trace,
            config=PlayerConfig(rtt_s=rtt_s),
            max_play_s=LIMIT_S,
            on_progress=leave,
        )
    except ViewerLeft:
        return kept[0]
    raise SystemExit(f"a session did not begin to play within {LIMIT_S:g} s: {log.records[-1]}")


def percentiles(values_s: list[float]) -> dict[str, float]:
    """Count, median, 99th percentile and largest, in milliseconds."""
    p50, p99 = np.percentile(values_s, (50, 99))
    return {
        "count": len(values_s),
        "p50_ms": round(1000 * float(p50), 2),
        "p99_ms": round(1000 * float(p99), 2),
        "max_ms": round(1000 * max(values_s), 2),
    }


async def bench(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """All sessions, one after the other."""
    times: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="near-edge-") as folder:
        package = args.package
        if package is None:
            package = Path(folder) / "film"
            write_playable(package, np.random.default_rng(1))
        async with served([package], keys=args.keys) as urls:
            (url,) = urls.values()
            for _ in range(args.sessions):
                log = await startup(url, args.rtt_ms / 1000)
                times["startup"].append(next(r["t"] for r in log.records if r["e"] == "play"))
                for kind, values_s in first_bytes(log).items():
                    times[f"first byte, {kind}"] += values_s
    first = [each for name, values in times.items() if name != "startup" for each in values]
    return {
        "startup": percentiles(times["startup"]),
        "first byte": percentiles(first),
        **{name: percentiles(values) for name, values in times.items() if name != "startup"},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("package", nargs="?", type=Path, help="by default one of noughts")
    parser.add_argument("--keys", type=Path, help="its key store")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--rtt-ms", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = asyncio.run(bench(args))
    if args.json:
        print(json.dumps({"command": sys.argv[1:], "rows": rows}))
        return
    print(f"python -m tests.perf.near_edge {' '.join(sys.argv[1:])}")
    print(f"{'':24}{'count':>8}{'p50':>10}{'p99':>10}{'largest':>10}")
    for name, row in rows.items():
        times = "".join(f"{row[key]:>7.1f} ms" for key in ("p50_ms", "p99_ms", "max_ms"))
        bar = "" if name not in ("startup", "first byte") else _verdict(row["p99_ms"])
        print(f"{name:24}{row['count']:>8}{times}  {bar}")


def _verdict(p99_ms: float) -> str:
    return f"{'ok' if p99_ms < 1000 * BAR_S else 'MISSED'} (bar {1000 * BAR_S:.0f} ms)"


if __name__ == "__main__":
    main()
