"""A link emulated by the kernel: a command in a namespace behind a token bucket filter.

The kernel queues and paces real packets with real congestion control. Round-trip time
comes from the shaper, here without a rate of its own, which relays between the namespace
and the server: where netem is missing nothing else can delay. The server stays where it
is; the relay's listening socket belongs to the namespace and was handed out of it.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from abr.defaults import RTT_S
from abr.errors import ConfigError, ToolMissingError
from abr.trace import Trace
from player.shaping.config import ShaperConfig
from player.shaping.proxy import Shaper
from player.shaping.run import Address
from player.shaping.tbf import FLOOR_BPS, QUEUE_BYTES, WIRE_RATIO

INTERVAL_S = 0.5
_RELAY_BPS = 1e10
_LATE_S = 0.02
_END_S = 4.0
# Making namespaces takes some tens of milliseconds.
_READY_LIMIT_S = 30.0
# A process with threads, such as those of numpy's algebra, cannot enter a user namespace.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelConfig:
    """Settings of the emulated link."""

    congestion: str = "cubic"
    """Congestion control of whoever sends over the link."""
    queue_bytes: int = QUEUE_BYTES
    """Room in the filter's queue; what comes on top is dropped."""
    floor_bps: int = FLOOR_BPS
    """Rate during an outage."""
    use_veth: bool = True
    """A pair of interfaces, where the kernel knows such; False: the filter goes on ``lo``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelReport:
    """What ran where, and how well it followed the trace."""

    exit_code: int
    """Of the command; negative: the signal that ended it."""
    in_kernel: str
    in_user_space: str
    missing: tuple[str, ...]
    """Queueing disciplines that this kernel lacks."""
    offered_bytes: tuple[float, ...]
    """Payload that the trace could have carried in each half second."""
    delivered_bytes: tuple[float, ...]
    """Payload that the filter let through, headers of full segments taken off."""
    backlog_bytes: tuple[int, ...]
    """What waited in the filter at the end of each half second, with headers."""
    drops: int
    late_p95_s: float
    """How late the rate was changed; 0 when it never was."""
    late_max_s: float

    @property
    def is_overloaded(self) -> bool:
        """One change of rate in twenty was more than 20 ms late."""
        return self.late_p95_s > _LATE_S

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "backend": "kernel",
            "exit_code": self.exit_code,
            "in_kernel": self.in_kernel,
            "in_user_space": self.in_user_space,
            "missing": list(self.missing),
            "is_overloaded": self.is_overloaded,
            "interval_s": INTERVAL_S,
            "offered_bytes": [round(value) for value in self.offered_bytes],
            "delivered_bytes": [round(value) for value in self.delivered_bytes],
            "backlog_bytes": list(self.backlog_bytes),
            "drops": self.drops,
            "late_p95_s": self.late_p95_s,
            "late_max_s": self.late_max_s,
        }


async def run_behind(
    trace: Trace,
    upstream: Address,
    command: Sequence[str],
    *,
    port: int = 0,
    rtt_s: float = RTT_S,
    config: KernelConfig | None = None,
) -> KernelReport:
    """Run ``command`` in a namespace from which only ``upstream`` can be reached.

    In the command's words ``{listen}`` stands for the address to use, which also is in its
    environment as ``ABR_SHAPE_ADDRESS``. The trace begins with the first byte of an answer.

    Args:
        trace: What the link can carry, as payload.
        upstream: The server, outside.
        command: Program and arguments.
        port: Port of the address inside; that of ``upstream`` when 0.
        rtt_s: Round-trip time where the trace gives none.
        config: Settings of the filter.

    Raises:
        ToolMissingError: no namespaces or no filter here, or no such command.
    """
    config = config or KernelConfig()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        keeper = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "player.shaping.netns", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            env={**_ONE_THREAD, **os.environ},
        )
        theirs.close()
        ours.setblocking(False)
        try:
            await _send(ours, _settings(trace, config, port or upstream.port))
            facts, listening = await _receive_listener(ours)
            address = Address(facts["address"], facts["port"])

            def on_start(start_s: float) -> None:
                with contextlib.suppress(OSError):
                    ours.send(json.dumps({"start_s": start_s}).encode() + b"\n")

            relay = Shaper(
                replace(trace, capacity_bps=np.full(len(trace.capacity_bps), _RELAY_BPS)),
                upstream.host,
                upstream.port,
                rtt_s=rtt_s,
                config=ShaperConfig(
                    quantum_bytes=65536, queue_bytes=131072, queue_s=0.0, tick_s=0.0
                ),
                listening=listening,
                on_start=on_start,
            )
            async with relay:
                words = [word.replace("{listen}", str(address)) for word in command]
                environ = {"ABR_SHAPE_ADDRESS": str(address)}
                await _send(ours, {"command": words, "environ": environ})
                told = await _receive_report(ours)
        finally:
            ours.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await keeper.wait()
            if keeper.returncode is None:
                keeper.kill()
                await keeper.wait()
    return _report(trace, facts, told, config)


def _settings(trace: Trace, config: KernelConfig, port: int) -> dict[str, Any]:
    return {
        "times_s": trace.times_s.tolist(),
        "capacity_bps": trace.capacity_bps.tolist(),
        "end": trace.end,
        "congestion": config.congestion,
        "queue_bytes": config.queue_bytes,
        "floor_bps": config.floor_bps,
        "use_veth": config.use_veth,
        "port": port,
        "unset": [name for name in _ONE_THREAD if name not in os.environ],
    }


async def _send(sock: socket.socket, what: dict[str, Any]) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, json.dumps(what).encode() + b"\n")


async def _receive_listener(sock: socket.socket) -> tuple[dict[str, Any], socket.socket]:
    """What the keeper built, and the listening socket that it passes with it."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        async with asyncio.timeout(_READY_LIMIT_S):
            await readable.wait()
    except TimeoutError as exc:
        raise ToolMissingError(
            f"kernel backend: no namespace after {_READY_LIMIT_S:g} s; use --backend shaper"
        ) from exc
    finally:
        loop.remove_reader(sock)
    data, rights, _, _ = sock.recvmsg(65536, socket.CMSG_SPACE(4))
    facts = json.loads(data or b'{"error": "it ended at once"}')
    if "error" in facts:
        raise ToolMissingError(
            f"kernel backend: {facts['error']}; run as root, or allow user namespaces "
            "(sysctl user.max_user_namespaces), or use --backend shaper"
        )
    descriptors = array.array("i")
    descriptors.frombytes(rights[0][2][:4])
    listening = socket.socket(fileno=descriptors[0])
    listening.setblocking(False)
    return facts, listening


