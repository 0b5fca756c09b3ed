"""What two workers of an edge do in the time of one: requests per CPU-second, in turns.

    python -m tests.perf.edge_workers [--sizes 16,256,1024] [--rounds 5] [--seconds 1] [--json]

The load generator needs the same processors, so wall-clock rates say little here. Two workers on
two free processors serve twice what a CPU-second of theirs serves: the factor shown is that, over
what a CPU-second of one worker alone serves, in the same round. Half of the requests come to a
worker that does not own the key, and all with a token. Bar: 1.8.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.fakes.parent import fake_parent
from tests.perf.edge_hits import KIB, edge, load, name_of, warm

BAR = 1.8


async def bench(args: argparse.Namespace) -> list[dict[str, float]]:
    """Both edges over the same parent, round by round."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-workers-")))
        parent = await stack.enter_async_context(fake_parent())
        for kib in args.sizes:
            thing = parent.add(name_of(kib), os.urandom(kib * KIB))
            thing.headers |= {"ETag": f'"{kib}"', "Content-Type": "video/iso.segment"}
        servers = []
        for workers in (1, 2):
            here = folder / str(workers)
            here.mkdir()
            args.workers = workers
            servers.append(await stack.enter_async_context(edge(here, parent, args)))
        await warm(servers, args.sizes)
        rows = []
        for kib in args.sizes:
            factors = []
            for _ in range(args.rounds):
                one, two = [(await load(server, kib, args)).per_cpu_s for server in servers]
                factors.append(2 * two / one)
            rows.append({"kib": kib, "factor": round(statistics.median(factors), 2)})
        return rows


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(each) for each in text.split(",")],
        default=[16, 256, 1024],
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1, help="of each round")
    parser.add_argument("--clients", type=int, default=16, help="connections")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.tls, args.header, args.range = False, [], ""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk: not found; install it (Debian: apt install wrk)")
    rows = asyncio.run(bench(args))
    if args.json:
        print(json.dumps({"command": sys.argv[1:], "rows": rows}))
        return
    print(f"two workers over one, per CPU-second; bar {BAR}")
    for row in rows:
        verdict = "ok" if row["factor"] >= BAR else "MISSED"
        print(f"{row['kib']:>6} KiB  x {row['factor']:.2f}  {verdict}")


if __name__ == "__main__":
    main()
