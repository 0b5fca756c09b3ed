"""How fast thousands of trace files are read: 2,000 cooked files of 1,000 lines, one core.

Writes them to a temporary folder, reads each, and asks for what a table of statistics
needs first: duration, mean, percentiles and remarks. The bar is 10 s for all of them.

    .venv/bin/python -m tests.perf.trace_reading
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from abr.files.traces import read_trace_file
from abr.traceformats import remarks


def write_files(folder: Path, count: int, lines: int) -> None:
    """Cooked files with times and rates in as many digits as the published ones have."""
    rng = np.random.default_rng(7)
    for n in range(count):
        times = np.cumsum(rng.uniform(0.9, 1.1, lines))
        rates = rng.gamma(2.0, 1.0, lines)
        rows = (f"{t:.3f}\t{r:.11f}\n" for t, r in zip(times, rates, strict=True))
        (folder / f"trace_{n:05}").write_text("".join(rows))


def main() -> int:
    """Print seconds in all and per file; 1 when over the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--lines", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, args.files, args.lines)
        begin_s, cpu_s = time.perf_counter(), time.process_time()
        for path in sorted(folder.iterdir()):
            trace = read_trace_file(path)
            np.percentile(trace.capacity_bps, [5, 25, 50, 75, 95])
            remarks(trace)
        took_s, busy_s = time.perf_counter() - begin_s, time.process_time() - cpu_s
    per_ms = 1000 * took_s / args.files
    print(
        f"{args.files} files of {args.lines} lines: {took_s:.2f} s ({busy_s:.2f} s of processor), "
        f"{per_ms:.2f} ms a file"
    )
    return 0 if took_s < 10 else 1


if __name__ == "__main__":
    raise SystemExit(main())
