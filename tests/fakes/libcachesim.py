"""libCacheSim in an environment of its own: what other people's caches would miss."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.simulation.viewing import RequestLog

FOLDER = Path(__file__).parents[1] / "libcachesim"
PYTHON = FOLDER / ".venv" / "bin" / "python"

NAMES = {"gdsf": "GDSF", "lru": "LRU", "s3-fifo": "S3FIFO", "sieve": "Sieve"}
"""Our policies that it has alike. Its W-TinyLFU overflows a counter at more than 2 GiB."""

_RECORD = np.dtype([("time", "<u4"), ("object", "<u8"), ("size", "<u4"), ("next", "<i8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Shares of requests and bytes that missed, and the time it took."""

    requests: float
    bytes: float
    cpu_s: float


def why_not() -> str:
    """Why it cannot be asked; empty when it can."""
    if not PYTHON.is_file():
        return "libcachesim is not installed in tests/libcachesim/.venv (see scripts/test-tools)"
    done = subprocess.run(
        [PYTHON, "-c", "import libcachesim"], capture_output=True, text=True, check=False
    )
    return done.stderr.strip().rpartition("\n")[2]


def write_oracle_general(log: RequestLog, path: Path) -> None:
    """Write a log as libCacheSim's binary format."""
    rows = np.zeros(len(log), _RECORD)
    rows["time"], rows["object"], rows["size"] = log.times_s, log.objects, log.sizes_bytes
    rows["next"] = -1
    path.write_bytes(rows.tobytes())


def misses(trace: Path, caches: Sequence[tuple[str, int]]) -> list[Missed]:
    """What caches, given by our policy's name and size, would miss of a trace."""
    asked = {"trace": str(trace), "caches": [(NAMES[name], size) for name, size in caches]}
    done = subprocess.run(
        [PYTHON, FOLDER / "simulate.py"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    rows = json.loads(done.stdout.strip().rpartition("\n")[2])
    return [Missed(requests=row[0], bytes=row[1], cpu_s=row[2]) for row in rows]
