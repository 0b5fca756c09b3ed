"""Origin, regional tier and ISP edges together, as a library and as a command."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from abr.errors import MissingFileError, PackageError, PortInUseError
from bench.stack.config import ServeConfig
from bench.stack.stack import Stack
from origin.gateway.server.guard import DependencyError
from tests.fakes.packages import segment_bytes, write_package
from tests.fakes.ports import free_ports
from transcode.files.keystore import KeyStore


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write_package(tmp_path / "film", segment_sizes=(300_000, 2000))
    return tmp_path / "film"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


async def test_a_title_is_served_through_two_tiers_and_fetched_once_by_each(
    package: Path, keys: Path
) -> None:
    async with Stack([package], keys=keys) as stack, aiohttp.ClientSession() as client:
        assert [(each.role, each.tier) for each in stack.listeners] == [
            ("origin", "origin"),
            ("edge", "regional"),
            ("edge", "isp"),
            ("edge", "isp"),
        ]
        assert list(stack.playback_urls) == ["film"]

        async def segment(edge: int) -> str:
            url = stack.playback_url("film", edge=edge)
            async with client.get(url.replace("multivariant.m3u8", "v1/00000.m4s")) as answer:
                assert answer.status == 200
                assert await answer.read() == segment_bytes("v1", 0, 600_000)
                return answer.headers["Cache-Status"]

        first = await asyncio.gather(*(segment(0) for _ in range(50)))
        assert all(line.startswith('"regional"; fwd=uri-miss; stored, "isp-1"') for line in first)
        other = await segment(1)
        assert other.startswith('"regional"; hit;')
        assert other.endswith('"isp-2"; fwd=uri-miss; stored')
        assert (await segment(1)).split('"isp-2"; ')[1].startswith("hit")
        stats = stack.cache_stats()
        assert stats["regional"] == {
            "requests": 2,
            "hits": 1,
            "bytes": 1_200_000,
            "hit_bytes": 600_000,
        }
        assert (stats["isp"]["requests"], stats["isp"]["hits"]) == (52, 1)
        assert sum(edge.counters.fills for edge in stack.edges.values()) == 3


async def test_warm_caches_hold_both_variants_of_a_watermarked_title(
    tmp_path: Path, keys: Path
) -> None:
    write_package(tmp_path / "film", segment_sizes=(900, 800), rungs=1, watermarked=True)
    async with Stack([tmp_path / "film"], keys=keys, config=ServeConfig(edges=1)) as stack:
        await stack.warm()
        for edge in stack.edges.values():
            held = [key for key in tuple(edge.index.keys()) if key.endswith(".m4s")]
            assert len(held) == 4
            assert all(".a.m4s" in key or ".b.m4s" in key for key in held)


async def test_its_tiers_ask_with_tokens_of_their_own(package: Path, keys: Path) -> None:
    """So what is bound to a viewer's address works through both of them."""
    async with Stack([package], keys=keys) as stack, asyncio.timeout(5):
        for edge in stack.edges.values():
            while not edge.admission.following.takes_tiers():  # noqa: ASYNC110 -- parents say so soon
                await asyncio.sleep(0.01)


async def test_ports_follow_the_first_one_and_playback_is_at_the_first_edge(
    package: Path, keys: Path
) -> None:
    port = free_ports(5)
    async with (
        Stack([package], keys=keys, config=ServeConfig(port=port)) as stack,
        aiohttp.ClientSession() as client,
    ):
        urls = [f"http://127.0.0.1:{port + number}" for number in range(4)]
        assert [each.url for each in stack.listeners] == urls
        assert stack.watch_url == f"http://127.0.0.1:{port + 4}/"
        async with client.get(f"{urls[0]}/playback/film") as answer:
            assert (await answer.json())["url"].startswith(urls[2] + "/t/")


