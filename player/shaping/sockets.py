"""Sockets whose peers cannot believe bytes delivered that still wait in a kernel."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

# Seen from the server: with the 64 kB segments of loopback its kernel would buffer 4 MB.
# Up to about this size it reckons with 2 kB of memory for each, above with 4.
_SEGMENT_BYTES = 1380
_RESET = struct.pack("ii", 1, 0)


def tcp_socket(family: int, buffer_bytes: int, read_bytes: int = 0) -> socket.socket:
    """A socket whose buffers are small from the start, and that asyncio knows as TCP.

    Args:
        family: IPv4 or IPv6.
        buffer_bytes: What to ask for in each direction.
        read_bytes: What to ask for towards us instead, when given.
    """
    # Protocol 0 would work, but asyncio then leaves Nagle's algorithm on.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_bytes or buffer_bytes)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError, AttributeError):  # pacing comes from the trace alone
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    return sock


def abort(transport: asyncio.Transport) -> None:
    """Close with a reset, as a broken connection would, not with a clean end."""
    with contextlib.suppress(OSError):  # already closed by the other side
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
