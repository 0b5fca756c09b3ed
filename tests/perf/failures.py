"""What a failure costs a playback: our player beside hls.js in Chromium, one row for each failure.

    npm install --prefix NODE hls.js
    .venv/bin/python -m tests.perf.failures --node NODE
    .venv/bin/python -m tests.perf.failures --only audio

A server on loopback serves a package of two rungs and one sound, in segments of 2 s, the n-th not
before n seconds have passed, and fails as the row says; times count from the first request. Both
players keep their defaults. Printed for each: how it ended, the media seconds that it played, its
stalls after the first picture, how often it asked for what failed, and the whole time. The table in
docs/failures.md is made of this; without ``--node`` our player is measured alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from abr.qoe import summary
from player import play
from tests.fakes.browser import chromium
from transcode.encryption import encrypt, sequence_iv

LIMIT_S = 75.0
SEGMENT_S, SECONDS = 2, 24
KEY = bytes(range(16))
PAGE = Path(__file__).with_suffix(".html")
TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".mp4": "video/mp4", ".m4s": "video/iso.segment"}


@dataclass(frozen=True)
class Ask:
    """One request for something of a row."""

    host: str
    """``a`` or ``b``."""
    name: str
    """Path within the package."""
    now_s: float
    """Since the first request."""
    count: int
    """How often it was asked for before."""


@dataclass(frozen=True)
class Fault:
    """What a server does in place of answering."""

    status: int = 0
    """0: the connection is closed."""
    retry_after: str = ""
    page: bool = False
    """A page with status 200."""
    silent: bool = False
    """Nothing for a minute."""
    cut: bool = False
    """Half of the body."""


@dataclass(frozen=True)
class Row:
    """One failure."""

    name: str
    fault: Callable[[Ask], Fault | None]
    gaps: tuple[str, ...] = ()
    """Playlists whose fifth segment is an EXT-X-GAP."""
    ways: str = ""
    """A second host: ``redundant`` variants, ``pathways``, or ``steering`` between them."""
    is_encrypted: bool = False
    priority: Callable[[float], list[str]] = lambda _now_s: ["a", "b"]
    """What the steering server ranks first, after so many seconds."""


def _is(ask: Ask, *ends: str) -> bool:
    return any(ask.name.endswith(end) for end in ends)


def _always(*ends: str, **how: Any) -> Callable[[Ask], Fault | None]:
    return lambda ask: Fault(**how) if _is(ask, *ends) else None


def _until(until_s: float, *ends: str, **how: Any) -> Callable[[Ask], Fault | None]:
    return lambda ask: Fault(**how) if _is(ask, *ends) and ask.now_s < until_s else None


def _once(*ends: str, **how: Any) -> Callable[[Ask], Fault | None]:
    return lambda ask: Fault(**how) if _is(ask, *ends) and ask.count == 0 else None


def _dead(host: str, from_s: float) -> Callable[[Ask], Fault | None]:
    def fault(ask: Ask) -> Fault | None:
        return Fault() if ask.host == host and ask.now_s >= from_s else None

    return fault


TOP, LOW, SOUND = "v1", "v0", "a0"
FIFTH = "00004.m4s"
VIDEO = (f"{TOP}/{FIFTH}", f"{LOW}/{FIFTH}")
LISTS = (f"{TOP}/playlist.m3u8", f"{LOW}/playlist.m3u8")

ROWS = [
    Row("multivariant: 404", _always("/multivariant.m3u8", status=404)),
    Row("multivariant: 503 for 1 s", _until(1.0, "/multivariant.m3u8", status=503)),
    Row("media playlist: 404 at one rung", _always(LISTS[0], status=404)),
    Row("media playlist: 404 at the lowest rung", _always(LISTS[1], status=404)),
    Row("media playlist: 404 at all rungs", _always(*LISTS, status=404)),
    Row("media playlist: 503 for 3 s", _until(3.0, *LISTS, status=503)),
    Row("init: 404 at one rung", _always(f"{TOP}/init.mp4", status=404)),
    Row("init: 404 at all rungs", _always(f"{TOP}/init.mp4", f"{LOW}/init.mp4", status=404)),
    Row("key: 403 for 3 s", _until(3.0, "/key", status=403), is_encrypted=True),
    Row("key: 503 for 3 s", _until(3.0, "/key", status=503), is_encrypted=True),
    Row("key: 403", _always("/key", status=403), is_encrypted=True),
    Row("segment: 404 at one rung", _always(VIDEO[0], status=404)),
    Row("segment: 404 at all rungs", _always(*VIDEO, status=404)),
    Row("segment: 403 at all rungs for 8 s", _until(8.0, *VIDEO, status=403)),
    Row("segment: 503 at all rungs for 8 s", _until(8.0, *VIDEO, status=503)),
    Row(
        "segment: 429 with Retry-After 5 for 5 s", _until(5.0, *VIDEO, status=429, retry_after="5")
    ),
    Row("segment: 503 at one rung", _always(VIDEO[0], status=503)),
    Row("segment: no connection for 8 s", _until(8.0, *VIDEO)),
    Row("segment: a page with status 200, once", _once(*VIDEO, page=True)),
    Row("segment: half of it, once", _once(*VIDEO, cut=True)),
    Row("segment: half of it, always", _always(*VIDEO, cut=True)),
    Row("segment: silence at one rung", _always(VIDEO[0], silent=True)),
    Row("audio playlist: 404", _always(f"{SOUND}/playlist.m3u8", status=404)),
    Row("audio init: 404", _always(f"{SOUND}/init.mp4", status=404)),
    Row("audio segment: 404", _always(f"{SOUND}/{FIFTH}", status=404)),
    Row("audio segment: 503 for 8 s", _until(8.0, f"{SOUND}/{FIFTH}", status=503)),
    Row("gap in one rung", lambda _ask: None, gaps=(TOP,)),
    Row("gap in the video of all rungs", lambda _ask: None, gaps=(TOP, LOW)),
    Row("gap in video and sound", lambda _ask: None, gaps=(TOP, LOW, SOUND)),
    Row("gap in the sound", lambda _ask: None, gaps=(SOUND,)),
    Row("redundant variants: first host gone at 8 s", _dead("a", 8.0), ways="redundant"),
    Row("pathways: first host gone at 8 s", _dead("a", 8.0), ways="pathways"),
    Row("pathways: second's segment 404", _always(VIDEO[0], status=404), ways="pathways"),
    Row(
        "steering: another pathway from 5 s on",
        lambda _ask: None,
        ways="steering",
        priority=lambda now_s: ["a", "b"] if now_s < 5.0 else ["b", "a"],
    ),
    Row("steering: 410", _always("/steer", status=410), ways="steering"),
    Row("steering: 429 once", _once("/steer", status=429, retry_after="2"), ways="steering"),
]


@dataclass
class Site:
    """Two hosts that serve the rows, each under ``/NUMBER/PLAYER/``."""

    package: Path
    node: Path | None
    ports: dict[str, int] = field(default_factory=dict)
    begun_s: dict[str, float] = field(default_factory=dict)
    asked: dict[str, list[tuple[float, str, str]]] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both hosts listen."""
        async with AsyncExitStack() as stack:
            for host in "ab":
                app = web.Application()
                app.router.add_get("/", self._page)
                if self.node is not None:
                    app.router.add_static("/node", self.node / "node_modules")
                app.router.add_get("/{row}/{player}/{path:.*}", self._answerer(host))
                runner = web.AppRunner(app, shutdown_timeout=1.0)
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self.ports[host] = runner.addresses[0][1]
            yield

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=PAGE.read_text(encoding="utf-8"), content_type="text/html")

    def _answerer(self, host: str) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(host, request)

        return answer

    async def _answer(self, host: str, request: web.Request) -> web.StreamResponse:
        row = ROWS[int(request.match_info["row"])]
        session = f"{request.match_info['row']}/{request.match_info['player']}"
        name = "/" + request.match_info["path"]
        now_s = time.monotonic() - self.begun_s.setdefault(session, time.monotonic())
        asked = self.asked.setdefault(session, [])
        count = sum(1 for _, by, what in asked if (by, what) == (host, name))
        asked.append((now_s, host, name))
        fault = row.fault(Ask(host, name, now_s, count))
        cors = {"Access-Control-Allow-Origin": "*"}
        if fault is not None and fault.silent:
            await asyncio.sleep(60.0)
        if fault is not None and not fault.cut:
            if fault.page:
                return web.Response(text="<html>down</html>", headers=cors)
            if not fault.status:
                _cut(request)
            headers = {**cors, **({"Retry-After": fault.retry_after} if fault.retry_after else {})}
            return web.Response(status=fault.status or 500, headers=headers)
        if name.endswith(".m4s"):
            await asyncio.sleep(max(0.0, int(Path(name).stem) - now_s))
        body, kind = self._body(row, session, name, now_s)
        if fault is not None:
            response = web.StreamResponse(headers={**cors, "Content-Length": str(len(body))})
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            _cut(request)
            return response
        return web.Response(body=body, headers={**cors, "Content-Type": kind})

    def _body(self, row: Row, session: str, name: str, now_s: float) -> tuple[bytes, str]:
        if name == "/key":
            return KEY, "application/octet-stream"
        if name == "/steer":
            told = {"VERSION": 1, "TTL": 2, "PATHWAY-PRIORITY": row.priority(now_s)}
            return json.dumps(told).encode(), "application/json"
        path = self.package / name[1:]
        body = path.read_bytes()
        folder = path.parent.name
        if name == "/multivariant.m3u8":
            body = self._ways(body.decode(), row, session).encode()
        elif path.suffix == ".m3u8":
            body = _media(body.decode(), row, folder in row.gaps).encode()
        elif path.suffix == ".m4s" and row.is_encrypted:
            body = encrypt(body, KEY, sequence_iv(int(path.stem)))
        return body, TYPES.get(path.suffix, "application/octet-stream")

    def _ways(self, text: str, row: Row, session: str) -> str:
        """The multivariant playlist with every variant at both hosts."""
        if not row.ways:
            return text
        lines = ["#EXTM3U", "#EXT-X-VERSION:7"]
        if row.ways == "steering":
            lines.append('#EXT-X-CONTENT-STEERING:SERVER-URI="steer",PATHWAY-ID="a"')
        found = text.splitlines()
        for host in "ab":
            base = f"http://127.0.0.1:{self.ports[host]}/{session}/"
            for index, line in enumerate(found):
                if line.startswith("#EXT-X-MEDIA:TYPE=AUDIO"):
                    moved = line.replace('URI="', f'URI="{base}')
                    lines.append(moved.replace('GROUP-ID="', f'GROUP-ID="{host}-'))
                elif line.startswith("#EXT-X-STREAM-INF"):
                    moved = line.replace('AUDIO="', f'AUDIO="{host}-')
                    mark = "" if row.ways == "redundant" else f',PATHWAY-ID="{host}"'
                    lines += [moved + mark, base + found[index + 1]]
        return "\n".join(lines) + "\n"


