"""One edge takes the place of another on the same folder and port."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from abr.errors import ResourceError
from edge.server.handover import Handover, take_over
from edge.server.process import EdgeProcess
from tests.fakes.parent import fake_parent, running_edge
from tests.perf.edge_restart import run


async def test_no_request_fails_while_edges_are_replaced_and_reloaded() -> None:
    found = await run(clients=4, requests=200, restarts=1)
    assert (found["faults"], found["failed"], found["exit_codes"]) == ([], 0, [0, 0])
    assert found["parent_asked"] == 50  # the new edge has what the old one stored


async def test_the_one_that_was_replaced_changes_nothing_in_the_folder(tmp_path: Path) -> None:
    """It still answers from it, but what it fetches is not stored, and nothing is evicted."""
    folder = tmp_path / "c"
    async with fake_parent() as parent:
        parent.add("/a", b"a" * 1000)
        parent.add("/b", b"b" * 1000)
        async with running_edge(parent.url, folder, require_token=False) as old:
            await _get(old.url + "/a")
            old.edge.let_go()
            async with running_edge(parent.url, folder, require_token=False) as new:
                before = sorted(folder.rglob("*"))
                await _get(old.url + "/b")
                assert await _get(old.url + "/a") == b"a" * 1000
                assert sorted(folder.rglob("*")) == before
                assert await _get(new.url + "/a") == b"a" * 1000
        assert parent.asked == ["/a", "/b"]


async def _get(url: str) -> bytes:
    import aiohttp

    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        assert answer.status == 200
        return await answer.read()


async def test_the_socket_and_the_folder_change_hands(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)  # longer than the address of a socket may be
    async with fake_parent() as parent, running_edge(parent.url, folder) as edge:
        process = EdgeProcess(edge.edge, edge.door, read=lambda: edge.edge.config)
        with Handover(folder, process.hand_over):
            sock = await asyncio.to_thread(take_over, folder)
            assert sock is not None
            with sock:
                assert edge.url.endswith(f":{sock.getsockname()[1]}")
            async with asyncio.timeout(5):
                await process.wait()
        async with running_edge(parent.url, folder):
            pass  # the folder is free


async def test_nobody_to_replace_is_no_trouble(tmp_path: Path) -> None:
    assert take_over(tmp_path / "nowhere") is None
    (tmp_path / "control").touch()
    assert take_over(tmp_path) is None


async def test_an_edge_that_has_nothing_to_give_is_an_error_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    with Handover(tmp_path, lambda: None), pytest.raises(ResourceError, match="SIGTERM"):
        await asyncio.to_thread(take_over, tmp_path)


async def test_whoever_connects_and_says_something_else_gets_nothing(tmp_path: Path) -> None:
    given: list[int] = []

    def give() -> None:
        given.append(1)

    with Handover(tmp_path, give):
        assert stat.S_ISSOCK(os.stat(tmp_path / "control").st_mode)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(peer, str(tmp_path / "control"))
            await loop.sock_sendall(peer, b"hello\n")
            assert await loop.sock_recv(peer, 10) == b""
    assert given == []