async def test_a_busy_port_stops_everything_that_was_started(package: Path, keys: Path) -> None:
    port = free_ports(2)
    with socket.create_server(("127.0.0.1", port + 1)):  # the origin starts, the regional cannot
        with pytest.raises(PortInUseError, match=rf":{port + 1}: .*--port"):
            async with Stack([package], keys=keys, config=ServeConfig(port=port)):
                pass
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))


async def test_what_is_no_package_is_refused_before_anything_listens(
    package: Path, keys: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for folder, error in ((tmp_path / "empty", PackageError), (tmp_path / "no", MissingFileError)):
        stack = Stack([package, folder], keys=keys)
        with pytest.raises(error, match=folder.name):
            await stack.__aenter__()
        assert stack.listeners == []
    with pytest.raises(PackageError, match="title 'film' is in another package too"):
        await Stack([package, package], keys=keys).__aenter__()


async def test_caches_survive_a_restart_in_a_named_folder(
    package: Path, keys: Path, tmp_path: Path
) -> None:
    config = ServeConfig(cache_dir=str(tmp_path / "caches"))
    for expected in ("fwd=uri-miss; stored", "hit"):
        async with (
            Stack([package], keys=keys, config=config) as stack,
            aiohttp.ClientSession() as client,
        ):
            url = stack.playback_urls["film"].replace("multivariant.m3u8", "v0/00000.m4s")
            async with client.get(url) as answer:
                assert expected in answer.headers["Cache-Status"].split('"isp-1"')[1]
                await answer.read()


@contextmanager
def command(*args: str, tmp: Path) -> Iterator[subprocess.Popen[str]]:
    """An ``abr`` command under way."""
    environ = os.environ | {"TMPDIR": str(tmp), "XDG_CACHE_HOME": str(tmp / "cache")}
    running = subprocess.Popen(
        [sys.executable, "-m", "abr", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_abr_serve_prints_one_line_and_leaves_nothing_behind(
    how: signal.Signals, package: Path, keys: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    KeyStore.open(keys)
    with command("serve", str(package), "--keys", str(keys), "--json", tmp=temporary) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert set(ready) == {"playback_urls", "watch_url", "listeners"}
        assert set(ready["listeners"][0]) == {"role", "tier", "url"}
        assert ready["playback_urls"]["film"].endswith("/film/multivariant.m3u8")
        assert [path.name[:10] for path in temporary.iterdir()] == ["abr-serve-"]
        running.send_signal(how)
        rest, errors = running.communicate(timeout=10)
        assert (running.returncode, rest, errors) == (130, "", "abr: interrupted\n")
    assert list(temporary.iterdir()) == []


def test_abr_serve_says_what_is_wrong_in_one_line(
    package: Path, keys: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        cases = {
            "no package in it": ["serve", str(tmp_path / "empty"), "--keys", str(keys)],
            "is taken": ["serve", str(package), "--keys", str(keys), "--port", port],
            "expected a URL": ["edge", "--parent", "ftp://x"],
            "port is taken": ["edge", "--port", port],
        }
        for expected, args in cases.items():
            with command(*args, tmp=tmp_path) as running:
                out, errors = running.communicate(timeout=20)
                assert (running.returncode, out) == (1, "")
                assert errors.count("\n") == 1
                assert expected in errors


def test_abr_edge_runs_before_its_parent_does(tmp_path: Path) -> None:
    args = ("edge", "--parent", "http://127.0.0.1:9", "--port", "0", "--name", "a/b", "--json")
    with command(*args, tmp=tmp_path) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert ready["listeners"][0]["role"] == "edge"
        assert ready["cache_dir"] == str(tmp_path / "cache" / "abrkit" / "a_b")
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=10)
        assert running.returncode == 130
        assert "note: no keys from the parent yet" in errors


async def test_a_state_that_cannot_be_used_is_told_of_at_the_start(
    package: Path, keys: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    config = ServeConfig(state=str(tmp_path / "file" / "state.sqlite"))
    with pytest.raises(DependencyError, match="--state"):
        async with Stack([package], keys=keys, config=config):
            pass