def _cut(request: web.Request) -> None:
    if request.transport is not None:  # None: the player has gone
        request.transport.abort()


def _media(text: str, row: Row, has_gap: bool) -> str:
    """A media playlist with the row's gap and key."""
    lines, count = [], 0
    for line in text.splitlines():
        if line.startswith("#EXTINF"):
            if count == 0 and row.is_encrypted:
                lines.append('#EXT-X-KEY:METHOD=AES-128,URI="../key"')
            if count == 4 and has_gap:
                lines.append("#EXT-X-GAP")
            count += 1
        lines.append(line)
    return "\n".join(lines) + "\n"


def make_package(out: Path) -> None:
    """Two rungs and a sound, as a user makes them."""
    command = [sys.executable, "-m", "abr", "transcode", "--demo", "--demo-s", str(SECONDS)]
    command += ["--segment", str(SEGMENT_S), "--ladder", "90:100,180:300", str(out)]
    subprocess.run(command, check=True, timeout=240, stdout=subprocess.DEVNULL)


async def play_ours(url: str) -> dict[str, Any]:
    """How our player ends."""
    log = await play(url, max_play_s=LIMIT_S)
    found = summary(log)
    return {
        "ended": found.ended,
        "played_s": found.played_s,
        "stalls": found.stall_events,
        "elapsed_s": found.elapsed_s,
    }


