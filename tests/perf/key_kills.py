"""Kill rotations and re-wrappings of a key store at random instants; every title must open.

    .venv/bin/python -m tests.perf.key_kills --points 100

Each point is a process that rotates again and again (or, every second time, re-wraps once what a
rotation left that ended after its first file), killed with SIGKILL at a random instant of the time
that a rotation takes. Then every key is opened by a fresh reader and compared with what it was.
Prints one line of JSON; exit code 1 when a key does not open or is another.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from transcode.files.keylook import look
from transcode.files.keystore import KeyStore
from transcode.keyaudit import audit

WORKER = """
import sys
from transcode.files.keystore import KeyStore
store = KeyStore.open(sys.argv[1], create=False)
print("ready", flush=True)
while sys.argv[2] == "rotate":
    store.rotate_kek()
store.rewrap()
print("done", flush=True)
"""
HALF = """
import os, sys
from transcode.files.keystore import KeyStore
store = KeyStore.open(sys.argv[1], create=False)
rewrap = store.rewrap
store.rewrap = lambda: rewrap(lambda _name: os._exit(0))
store.rotate_kek()
"""


def opened(folder: Path) -> dict[tuple[str, str], bytes]:
    """Every key by title and id, read anew."""
    store = KeyStore.open(folder, create=False)
    return {(t, kid): store.key(t, kid) for t in store.titles() for kid in store.kids(t)}


def kill_once(folder: Path, operation: str, after_s: float) -> bool:
    """Whether the process was killed before it was done."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), operation], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        return "done" not in process.stdout.read()


def measure(points: int, titles: int, seed: int) -> int:
    """Kill ``points`` times; 1 when anything is lost."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "keys"
        store = KeyStore.open(folder)
        for number in range(titles):
            for group in ("audio", "sd", "hd"):
                store.key_for(f"film-{number}", 0, group)
        before = opened(folder)
        began_s = time.perf_counter()
        store.rotate_kek()
        takes_s = time.perf_counter() - began_s
        killed = lost = two_keks = left = 0
        for point in range(points):
            operation = "rewrap" if point % 2 else "rotate"
            if operation == "rewrap":
                subprocess.run([sys.executable, "-c", HALF, str(folder)], check=True)
            killed += kill_once(folder, operation, float(rng.uniform(0, takes_s)))
            facts = look(folder)
            two_keks += len(facts.keks) > 1
            left += len(facts.left_behind)
            lost += opened(folder) != before
        KeyStore.open(folder).rewrap()
        ends_clean = audit(look(folder)) == () and len(look(folder).keks) == 1
    row = {
        "points": points, "titles": titles, "keys": len(before), "seed": seed,
        "rotation_s": round(takes_s, 3), "killed_before_the_end": killed,
        "stores_with_keys_lost_or_changed": lost, "left_with_several_keks": two_keks,
        "files_left_behind": left, "clean_after_rewrap": ends_clean,
    }  # fmt: skip
    print(json.dumps(row))
    return int(bool(lost) or not ends_clean)


def main() -> int:
    """Read the command line and kill."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--titles", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    return measure(arguments.points, arguments.titles, arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
