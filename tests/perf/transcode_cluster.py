"""Two Dask workers of one core each against one: what a second machine is worth.

Scheduler and workers run on this machine, each worker pinned to a core of its own. Each round
transcodes the master once with one worker and once with two, with an empty cache.

    python -m tests.perf.transcode_cluster MASTER [--rounds 3] [--preset veryfast]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LADDER = "234:145,360:365,432:730,540:2000,720:3000,720:4500"


@contextlib.contextmanager
def workers(folder: Path, cores: list[int]) -> Iterator[str]:
    """A scheduler with a worker of one thread on each of ``cores``; its address."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:

        def start(*command: str) -> None:
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)

        python = [sys.executable, "-m"]
        start(
            *python, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
            "--no-dashboard", "--scheduler-file", str(file),
        )  # fmt: skip
        while not file.exists() or not file.read_text().strip():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        for core in cores:
            start(
                "taskset", "-c", str(core), *python, "distributed.cli.dask_worker", address,
                "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder / f"w{core}"),
            )  # fmt: skip
        time.sleep(5)
        yield address.replace("tcp://", "dask://")


def main() -> None:
    """Measure, and print the ratio first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--ladder", default=LADDER)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    walls_s: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="abr-cluster-") as name:
        folder = Path(name)
        for number in range(given.rounds):
            for count, found_s in walls_s.items():
                with workers(folder, cores[:count]) as address:
                    for each in ("out", "cache"):
                        shutil.rmtree(folder / each, ignore_errors=True)
                    began_s = time.monotonic()
                    subprocess.run(
                        [
                            sys.executable, "-m", "abr", "transcode", str(given.master.absolute()),
                            str(folder / "out"), "--executor", address, "--ladder", given.ladder,
                            "--preset", given.preset, "--cache", str(folder / "cache"),
                        ],
                        check=True,
                        stdout=subprocess.DEVNULL,
                    )  # fmt: skip
                    found_s.append(time.monotonic() - began_s)
                print(f"round {number}: {count} worker(s) {found_s[-1]:.1f} s", flush=True)
    gains = [one / two for one, two in zip(walls_s[1], walls_s[2], strict=True)]
    print(f"two workers are {statistics.median(gains):.2f} times as fast as one "
          f"({min(gains):.2f} to {max(gains):.2f}, {given.rounds} rounds)")  # fmt: skip


if __name__ == "__main__":
    main()
