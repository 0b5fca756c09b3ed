"""Start-up time of ``abr --help`` beside ``python -c pass``: interleaved runs, medians, ratio.

    python tests/perf/cli_start.py [RUNS]

Exit code 1 when ``abr --help`` takes over 0.3 s while ``python -c pass`` takes 0.05 s or
less; on a slower machine the ratio of the two bars, 6, decides.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 20
HELP_BAR_S = 0.3
PASS_BAR_S = 0.05


def seconds(arguments: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def medians(runs: int) -> tuple[float, float]:
    """Median seconds of ``python -c pass`` and of ``abr --help``, run in turn."""
    commands = (["-c", "pass"], ["-m", "abr", "--help"])
    for command in commands:
        seconds(command)  # files come into the page cache; not counted
    rows = [[seconds(command) for command in commands] for _ in range(runs)]
    for name, column in zip(("python -c pass", "abr --help"), zip(*rows, strict=True), strict=True):
        print(
            f"{name:<16} median {statistics.median(column):.3f} s"
            f"  min {min(column):.3f}  max {max(column):.3f}  n {runs}"
        )
    nothing, help_ = (statistics.median(column) for column in zip(*rows, strict=True))
    return nothing, help_


def main() -> int:
    """Measure, print, judge."""
    nothing_s, help_s = medians(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
    ratio = help_s / nothing_s
    holds = ratio <= HELP_BAR_S / PASS_BAR_S or help_s <= HELP_BAR_S
    print(f"ratio            {ratio:.1f}   bar {'holds' if holds else 'MISSED'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
