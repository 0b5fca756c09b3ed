"""Start of an edge with many stored objects: until it listens, and until it knows them all.

    python -m tests.perf.edge_start [--objects 100000] [--bytes 1024] [--folder DIR] [--json]

The objects are made on disk first, in the form in which an edge keeps them. Then the edge is
started as its users start it. Reported are the seconds until it answers a connection, the seconds
of the first hit on an object that it has not read about yet, the seconds until all objects are
known, and the resident memory when it listens and when all are known.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import socket
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from edge.caching import stored as sidecar
from edge.caching.freshness import Freshness
from edge.caching.stored import StoredObject
from edge.server.clock import wall_clock_s

LIMIT_S = 120.0
BARS = {"listening_s": 1.5, "listening_mib": 120.0, "known_mib": 120.0}
HEADERS = (
    ("Content-Type", "video/iso.segment"),
    ("Cache-Control", "public, max-age=31536000, immutable"),
    ("Date", "Thu, 01 Oct 2026 10:00:00 GMT"),
    ("ETag", '"5f2b8c1d-9e3a-4f6b-8d70-1a2b3c4d5e6f"'),
    ("Last-Modified", "Thu, 01 Oct 2026 09:00:00 GMT"),
)


def key_of(number: int) -> str:
    """A key as long as those of segments."""
    return f"/title-{number // 1000:04}/video/1080p-avc/segment-{number % 1000:05}.m4s"


def make_objects(folder: Path, count: int, size_bytes: int) -> None:
    """Fill a cache folder."""
    fresh = Freshness(
        age_s=0.0, lifetime_s=31536000.0, stale_while_revalidate_s=0.0, stale_if_error_s=60.0
    )
    now_s = wall_clock_s()
    made: set[Path] = set()
    for number in range(count):
        key = key_of(number)
        body = hashlib.shake_128(key.encode()).digest(size_bytes)
        stored = StoredObject(
            key=key,
            body=f"{sidecar.file_stem(key)}-{number:016x}",
            size_bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            headers=HEADERS,
            stored_s=now_s - count + number,
            fresh=fresh,
        )
        path = folder / "objects" / stored.body[:2] / stored.body
        if path.parent not in made:
            path.parent.mkdir(parents=True)
            made.add(path.parent)
        path.write_bytes(body)
        path.with_name(path.name + ".json").write_bytes(sidecar.dumps(stored))


def resident_mib(pid: int) -> float:
    """Resident memory of a process and the processes it started."""
    tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    own = pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return own + sum(resident_mib(int(each)) for each in tasks)


def facts_of(url: str) -> dict[str, Any]:
    """What the edge says about itself; it says so also while its parent is away."""
    try:
        with urllib.request.urlopen(f"{url}/.abr/healthz", timeout=10) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as exc:
        found = json.load(exc)
    assert isinstance(found, dict)
    return found


def status_of(url: str) -> str:
    """``Cache-Status`` of an answer."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.headers["Cache-Status"])


async def start(folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """Start an edge on the folder and watch it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "abr", "edge", "--no-token", "--port", str(port)]
    command += ["--cache-dir", str(folder), "--cache-bytes", str(1 << 40), "--json"]
    began_s = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() - began_s < LIMIT_S, "it does not listen"
                await asyncio.sleep(0.005)
        row = {"listening_s": time.monotonic() - began_s}
        row["listening_mib"] = resident_mib(process.pid)
        url = f"http://127.0.0.1:{port}"
        asked_s = time.monotonic()
        status = await asyncio.to_thread(status_of, url + key_of(args.objects - 1))
        assert "hit" in status, status
        row["first_hit_s"] = time.monotonic() - asked_s
        while not (facts := await asyncio.to_thread(facts_of, url))["all_objects_known"]:
            assert time.monotonic() - began_s < LIMIT_S, "it does not get to know all"
            await asyncio.sleep(0.1)
        row["known_s"] = time.monotonic() - began_s
        row["known_mib"] = resident_mib(process.pid)
        assert facts["objects"] == args.objects, facts["objects"]
        return row
    finally:
        process.terminate()
        await process.wait()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=1024, help="of each body")
    parser.add_argument("--folder", help="make the cache below it, instead of a temporary one")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edge-start-", dir=args.folder) as name:
        make_objects(Path(name), args.objects, args.bytes)
        row = asyncio.run(start(Path(name), args))
    if args.json:
        print(json.dumps({"command": sys.argv[1:], **row}))
        return
    for what, value in row.items():
        bar = BARS.get(what)
        verdict = "" if bar is None else f"   bar {bar:g} {'ok' if value <= bar else 'MISSED'}"
        print(f"{what:>14} {value:8.2f}{verdict}")


if __name__ == "__main__":
    main()
