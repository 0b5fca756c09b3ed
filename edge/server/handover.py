"""One edge takes the place of another on the same folder, without a request being lost.

A running edge listens on a socket in its cache folder. A new one that connects there, and runs
as the same user, gets the socket that clients connect to. The old one accepts nobody any more,
lets go of the folder, and drains; whoever connects meanwhile waits in the kernel's queue, which
belongs to the socket and not to either process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from abr.errors import ResourceError

LOG = logging.getLogger("abr.edge")

NAME = "control"
"""File name of the socket in the cache folder."""

ASK, GIVEN, RELEASED = b"take over\n", b"listener\n", b"released\n"

LIMIT_S = 10.0
"""Most seconds for a whole hand-over."""


@contextmanager
def _path_of(folder: Path) -> Iterator[str]:
    """A short name of the socket: a path in the address of a socket has at most 107 bytes."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


class Handover:
    """The running edge's side, while the context is open.

    Args:
        folder: Its cache folder, which it has locked.
        give: Stops accepting, lets go of the folder, and returns the socket of clients.
    """

    def __init__(self, folder: Path, give: Callable[[], socket.socket | None]) -> None:
        self._folder = folder
        self._give = give
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Handover at {str(self._folder / NAME)!r}>"

    def __enter__(self) -> Handover:  # noqa: PYI034 -- not made to be inherited from
        self._listener.setblocking(False)
        try:
            with _path_of(self._folder) as path:
                # A file left by a crash; the folder is locked, so nobody listens there.
                Path(path).unlink(missing_ok=True)
                self._listener.bind(path)
            self._listener.listen(1)
        except OSError as exc:
            LOG.warning("%s: %s; this edge cannot be replaced", self._folder / NAME, exc.strerror)
            return self
        asyncio.get_running_loop().add_reader(self._listener, self._accept)
        return self

    def __exit__(self, *_exc: object) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        for task in self._tasks:
            task.cancel()

    def _accept(self) -> None:
        with suppress(OSError):
            peer, _ = self._listener.accept()
            task = asyncio.create_task(self._answer(peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, peer: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        peer.setblocking(False)
        with peer, suppress(OSError, TimeoutError):
            async with asyncio.timeout(LIMIT_S):
                if _user_of(peer) not in (0, os.geteuid()):
                    LOG.warning("a hand-over was refused: another user asked")
                    return
                if await loop.sock_recv(peer, len(ASK)) != ASK:
                    return
                sock = self._give()
                if sock is None:
                    return
                with sock:
                    socket.send_fds(peer, [GIVEN], [sock.fileno()])
                await loop.sock_sendall(peer, RELEASED)
                # The next edge makes its own socket under this name.
                loop.remove_reader(self._listener)


def _user_of(peer: socket.socket) -> int:
    """User at the other end of a connection, as the kernel says."""
    found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", found)[1])


def take_over(folder: Path) -> socket.socket | None:
    """The socket of the edge that runs on ``folder``, which then ends; None when none runs.

    Raises:
        ResourceError: one runs there, and did not hand over.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(LIMIT_S)
        try:
            with _path_of(folder) as path:
                peer.connect(path)
        except OSError:  # no folder, no socket, or nobody behind it
            return None
        try:
            peer.sendall(ASK)
            data, descriptors, _, _ = socket.recv_fds(peer, len(GIVEN), 1)
            given = [socket.socket(fileno=each) for each in descriptors]
            rest = peer.recv(len(RELEASED)) if given else b""
        except OSError as exc:
            raise ResourceError(f"{folder}: the edge there did not hand over: {exc}") from exc
    if data != GIVEN or rest != RELEASED:
        for each in given:
            each.close()
        raise ResourceError(
            f"{folder}: the edge there did not hand over; end it with SIGTERM, or see its log"
        )
    given[0].setblocking(False)
    return given[0]
