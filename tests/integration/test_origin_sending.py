"""Bodies on their way to clients: file systems and clients of every kind."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from origin.server import filesender
from origin.server.filesender import FileSender, send_now

BODY = os.urandom(3 << 20)


class Sending:
    """One file on its way through a pair of sockets."""

    def __init__(self, tmp_path: Path, lead: bytes = b"", limit_s: float = 5.0) -> None:
        path = tmp_path / "body"
        path.write_bytes(BODY)
        self.file = os.open(path, os.O_RDONLY)
        server = socket.create_server(("127.0.0.1", 0))
        self.near = socket.create_connection(server.getsockname())
        self.far, _ = server.accept()
        server.close()
        self.near.setblocking(False)
        self.far.setblocking(False)
        self.sent: list[int] = []
        self.done: asyncio.Future[BaseException | None] = asyncio.Future()
        self.sender = FileSender(
            self.near,
            lead,
            self.file,
            0,
            len(BODY),
            limit_s=limit_s,
            on_pace=lambda _count, _took_s: None,
            on_sent=self.sent.append,
            on_done=self.done.set_result,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.sender.abort(ConnectionAbortedError("the test ends"))
        os.close(self.file)
        self.near.close()
        self.far.close()

    async def receive(self, count: int) -> bytes:
        """The next bytes at the far end."""
        loop, data = asyncio.get_running_loop(), b""
        async with asyncio.timeout(5):
            while len(data) < count:
                data += await loop.sock_recv(self.far, count - len(data))
        return data


async def test_the_lead_comes_first_and_the_bytes_are_counted(tmp_path: Path) -> None:
    """Everything arrives once, in order; only bytes of the file are reported."""
    with Sending(tmp_path, b"head") as sending:
        sending.sender.start()
        assert await sending.receive(4 + len(BODY)) == b"head" + BODY
        assert await sending.done is None
        assert sum(sending.sent) == len(BODY)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
async def test_a_file_system_without_sendfile_is_read(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the bytes pass through this process, in small pieces."""

    def refuse(*_args: int) -> int:
        raise OSError(number, "not here")

    monkeypatch.setattr(os, "sendfile", refuse)
    with Sending(tmp_path) as sending:
        sending.sender.start()
        assert await sending.receive(len(BODY)) == BODY
        assert await sending.done is None


async def test_a_disk_that_fails_fails_the_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the thread that reads ahead reaches whoever sends."""

    def fail(file: int, _offset: int, _length: int) -> None:
        os.close(file)
        raise OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(filesender, "is_resident", lambda *_where: False)
    monkeypatch.setattr(filesender, "warm", fail)
    with Sending(tmp_path) as sending:
        sending.sender.start()
        error = await asyncio.wait_for(sending.done, 5)
        assert isinstance(error, OSError)
        assert error.errno == errno.EIO
        assert sending.sent == []


async def test_a_file_that_was_cut_fails_the_body(tmp_path: Path) -> None:
    """A body that is shorter than promised is not passed off as whole."""
    with Sending(tmp_path) as sending:
        os.truncate(tmp_path / "body", len(BODY) // 2)
        sending.sender.start()
        assert await sending.receive(len(BODY) // 2) == BODY[: len(BODY) // 2]
        assert isinstance(await asyncio.wait_for(sending.done, 5), ConnectionResetError)


async def test_a_client_that_takes_too_little_is_given_up(tmp_path: Path) -> None:
    """A few bytes now and then are not progress."""
    with Sending(tmp_path, limit_s=0.2) as sending:
        sending.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        sending.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sending.sender.start()
        while not sending.done.done():
            await sending.receive(10)
            await asyncio.sleep(0.02)
        assert isinstance(sending.done.result(), ConnectionAbortedError)


async def test_a_client_that_takes_enough_may_take_long(tmp_path: Path) -> None:
    """The limit is on the pace and not on the whole."""
    with Sending(tmp_path, limit_s=0.3) as sending:
        sending.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sending.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sending.sender.start()
        for _ in range(6):
            await sending.receive(512 << 10)
            await asyncio.sleep(0.1)
        assert await sending.done is None


async def test_what_cannot_be_sent_at_once_is_left(tmp_path: Path) -> None:
    """Head and body stop where the socket has no room, and nothing is raised."""
    with Sending(tmp_path) as sending:
        assert send_now(sending.near, b"head", sending.file, 5, 10) == (b"", 10)
        assert await sending.receive(14) == b"head" + BODY[5:15]
        while sending_goes_on(lambda: sending.near.send(bytes(65536))):
            pass
        assert send_now(sending.near, b"head", sending.file, 0, 10) == (b"head", 0)
        sending.near.close()
        assert send_now(sending.near, b"head", sending.file, 0, 10) == (b"head", 0)


def sending_goes_on(send: Callable[[], int]) -> bool:
    """Whether there was room."""
    try:
        return send() > 0
    except BlockingIOError:
        return False