async def play_hlsjs(browser: Any, page_url: str) -> dict[str, Any]:
    """How hls.js ends in a page of its own."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(page_url)
        handle = await page.wait_for_function(
            "window.result", timeout=1000 * (LIMIT_S + 30), polling=100
        )
        found: dict[str, Any] = await handle.json_value()
    finally:
        await context.close()
    if found["ended"] == "fatal":
        found["ended"] = f"fatal: {found['fatal']}"
    return found


def _tries(site: Site, session: str, row: Row) -> int:
    """How many requests failed by the row's fault."""
    count: dict[tuple[str, str], int] = {}
    failed = 0
    for now_s, host, name in site.asked.get(session, []):
        before = count.get((host, name), 0)
        count[host, name] = before + 1
        failed += row.fault(Ask(host, name, now_s, before)) is not None
    return failed


async def measure(arguments: argparse.Namespace) -> None:
    """Play every row with both players, some at a time, and print a line for each."""
    node = Path(arguments.node) if arguments.node else None
    numbers = [n for n, row in enumerate(ROWS) if arguments.only in row.name]
    async with AsyncExitStack() as stack:
        package = (
            Path(arguments.package)
            if arguments.package
            else Path(stack.enter_context(tempfile.TemporaryDirectory())) / "film"
        )
        if not package.exists():
            make_package(package)
        site = Site(package, node)
        await stack.enter_async_context(site.running())
        browser = await stack.enter_async_context(chromium()) if node is not None else None
        turns = asyncio.Semaphore(arguments.together)

        async def one(number: int, player: str) -> None:
            host = f"http://127.0.0.1:{site.ports['a']}"
            session = f"{number}/{player}"
            async with turns:
                url = f"{host}/{session}/multivariant.m3u8"
                if player == "abr":
                    found = await play_ours(url)
                else:
                    found = await play_hlsjs(browser, f"{host}/?source={url}&limit={LIMIT_S:g}")
            found |= {"row": ROWS[number].name, "player": player}
            found["failed_requests"] = _tries(site, session, ROWS[number])
            print(json.dumps(found), flush=True)

        players = [name for name in ("abr", "hls.js") if name == "abr" or browser is not None]
        if arguments.player:
            players = [arguments.player]
        await asyncio.gather(*(one(number, player) for player in players for number in numbers))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--node", help="folder with node_modules")
    parser.add_argument("--package", help="a package made before, of segments of 2 s")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--player", choices=["abr", "hls.js"], help="one of them")
    parser.add_argument("--together", type=int, default=6, help="playbacks at a time")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