async def _receive_report(sock: socket.socket) -> dict[str, Any]:
    """The keeper's last words."""
    data = b""
    while not data.endswith(b"\n"):
        piece = await asyncio.get_running_loop().sock_recv(sock, 65536)
        if not piece:
            raise ToolMissingError("kernel backend: the keeper of the namespace ended early")
        data += piece
    told: dict[str, Any] = json.loads(data)
    if "error" in told:
        raise ConfigError(f"{told['error']}; expected a command that can be run")
    return told


def _report(
    trace: Trace, facts: dict[str, Any], told: dict[str, Any], config: KernelConfig
) -> KernelReport:
    edges = [trace.bits_by(k * INTERVAL_S) / 8 for k in range(len(told["sent_bytes"]) + 1)]
    around = "two namespaces" if facts["kind"] == "veth" else "one namespace"
    who = "a user namespace of this user" if facts["user_namespace"] else "root"
    late_s = told["late_s"]
    return KernelReport(
        exit_code=told["exit"],
        in_kernel=(
            f"capacity and queue: tbf of {config.queue_bytes} bytes on {facts['kind']}, "
            f"{around}, as {who}; {config.congestion}"
        ),
        in_user_space="round-trip time: charged by the relay, per connection and request",
        missing=tuple(facts["missing"]),
        offered_bytes=tuple(float(b - a) for a, b in pairwise(edges)),
        delivered_bytes=tuple(sent / WIRE_RATIO for sent in told["sent_bytes"]),
        backlog_bytes=tuple(told["backlog_bytes"]),
        drops=told["drops"],
        late_p95_s=float(np.percentile(late_s, 95)) if late_s else 0.0,
        late_max_s=max(late_s, default=0.0),
    )


def find_obstacle() -> str:
    """Why no namespace can be made here; empty when one can."""
    flags = [] if os.geteuid() == 0 else ["--map-current-user"]
    try:
        done = subprocess.run(
            ["unshare", *flags, "--net", "true"],
            capture_output=True,
            timeout=5,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return str(exc)
    return done.stderr.strip() if done.returncode else ""
