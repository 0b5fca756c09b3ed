"""Two network namespaces and what lies between them, made by this process for itself.

They have no names: they live as long as this process and the command in it, and the
kernel removes them with the last of both, however these end. Nothing of the host's own
network is touched. As root only network namespaces are made; anybody else gets a user
namespace around them, which many systems allow.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
from typing import Any

SERVER_ADDRESS = "10.213.0.1"
CLIENT_ADDRESS = "10.213.0.2"
LO_ADDRESS = "127.0.0.1"
HANDLE = 0x10000
"""Of the queueing discipline."""
_NEWUSER = 0x10000000
_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Namespaces:
    """A server's side, a client's side, and a link between them.

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

    def __repr__(self) -> str:
        return f"<Namespaces {self.kind}, relay at {self.address}>"

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
            self.index = _bring_up(self.ip, "lo", None)
            self.ip.link("set", index=self.index, mtu=1500)
        else:
            self.kind, self.address, self.peer = "veth", SERVER_ADDRESS, CLIENT_ADDRESS
            _bring_up(self.ip, "lo", None)
            self.index = _bring_up(self.ip, "server", SERVER_ADDRESS)
            _enter(self._client)
            with IPRoute() as there:
                _bring_up(there, "lo", None)
                _bring_up(there, "client", CLIENT_ADDRESS)
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
                self.ip.tc("add", kind, lo, HANDLE)
                self.ip.tc("del", kind, lo, HANDLE)
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
            die_with_parent(signal.SIGKILL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

        return subprocess.Popen(
            command,
            env={**os.environ, **environ},
            preexec_fn=enter,  # noqa: PLW1509  # this process has one thread
        )


def die_with_parent(signal_number: int) -> None:
    """Let the kernel end this process when the one that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


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


def _bring_up(ip: Any, name: str, address: str | None) -> int:
    index: int = ip.link_lookup(ifname=name)[0]
    if address is not None:
        ip.addr("add", index=index, address=address, prefixlen=30)
    ip.link("set", index=index, state="up")
    return index
