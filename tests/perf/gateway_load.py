"""The playback service under load: 500 requests a second, and with its state frozen.

An open loop: requests are due at fixed times, whatever became of those before, and a latency counts
from when a request was due. The service runs in a process of its own (``abr gateway``), over a
state in SQLite or PostgreSQL. Three quarters of the requests are heartbeats, as in life; with
``--all-new`` every one asks for a new playback.

Half way, with ``--freeze S``, the state is held by another process (SQLite) or its server is
stopped (PostgreSQL) for so many seconds.

    python -m tests.perf.gateway_load [--rate 500] [--duration 20] [--all-new] [--postgres]
                                      [--freeze 5] [--first]

``--first`` gives this measurement the processor before what else runs here (the scheduler's
autogroup of a session of its own), for machines that are busy.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from origin.gateway.accounts import hash_text, secret_of
from tests.fakes.packages import write_package
from tests.fakes.postgres import Postgres, postgres

ACCOUNTS = 2000
CONNECTIONS = 64
LIMIT_S = 10.0


@dataclass
class Seen:
    """What came of the requests, by kind."""

    latencies_s: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    unnoted: int = 0
    refused_s: list[float] = field(default_factory=list)

    def add(self, kind: str, status: int, body: dict[str, object], took_s: float) -> None:
        """Note one answer."""
        word = f" {body['error']}" if "error" in body else ""
        self.statuses[f"{kind} {status}{word}"] += 1
        if status == 503:
            self.refused_s.append(took_s)
        else:
            self.latencies_s.setdefault(kind, []).append(took_s)
        self.unnoted += body.get("is_noted") is False


@dataclass
class Load:
    """The players of all accounts."""

    port: int
    secrets: list[str]
    all_new: bool
    seen: Seen = field(default_factory=Seen)
    sessions: list[tuple[str, str]] = field(default_factory=list)
    """Ids and tokens of those that play."""

    async def run(self, rate: float, duration_s: float) -> None:
        """Ask at ``rate`` for ``duration_s``."""
        due: asyncio.Queue[tuple[float, int] | None] = asyncio.Queue()
        workers = [asyncio.create_task(self._work(due)) for _ in range(CONNECTIONS)]
        begun_s = time.monotonic()
        for number in range(int(rate * duration_s)):
            at_s = begun_s + number / rate
            await asyncio.sleep(max(0.0, at_s - time.monotonic()))
            due.put_nowait((at_s, number))
        for _ in workers:
            due.put_nowait(None)
        await asyncio.gather(*workers)

    async def _work(self, due: asyncio.Queue[tuple[float, int] | None]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while (item := await due.get()) is not None:
            at_s, number = item
            kind, request = self._request(number)
            writer.write(request)
            async with asyncio.timeout(LIMIT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
            took_s = time.monotonic() - at_s
            status = int(head.split(b" ", 2)[1])
            self.seen.add(kind, status, body, took_s)
            if kind == "playback" and status == 200:
                self.sessions.append((body["session"], body["token"]))
        writer.close()

    def _request(self, number: int) -> tuple[str, bytes]:
        if self.all_new or number % 4 == 0 or not self.sessions:
            at = number // 4 if not self.all_new else number
            secret = self.secrets[at % len(self.secrets)]
            device = f"device-{at // len(self.secrets) % 2}"
            body = json.dumps({"title": "film", "device": device})
            return "playback", _http("POST", "/v1/playback", secret, body)
        session, token = self.sessions[-1 - number * 7919 % min(len(self.sessions), 500)]
        return "heartbeat", _http("POST", f"/v1/sessions/{session}/heartbeat", token, "")


def _http(method: str, path: str, bearer: str, body: str) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {bearer}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@contextlib.contextmanager
def service(folder: Path, state: str, secrets: list[str]) -> Iterator[tuple[int, int]]:
    """``abr gateway`` in a process of its own: its port and its process id."""
    write_package(folder / "packages" / "film", segment_sizes=(1000,))
    accounts = "".join(
        f'[accounts.a{number}]\nplan = "two"\nsecrets = ["{hash_text(secret)}"]\n'
        for number, secret in enumerate(secrets)
    )
    (folder / "accounts.toml").write_text(f"[plans.two]\nstreams = 2\n{accounts}")
    (folder / "abr.toml").write_text(
        "[gateway]\naddress_per_s = 0.0\naccount_per_s = 0.0\nport = 0\n"
        f'accounts = "{folder / "accounts.toml"}"\n'
    )
    command = [
        *(sys.executable, "-m", "abr", "--config", str(folder / "abr.toml"), "gateway"),
        *(str(folder / "packages"), "--keys", str(folder / "keys"), "--state", state, "--json"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield int(ready["listeners"][0]["url"].rpartition(":")[2]), process.pid
        finally:
            process.terminate()
            process.wait(20.0)


def hold(state: str, running: Postgres | None, after_s: float, for_s: float) -> None:
    """Freeze the state after some time, for some time."""
    time.sleep(after_s)
    if running is None:
        holder = sqlite3.connect(state, isolation_level=None, timeout=5.0)
        holder.execute("BEGIN EXCLUSIVE")
        time.sleep(for_s)
        holder.execute("ROLLBACK")
        holder.close()
        return
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    processes = [running.pid, *map(int, children)]
    for sign in (signal.SIGSTOP, signal.SIGCONT):
        for pid in processes:
            os.kill(pid, sign)
        if sign == signal.SIGSTOP:
            time.sleep(for_s)


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(load: Load, cpu: float, duration_s: float) -> None:
    """Print what was measured."""
    for kind, found in sorted(load.seen.latencies_s.items()):
        ordered = sorted(found)
        p50, p99 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        print(
            f"{kind:10} {len(ordered):6} answered  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  "
            f"max {1000 * ordered[-1]:6.1f} ms"
        )
    for what, count in sorted(load.seen.statuses.items()):
        print(f"  {what}: {count}")
    if load.seen.refused_s:
        print(f"refused for the outage within at most {max(load.seen.refused_s):.2f} s")
        print(f"heartbeats accepted and not noted: {load.seen.unnoted}")
    answers = sum(load.seen.statuses.values())
    print(
        f"server: {cpu:.2f} s of processor for {answers} requests, {answers / cpu:.0f} to a "
        f"processor-second, {cpu / duration_s:.0%} of a core; this client "
        f"{time.process_time() / duration_s:.0%}; load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--duration", type=float, default=20.0)
    parser.add_argument("--all-new", action="store_true")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--freeze", type=float, default=0.0)
    parser.add_argument("--first", action="store_true")
    asked = parser.parse_args()
    if asked.first:
        again = [sys.executable, "-m", "tests.perf.gateway_load", *sys.argv[1:]]
        again.remove("--first")
        # A session has an autogroup of its own, and niceness counts only within one.
        script = 'echo -15 > /proc/self/autogroup && exec "$@"'
        subprocess.run(["sh", "-c", script, "sh", *again], start_new_session=True, check=True)
        return
    secrets = [secret_of(number.to_bytes(32, "big")) for number in range(1, ACCOUNTS + 1)]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="abr-load-")))
        running = stack.enter_context(postgres()) if asked.postgres else None
        state = running.make_database() if running is not None else str(folder / "state.sqlite")
        port, pid = stack.enter_context(service(folder, state, secrets))
        load = Load(port, secrets, asked.all_new)
        if asked.freeze:
            rest = (state, running, asked.duration / 2, asked.freeze)
            threading.Thread(target=hold, args=rest).start()
        before_s = cpu_s(pid)
        asyncio.run(load.run(asked.rate, asked.duration))
        show(load, cpu_s(pid) - before_s, asked.duration)


if __name__ == "__main__":
    main()
