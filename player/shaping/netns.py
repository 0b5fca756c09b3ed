"""A network of two namespaces with a token bucket filter between them: its keeper process.

    python -m player.shaping.netns DESCRIPTOR

Run by ``player.shaping.kernel`` and spoken to over the inherited socket, one JSON object a
line. The namespaces have no names: they live as long as this process and the command in
it, and the kernel removes them with the last of both, however these end. Nothing of the
host's own network is touched. As root only network namespaces are made; anybody else
gets a user namespace around them, which many systems allow.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
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
from player.shaping.tbf import Step, burst_bytes, rate_text, steps

SERVER_ADDRESS = "10.213.0.1"
CLIENT_ADDRESS = "10.213.0.2"
LO_ADDRESS = "127.0.0.1"
SAMPLE_S = 0.5
_NEWUSER = 0x10000000
_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_HANDLE = 0x10000
_NUDGE_PORT = 9  # discard
_MOST_COST_S = 0.005
_GRACE_S = 2.0
_LIBC = ctypes.CDLL(None, use_errno=True)


class Room:
    """The two namespaces and what lies between them.

    Attributes:
        kind: ``veth`` between two namespaces, or ``lo`` within one.
        address: Where the relay listens.
        missing: Queueing disciplines that this kernel lacks.
    """

    def __init__(self, congestion: str, *, use_veth: bool = True) -> None:
        """Make the namespaces; this process stays in that of the server's side."""
        self.user_namespace = os.geteuid() != 0
        _unshare((_NEWUSER if self.user_namespace else 0) | _NEWNET)
        if self.user_namespace:
            _map_ids(*self._ids)
        self._server = os.open("/proc/self/ns/net", os.O_RDONLY)
        _unshare(_NEWNET)
        self._client = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._set_up(congestion, use_veth)

    _ids = (os.getuid(), os.getgid())

    def _set_up(self, congestion: str, use_veth: bool) -> None:
        from pyroute2 import IPRoute

        _sysctl(congestion)
        _enter(self._server)
        _sysctl(congestion)
        self.ip = IPRoute()
        if not (use_veth and self._has_pair()):
            os.close(self._client)
            self._client = self._server
            self.kind, self.address, self.peer = "lo", LO_ADDRESS, LO_ADDRESS
            self.index = _raise(self.ip, "lo", None)
            self.ip.link("set", index=self.index, mtu=1500)
        else:
            self.kind, self.address, self.peer = "veth", SERVER_ADDRESS, CLIENT_ADDRESS
            _raise(self.ip, "lo", None)
            self.index = _raise(self.ip, "server", SERVER_ADDRESS)
            _enter(self._client)
            with IPRoute() as there:
                _raise(there, "lo", None)
                _raise(there, "client", CLIENT_ADDRESS)
            _enter(self._server)
        self.missing = self._probe()

    def _has_pair(self) -> bool:
        """Make a pair of interfaces, one in each namespace, where the kernel knows them."""
        from pyroute2.netlink.exceptions import NetlinkError

        peer = {"ifname": "client", "net_ns_fd": self._client}
        try:
            self.ip.link("add", ifname="server", kind="veth", peer=peer)
        except NetlinkError:
            return False
        return True

    def _probe(self) -> list[str]:
        """Kinds of queueing discipline that would help and are not there."""
        from pyroute2.netlink.exceptions import NetlinkError

        missing = []
        lo = self.ip.link_lookup(ifname="lo")[0]
        for kind in ("netem", "fq_codel"):
            try:
                self.ip.tc("add", kind, lo, _HANDLE)
                self.ip.tc("del", kind, lo, _HANDLE)
            except (NetlinkError, OSError, ValueError):
                missing.append(kind)
        return missing

    def listen(self, port: int, congestion: str) -> socket.socket:
        """A socket of the server's side; connections to it go through the filter."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
        sock.bind((self.address, port))
        return sock

    def start(self, command: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        """Run ``command`` on the client's side; it ends when this process does."""
        client = self._client

        def enter() -> None:
            _enter(client)
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

        return subprocess.Popen(
            command,
            env={**os.environ, **environ},
            preexec_fn=enter,  # noqa: PLW1509  # this process has one thread
        )


