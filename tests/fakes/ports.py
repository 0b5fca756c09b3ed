"""Ports that nobody else takes while a test runs."""

from __future__ import annotations

import contextlib
import os
import socket

_LOWEST, _HIGHEST = 20_000, 32_000
"""Below the range (32,768 up on Linux) from which clients of other tests get their ports."""


def free_ports(count: int) -> int:
    """The first of ``count`` free ports in a row."""
    span = _HIGHEST - _LOWEST - count
    for attempt in range(span):
        first = _LOWEST + (os.getpid() * 97 + attempt * (count + 1)) % span
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise AssertionError(f"no {count} free ports in a row from {_LOWEST} to {_HIGHEST}")
