"""An edge dies under a browser: hls.js in Chromium, two edges, a director.

    npm install --prefix NODE hls.js
    .venv/bin/python -m tests.perf.browser_steering --node NODE

An origin that says in its playlists where to be steered, a director and two edges run as processes
of their own. The page plays from the edge that the director would choose; after four seconds that
edge is killed. The playback must go on to the end from the other one, without a fatal error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web

from tests.fakes.ports import free_ports

LIMIT_S = 120.0
PAGE = Path(__file__).with_suffix(".html")

TREE = """
[[tier]]
name = "isp"
[[tier]]
name = "origin"
[[server]]
name = "origin"
tier = "origin"
url = "http://127.0.0.1:{origin}"
"""


def _abr(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "abr", *words], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )


def make_package(out: Path, seconds: int) -> None:
    """A package of two rungs."""
    command = [sys.executable, "-m", "abr", "transcode", "--demo", "--demo-s", str(seconds)]
    command += ["--segment", "2", "--ladder", "90:100,180:300", str(out)]
    subprocess.run(command, check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL)


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        answer.raise_for_status()
        return await answer.json()


async def _until_ready(session: aiohttp.ClientSession, origin: str, director: str) -> str:
    """Wait until all are there; the path of a playback, with its token."""
    async with asyncio.timeout(60):
        while True:
            playback: dict[str, Any] = {}
            try:
                servers = (await _json(session, f"{director}/v1/servers"))["servers"]
                playback = await _json(session, f"{origin}/playback/film")
            except aiohttp.ClientError:
                servers = []
            if len(servers) == 3 and all(each["well"] for each in servers):
                return "/t/" + str(playback["url"]).partition("/t/")[2]
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _tree(
    package: Path, folder: Path
) -> AsyncIterator[tuple[str, str, dict[str, subprocess.Popen[bytes]]]]:
    """URLs of origin and director, and the edges by host and port."""
    origin, director, port = range(first := free_ports(3), first + 3)
    topology = folder / "tree.toml"
    topology.write_text(TREE.format(origin=origin), encoding="utf-8")
    told = f"http://127.0.0.1:{director}"
    started = [
        _abr("origin", str(package), "--steering", "--port", str(origin)),
        _abr("director", "--topology", str(topology), "--port", str(director), "--ttl", "2"),
    ]
    edges = {
        f"{host}:{port}": _abr(
            *("edge", "--director", told, "--parent", f"http://127.0.0.1:{origin}"),
            *("--name", f"isp-{host}", "--tier", "isp", "--host", host, "--port", str(port)),
            *("--cache-dir", str(folder / host)),
        )
        for host in ("127.0.0.2", "127.0.0.3")  # clones differ in their host alone
    }
    try:
        yield f"http://127.0.0.1:{origin}", told, edges
    finally:
        for process in (*started, *edges.values()):
            process.terminate()
        for process in (*started, *edges.values()):
            process.wait(15)


class Site:
    """The page and what it reports."""

    def __init__(self, node: Path) -> None:
        self.result: asyncio.Future[dict[str, Any]] = asyncio.Future()
        self.latest_host = ""
        self.begun = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_get("/", self._page)
        self.app.router.add_post("/at", self._at)
        self.app.router.add_post("/result", self._take)
        self.app.router.add_static("/node", node / "node_modules")

    def __repr__(self) -> str:
        return f"<Site, segments come from {self.latest_host or 'nowhere yet'}>"

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=PAGE.read_text(encoding="utf-8"), content_type="text/html")

    async def _at(self, request: web.Request) -> web.Response:
        self.latest_host = await request.text()
        self.begun.set()
        return web.Response()

    async def _take(self, request: web.Request) -> web.Response:
        if not self.result.done():
            self.result.set_result(await request.json())
        return web.Response()


async def measure(node: Path, chromium: str, seconds: int) -> int:
    """Play, kill, and print what the page reports; 1 when the session was lost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await asyncio.to_thread(make_package, folder / "film", seconds)
        async with (
            _tree(folder / "film", folder) as (origin, director, edges),
            aiohttp.ClientSession() as session,
        ):
            path = await _until_ready(session, origin, director)
            host = next(iter(edges))
            site = Site(node)
            runner = web.AppRunner(site.app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = quote(f"http://{host}{path}", safe="")
            profile = tempfile.mkdtemp()
            browser = await asyncio.create_subprocess_exec(
                *(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio"),
                *("--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}"),
                *("--no-first-run", f"http://127.0.0.1:{runner.addresses[0][1]}/?url={url}"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(LIMIT_S):
                    await site.begun.wait()
                    await asyncio.sleep(4.0)
                    killed = site.latest_host
                    edges[killed].send_signal(signal.SIGKILL)
                    seen = await site.result
            finally:
                browser.kill()
                await browser.wait()
                await runner.cleanup()
                await asyncio.to_thread(shutil.rmtree, profile, ignore_errors=True)
    print(json.dumps({"killed": killed, **seen}, indent=1))
    lost = bool(seen["fatal"]) or not seen["ended"] or len(seen["hosts"]) < 2
    print("session lost" if lost else "session went on to its end from the other edge")
    return int(lost)


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--node", required=True, help="folder with node_modules")
    parser.add_argument("--seconds", type=int, default=30, help="length of the film")
    parser.add_argument("--chromium", default="chromium", help="the browser's program")
    arguments = parser.parse_args()
    return asyncio.run(measure(Path(arguments.node), arguments.chromium, arguments.seconds))


if __name__ == "__main__":
    sys.exit(main())