class Filter:
    """The token bucket filter, following a trace; and the record of how well."""

    def __init__(self, room: Room, trace: Trace, *, queue_bytes: int, floor_bps: int) -> None:
        self._room = room
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
            self._room.ip.tc(verb, "tbf", self._room.index, _HANDLE, rate=rate, **self._settings)
            self._next = next(self._steps, None)
        if verb == "change":
            # The filter keeps the waking time it worked out at the old rate, up to 1.5 s
            # away, unless something arrives: a datagram that nobody expects.
            with contextlib.suppress(OSError):
                self._nudge.sendto(b"", (self._room.peer, _NUDGE_PORT))

    def _stats(self) -> tuple[int, int, int]:
        for message in self._room.ip.get_qdiscs(index=self._room.index):
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
        room = Room(given["congestion"], use_veth=given["use_veth"])
        trace = Trace(
            times_s=np.array(given["times_s"]),
            capacity_bps=np.array(given["capacity_bps"]),
            end=given["end"],
        )
        link = Filter(room, trace, queue_bytes=given["queue_bytes"], floor_bps=given["floor_bps"])
        listening = room.listen(given["port"], given["congestion"])
    except Exception as exc:  # noqa: BLE001  # whatever this machine refuses, the parent says it
        _say(sock, {"error": f"{type(exc).__name__}: {exc}"})
        return 1
    ready = {"address": room.address, "port": listening.getsockname()[1], "kind": room.kind}
    facts = {"missing": room.missing, "user_namespace": room.user_namespace}
    _say(sock, {**ready, **facts}, listening)
    listening.close()
    return _serve(sock, lines, room, link)


def _serve(sock: socket.socket, lines: _Lines, room: Room, link: Filter) -> int:
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
                for line in lines.taken():
                    if "start_s" in line:
                        link.start(line["start_s"])
                    elif "command" in line:
                        try:
                            child = room.start(line["command"], line["environ"])
                        except OSError as exc:
                            _say(sock, {"error": f"{line['command'][0]}: {exc.strerror}"})
                            return 1
            link.work()
            if child is not None and child.poll() is not None:
                link.sample()
                _say(sock, {"exit": child.returncode, **_record(link)})
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

    def read(self) -> bool:
        """Take in what is there; False at the end."""
        data = self._sock.recv(1 << 20)
        self._data += data
        return bool(data)

    def taken(self) -> list[dict[str, Any]]:
        """The whole lines so far."""
        *whole, self._data = self._data.split(b"\n")
        return [json.loads(line) for line in whole]

    def wait(self) -> dict[str, Any] | None:
        """The first line; None when the other side left before."""
        while True:
            if not self.read():
                return None
            lines = self.taken()
            if lines:
                return lines[0]


def _say(sock: socket.socket, what: dict[str, Any], passed: socket.socket | None = None) -> None:
    data = json.dumps(what).encode() + b"\n"
    rights = []
    if passed is not None:
        descriptors = array.array("i", [passed.fileno()])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors.tobytes())]
    with contextlib.suppress(BrokenPipeError):
        sent = sock.sendmsg([data], rights)
        sock.sendall(data[sent:])


def _unshare(flags: int) -> None:
    if _LIBC.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"new namespaces: {os.strerror(number)}")


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"entering a namespace: {os.strerror(number)}")


def _map_ids(uid: int, gid: int) -> None:
    """Stay who we are inside the user namespace: the command must see the same user."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _sysctl(congestion: str) -> None:
    """Congestion control of this namespace; nothing remembered from one connection to the next."""
    values = {"tcp_congestion_control": congestion, "tcp_no_metrics_save": "1"}
    for name, value in values.items():
        with (
            # Restricted ones cannot be a namespace's default; the sending socket asks itself.
            contextlib.suppress(FileNotFoundError, PermissionError),
            open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file,
        ):
            file.write(value)


def _raise(ip: Any, name: str, address: str | None) -> int:
    index: int = ip.link_lookup(ifname=name)[0]
    if address is not None:
        ip.addr("add", index=index, address=address, prefixlen=30)
    ip.link("set", index=index, state="up")
    return index


if __name__ == "__main__":
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    sys.exit(keep(socket.socket(fileno=int(sys.argv[1]))))
