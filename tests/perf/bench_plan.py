"""How long a large experiment takes: 20 algorithms, 500 networks, 2 presentations, report.

20,000 sessions of 5 minutes, on two workers, as a user runs them: ``abr bench run`` and
``abr bench report`` with its page, in processes of their own. The bar is 180 s. ``--cold``
gives it an empty folder for machine code, as on the first day; without it the user's own
is used.

    .venv/bin/python -m tests.perf.bench_plan
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR_S = 180.0
CLASSES = ("3g-commute", "lte-driving", "lte-walking", "fcc-home", "wifi-weak-5mbps")
ALGORITHMS = (
    "throughput", "rate", "hyb", "bba-0", "bba-1", "bba-2", "bola-sabre", "bola-e",
    "bola-pensieve", "dynamic", "dynamic-dash", "festive", "panda", "elastic", "arbiter-plus",
    "soda", "mpc", "robust-mpc", "hls-js", "quetra",
)  # fmt: skip


def plan_text(algorithms: int, networks: int) -> str:
    """The plan; as many networks of each class as make ``networks`` in all."""
    lines = ['[plan]\nname = "large"']
    lines += [f'[[algorithm]]\nname = "{name}"' for name in ALGORITHMS[:algorithms]]
    for place, name in enumerate(CLASSES):
        count = (networks + place) // len(CLASSES)
        lines += [f'[[traces]]\ngenerate = "{name}"\ncount = {count}\nduration_s = 320']
    lines += [f'[[presentation]]\nbuiltin = "{name}"' for name in ("vbr-6", "vbr-10")]
    return "\n".join(lines) + "\n"


def run(*args: str, **more: str) -> float:
    """Seconds that a command took."""
    begun_s = time.perf_counter()
    subprocess.run([sys.executable, "-m", "abr", "bench", *args], check=True, env=os.environ | more)
    return time.perf_counter() - begun_s


def main() -> int:
    """Print seconds of each part; 1 when over the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--algorithms", type=int, default=20)
    parser.add_argument("--networks", type=int, default=500)
    parser.add_argument("--workers", default="2")
    parser.add_argument("--cold", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan, out = folder / "plan.toml", folder / "out"
        plan.write_text(plan_text(args.algorithms, args.networks))
        more = {"ABR_CACHE_DIR": str(folder / "cache")} if args.cold else {}
        ran_s = run("run", str(plan), "--out", str(out), "--workers", args.workers, **more)
        said_s = run(
            "report", str(out), "--html", str(folder / "r.html"), "--csv", str(folder / "r.csv")
        )
        mib = (out / "results.jsonl").stat().st_size / 2**20
    print(
        f"run {ran_s:.1f} s, report {said_s:.1f} s, together {ran_s + said_s:.1f} s (bar {BAR_S:g})"
    )
    print(f"results {mib:.1f} MiB; load of the machine {os.getloadavg()[1]:.1f} over 5 min")
    return 0 if ran_s + said_s <= BAR_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
