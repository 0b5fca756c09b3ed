"""A network of two namespaces with a token bucket filter between them: its keeper process.

    python -m player.shaping.netns DESCRIPTOR

Run by ``player.shaping.kernel`` and spoken to over the inherited socket, one JSON object a
line. ``player.shaping.namespaces`` says what is made.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import numpy as np

from abr.trace import Trace
from player.shaping.namespaces import HANDLE, Namespaces, die_with_parent
from player.shaping.tbf import Step, burst_bytes, rate_text, steps

SAMPLE_S = 0.5
_NUDGE_PORT = 9  # discard
_MOST_COST_S = 0.005
_GRACE_S = 2.0


class Filter:
    """The token bucket filter, following a trace; and the record of how well."""

    def __init__(
        self, namespaces: Namespaces, trace: Trace, *, queue_bytes: int, floor_bps: int
    ) -> None:
        self._namespaces = namespaces
        self._settings = {"burst": burst_bytes(trace), "limit": queue_bytes}
        self._steps = steps(trace, floor_bps=floor_bps)
        self._next: Step | None = next(self._steps)
        self._start_s: float | None = None
        self._sample = 1
        self._cost_s = 0.002
        self._seen_bytes = 0
        self.sent_bytes: list[int] = []
        self.backlog_bytes: list[int] = []
        self.late_s: list[float] = []
        self.drops = 0
        self._nudge = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._apply("add")

    def __repr__(self) -> str:
        return f"<Filter {len(self.late_s)} changes of rate, next {self._next}, {self.drops} drops>"

    def start(self, at_s: float) -> None:
        """Trace time 0 is ``at_s`` of the monotonic clock."""
        self._start_s = at_s
        self._seen_bytes = self._stats()[0]

    def due_s(self) -> float:
        """When ``work`` has something to do, monotonic clock."""
        if self._start_s is None:
            return float("inf")
        step_s = self._next.at_s if self._next else float("inf")
        return self._start_s + min(step_s - self._cost_s, self._sample * SAMPLE_S)

    def work(self) -> None:
        """Change the rate, and note what was sent, as far as due."""
        if self._start_s is None:
            return
        while self._next is not None:
            begun_s, due_s = time.monotonic(), self._start_s + self._next.at_s
            if due_s - self._cost_s > begun_s:
                break
            self._apply("change")
            done_s = time.monotonic()
            self.late_s.append(max(done_s - due_s, 0.0))
            # A change takes effect near its end: the next begins that much earlier.
            self._cost_s += (min(done_s - begun_s, _MOST_COST_S) - self._cost_s) / 4
        while self._sample * SAMPLE_S <= time.monotonic() - self._start_s:
            self.sample()
            self._sample += 1

    def sample(self) -> None:
        """Note what the filter has sent since the last note."""
        sent, backlog, self.drops = self._stats()
        self.sent_bytes.append(sent - self._seen_bytes)
        self.backlog_bytes.append(backlog)
        self._seen_bytes = sent

    def _apply(self, verb: str) -> None:
        if self._next is not None:
            rate = rate_text(self._next.rate_bps)
            self._namespaces.ip.tc(
                verb, "tbf", self._namespaces.index, HANDLE, rate=rate, **self._settings
            )
            self._next = next(self._steps, None)
        if verb == "change":
            # The filter keeps the waking time it worked out at the old rate, up to 1.5 s
            # away, unless something arrives: a datagram that nobody expects.
            with contextlib.suppress(OSError):
                self._nudge.sendto(b"", (self._namespaces.peer, _NUDGE_PORT))

    def _stats(self) -> tuple[int, int, int]:
        for message in self._namespaces.ip.get_qdiscs(index=self._namespaces.index):
            stats = message.get_attr("TCA_STATS2")
            basic, queue = stats.get_attr("TCA_STATS_BASIC"), stats.get_attr("TCA_STATS_QUEUE")
            return int(basic["bytes"]), int(queue["backlog"]), int(queue["drops"])
        return 0, 0, 0


def keep(sock: socket.socket) -> int:
    """Build what the first line asks for, run its command, report, and leave."""
    lines = _Lines(sock)
    given = lines.wait()
    if given is None:
        return 1
    for name in given["unset"]:  # was for this process, not for the command
        os.environ.pop(name, None)
    try:
        namespaces = Namespaces(given["congestion"], use_veth=given["use_veth"])
        trace = Trace(
            times_s=np.array(given["times_s"]),
            capacity_bps=np.array(given["capacity_bps"]),
            end=given["end"],
        )
        link = Filter(
            namespaces, trace, queue_bytes=given["queue_bytes"], floor_bps=given["floor_bps"]
        )
        listening = namespaces.listen(given["port"], given["congestion"])
    except Exception as exc:  # noqa: BLE001  # whatever this machine refuses, the parent says it
        _send(sock, {"error": f"{type(exc).__name__}: {exc}"})
        return 1
    ready = {
        "address": namespaces.address,
        "port": listening.getsockname()[1],
        "kind": namespaces.kind,
    }
    facts = {"missing": namespaces.missing, "user_namespace": namespaces.user_namespace}
    _send(sock, {**ready, **facts}, listening)
    listening.close()
    return _serve(sock, lines, namespaces, link)


def _serve(sock: socket.socket, lines: _Lines, namespaces: Namespaces, link: Filter) -> int:
    child: subprocess.Popen[bytes] | None = None
    stopping: list[int] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command has its own
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    try:
        while not stopping:
            wait_s = min(max(link.due_s() - time.monotonic(), 0), 0.05)
            if select.select([sock], [], [], wait_s)[0]:
                if not lines.read():
                    break
                for line in lines.pop():
                    if "start_s" in line:
                        link.start(line["start_s"])
                    elif "command" in line:
                        try:
                            child = namespaces.start(line["command"], line["environ"])
                        except OSError as exc:
                            _send(sock, {"error": f"{line['command'][0]}: {exc.strerror}"})
                            return 1
            link.work()
            if child is not None and child.poll() is not None:
                link.sample()
                _send(sock, {"exit": child.returncode, **_record(link)})
                return 0
    finally:
        if child is not None and child.poll() is None:
            _end(child)
    return 1


def _record(link: Filter) -> dict[str, Any]:
    return {
        "sent_bytes": link.sent_bytes,
        "backlog_bytes": link.backlog_bytes,
        "late_s": link.late_s,
        "drops": link.drops,
    }


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class _Lines:
    """JSON objects, one a line, from a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""

    def __repr__(self) -> str:
        return f"<_Lines, {len(self._data)} bytes of the next>"

    def read(self) -> bool:
        """Take in what is there; False at the end."""
        data = self._sock.recv(1 << 20)
        self._data += data
        return bool(data)

    def pop(self) -> list[dict[str, Any]]:
        """Remove and return the whole lines so far."""
        *whole, self._data = self._data.split(b"\n")
        return [json.loads(line) for line in whole]

    def wait(self) -> dict[str, Any] | None:
        """The first line; None when the other side left before."""
        while True:
            if not self.read():
                return None
            lines = self.pop()
            if lines:
                return lines[0]


def _send(sock: socket.socket, what: dict[str, Any], passed: socket.socket | None = None) -> None:
    data = json.dumps(what).encode() + b"\n"
    rights = []
    if passed is not None:
        descriptors = array.array("i", [passed.fileno()])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors.tobytes())]
    with contextlib.suppress(BrokenPipeError):
        sent = sock.sendmsg([data], rights)
        sock.sendall(data[sent:])


if __name__ == "__main__":
    die_with_parent(signal.SIGTERM)
    sys.exit(keep(socket.socket(fileno=int(sys.argv[1]))))
