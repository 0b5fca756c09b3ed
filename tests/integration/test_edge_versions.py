"""A title that is replaced while it is played, seen from an edge."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import aiohttp

from origin.server.app import ORIGIN, make_app
from origin.server.httpserver import listening
from origin.server.store import DirectoryStore
from tests.fakes.packages import MemoryKeys, write_package
from tests.fakes.parent import LIMITS, running_edge
from transcode.run.placing import move_into_place


class _Clock:
    def __init__(self) -> None:
        self.now_s = time.time()  # noqa: TID251 -- stands still, but near the time of files

    def __call__(self) -> float:
        return self.now_s


def replace_package(folder: Path, mark: bytes) -> None:
    """Put a package of the same shape there, whose segments all begin with ``mark``."""
    made = folder.with_name(".made")
    write_package(made, title="film")
    for segment in made.rglob("*.m4s"):
        segment.write_bytes(mark + segment.read_bytes()[len(mark) :])
    move_into_place(made, folder, force=True)
    shutil.rmtree(made, ignore_errors=True)


async def test_a_playback_gets_segments_of_one_version_or_none(tmp_path: Path) -> None:
    """Held ones go on being served; what is gone is 404; a new playback gets the new version."""
    folder = tmp_path / "packages" / "film"
    folder.parent.mkdir()
    replace_package(folder, b"OLD")
    clock = _Clock()
    app = make_app(DirectoryStore(folder.parent), MemoryKeys("film"), now=clock)
    async with (
        listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where,
        running_edge(where.url, tmp_path / "cache", now=clock) as edge,
        aiohttp.ClientSession() as client,
    ):
        base = f"{edge.url}/t/{app[ORIGIN].playback('film')['token']}/film"

        async def get(path: str) -> tuple[int, bytes]:
            async with client.get(f"{base}/{path}") as answer:
                return answer.status, await answer.read()

        async def version() -> str:
            _, entry = await get("multivariant.m3u8")
            return entry.decode().splitlines()[-1].split("/")[0]

        old = await version()
        assert (await get(f"{old}/v0/00000.m4s"))[1][:3] == b"OLD"
        assert (await get("v0/00000.m4s"))[1][:3] == b"OLD"
        replace_package(folder, b"NEW")
        clock.now_s += 6
        assert (await get(f"{old}/v0/00000.m4s"))[1][:3] == b"OLD"
        status, text = await get(f"{old}/v0/00001.m4s")
        assert (status, b"was the title replaced?" in text) == (404, True)
        assert (await get(f"{old}/v1/playlist.m3u8"))[0] == 404
        new = await version()
        assert new != old
        for name in ("v0/00000.m4s", "v1/00001.m4s"):
            assert (await get(f"{new}/{name}"))[1][:3] == b"NEW"
        assert (await get("v0/00000.m4s"))[1][:3] == b"NEW"  # names no version: asked for again
