"""Play random scripts of server behaviour, and see that every session ends as it must.

    .venv/bin/python -m tests.perf.random_scripts                      # 100,000 sessions
    .venv/bin/python -m tests.perf.random_scripts --sessions 2000 --first 500000
    .venv/bin/python -m tests.perf.random_scripts --seed 4711 --clock live   # one, and its log

Each number is a title, a server, a player's settings and a viewer (tests/scripts). Even ones run
on the virtual clock, odd ones on the live driver over an event loop whose clock jumps. Every one
must end once, in bounded time; every second and every request must be accounted for; a replay must
be identical. Exit code 1 when one does not hold, with its number and what was found.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from tests.scripts.session import Clock, play, problems, random_script

CHUNK = 250
LIMIT_S = 20
"""Of processor time for one session; some milliseconds are usual."""


@dataclass(slots=True)
class Tally:
    """What became of some sessions."""

    sessions: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    longest_seed: int = -1
    records: int = 0
    wrong: list[tuple[int, Clock, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Sum up."""
        self.sessions += other.sessions
        self.ended += other.ended
        self.records += other.records
        self.wrong += other.wrong
        if other.longest_s > self.longest_s:
            self.longest_s, self.longest_seed = other.longest_s, other.longest_seed


def clock_of(seed: int) -> Clock:
    """Which driver plays the script of that number."""
    return "virtual" if seed % 2 == 0 else "live"


def run(seeds: range) -> Tally:
    """Play the scripts of these numbers."""
    tally = Tally()
    signal.signal(signal.SIGPROF, _give_up)
    for seed in seeds:
        _run_one(seed, tally)
    return tally


def _give_up(_signal: int, _frame: object) -> NoReturn:
    raise TimeoutError(f"not over after {LIMIT_S} s of processor time")


def _run_one(seed: int, tally: Tally) -> None:
    clock = clock_of(seed)
    tally.sessions += 1
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    try:
        script = random_script(seed)
        log = play(script, clock)
        found = problems(script, log)
    except Exception as exc:  # noqa: BLE001  # whatever it is, it is what is looked for
        place = traceback.extract_tb(exc.__traceback__)[-1]
        where = f"{os.path.basename(place.filename)}:{place.lineno}"
        tally.wrong.append((seed, clock, f"{type(exc).__name__} at {where}: {exc}"))
        return
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    last = log.records[-1]
    tally.ended[_kind_of(str(last["why"]))] += 1
    tally.records += len(log.records)
    if last["t"] > tally.longest_s:
        tally.longest_s, tally.longest_seed = last["t"], seed
    tally.wrong += [(seed, clock, what) for what in found[:1]]


def _kind_of(why: str) -> str:
    """A reason without names and numbers."""
    if not why.startswith("error: "):
        return why
    return re.sub(r"[0-9]+", "N", why.split(": ", 2)[-1])[:70]


def _chunks(first: int, count: int) -> Iterator[range]:
    for start in range(first, first + count, CHUNK):
        yield range(start, min(start + CHUNK, first + count))


def show_one(seed: int, clock: Clock) -> int:
    """Play one script and print it, its log and what is wrong."""
    script = random_script(seed)
    print(script.title.multivariant)
    for listed in script.title.media.values():
        print(f"--- {listed.name}\n{listed.text(0.0)}")
    print(script.config, script.pauses_s, script.stop_at_s)
    log = play(script, clock)
    print(log.dumps())
    found = problems(script, log)
    print("\n".join(found) or "nothing is wrong")
    return 1 if found else 0


def main() -> int:
    """Run, print, and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first script")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="play only this one, and print everything")
    parser.add_argument("--clock", choices=["virtual", "live"])
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return show_one(arguments.seed, arguments.clock or clock_of(arguments.seed))
    started_s, tally = time.perf_counter(), Tally()
    with multiprocessing.Pool(arguments.processes) as pool:
        for part in pool.imap_unordered(run, _chunks(arguments.first, arguments.sessions)):
            tally.add(part)
    took_s = time.perf_counter() - started_s
    print(f"{tally.sessions} sessions, {tally.records} records in {took_s:.1f} s")
    print(f"longest {tally.longest_s:.1f} s (number {tally.longest_seed})")
    for why, count in tally.ended.most_common(25):
        print(f"{count:8} {why}")
    for seed, clock, what in sorted(tally.wrong)[:40]:
        print(f"WRONG {seed} ({clock}): {what}")
    print(f"{len(tally.wrong)} wrong")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
