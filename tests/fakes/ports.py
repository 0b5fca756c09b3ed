"""Ports that nobody else takes while a test runs."""

from __future__ import annotations

import asyncio
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


async def until_listening(port: int, *, limit_s: float = 30.0) -> None:
    """Wait until something accepts connections to ``port``.

    Raises:
        TimeoutError: nothing did within ``limit_s``.
    """
    async with asyncio.timeout(limit_s):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return
