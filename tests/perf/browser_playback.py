"""Play a package in Chromium with hls.js and shaka-player: errors, sound against picture.

    npm install --prefix NODE hls.js shaka-player
    .venv/bin/python -m tests.perf.browser_playback --node NODE
    .venv/bin/python -m tests.perf.browser_playback --node NODE --package packages/film --no-flashes

The master shows one white frame a second while a beep begins. The page notes the media time of
white frames (requestVideoFrameCallback) and of beeps (an audio worklet, mapped to media time by
pairs of clocks). What the measuring itself adds is the same for every source, so the master is
played first, as a plain file, and its offset is taken off. Rungs are switched every two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from aiohttp import web

from transcode.run.ffmpegtools import find

FRAME_RATE = 25
LIMIT_S = 240.0
FLASH = f"drawbox=c=white:t=fill:enable='eq(mod(n,{FRAME_RATE}),12)'"
BEEP = "0.8*sin(2*PI*1000*t)*between(mod(t,1),0.48,0.54)"

PAGE = Path(__file__).with_suffix(".html")


def make_master(path: Path, seconds: int) -> None:
    """Black pictures with a white one each second, and a beep that begins with it."""
    command = [
        *(find("ffmpeg").path, "-nostdin", "-v", "error", "-y"),
        *("-f", "lavfi", "-i", f"color=black:s=320x180:r={FRAME_RATE}:d={seconds},{FLASH}"),
        *("-f", "lavfi", "-i", f"aevalsrc='{BEEP}':s=48000:d={seconds}"),
        *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
        *("-movflags", "+faststart", str(path)),
    ]
    subprocess.run(command, check=True, timeout=LIMIT_S)


def make_package(master: Path, out: Path) -> None:
    """A package of two rungs, as a user makes it."""
    command = [sys.executable, "-m", "abr", "transcode", str(master), str(out)]
    command += ["--segment", "2", "--ladder", "90:100,180:300"]
    subprocess.run(command, check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL)


class Site:
    """The page, the players, the package, and a place for results."""

    def __init__(self, *, node: Path, master: Path | None, package: Path) -> None:
        self._start = next(
            path.name for path in sorted(package.glob("*.m3u8")) if "STREAM-INF" in path.read_text()
        )
        self.result: asyncio.Future[dict[str, Any]] = asyncio.Future()
        self.app = web.Application(client_max_size=2**24)
        self.app.router.add_get("/", self._page)
        self.app.router.add_post("/result", self._take)
        self.app.router.add_static("/node", node / "node_modules")
        self.app.router.add_static("/package", package)
        if master is not None:
            self.app.router.add_get("/master.mp4", lambda _request: _file(master))

    def __repr__(self) -> str:
        return f"<Site with {self._start}>"

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(
            text=PAGE.read_text(encoding="utf-8").replace("START", self._start),
            content_type="text/html",
        )

    async def _take(self, request: web.Request) -> web.Response:
        if not self.result.done():
            self.result.set_result(await request.json())
        return web.Response()


async def _file(path: Path) -> web.FileResponse:
    return web.FileResponse(path)


async def play(site: Site, player: str, chromium: str) -> dict[str, Any]:
    """What a page of Chromium reports of one playback."""
    runner = web.AppRunner(site.app)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    port = runner.addresses[0][1]
    profile = tempfile.mkdtemp()
    browser = await asyncio.create_subprocess_exec(
        *(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio"),
        *("--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}"),
        *("--no-first-run", f"http://127.0.0.1:{port}/?player={player}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            return await site.result
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        await browser.wait()
        await runner.cleanup()
        await asyncio.to_thread(shutil.rmtree, profile, ignore_errors=True)


def offsets_ms(seen: dict[str, Any]) -> list[float]:
    """By how much each beep comes after its flash, in media time."""
    clocks = [tuple(pair) for pair in seen["clocks"]]
    beeps = [_mapped(beep, clocks) for beep in seen["beeps"]]
    found = []
    for flash in seen["flashes"]:
        near = [beep for beep in beeps if abs(beep - flash) < 0.4]
        if near:
            found.append(1000 * (min(near, key=lambda beep: abs(beep - flash)) - flash))
    return found


def _mapped(beep: float, clocks: list[tuple[float, float]]) -> float:
    """Media time of an audio clock's time: the median over half a second of pairs around it."""
    near = [media - clock for clock, media in clocks if abs(clock - beep) < 0.25]
    return beep + median(near) if near else -1.0


async def measure(arguments: argparse.Namespace) -> int:
    """Play everything and print a line for each; 1 when something is wrong."""
    node, chromium = Path(arguments.node), arguments.chromium
    with tempfile.TemporaryDirectory() as folder:
        master = Path(folder) / "master.mp4"
        package = Path(arguments.package) if arguments.package else Path(folder) / "film"
        if not arguments.no_flashes:
            make_master(master, arguments.seconds)
        if not arguments.package:
            make_package(master, package)
        players = ["hls.js", "shaka"] if arguments.no_flashes else ["plain", "hls.js", "shaka"]
        base, failed = 0.0, False
        for player in players:
            source = None if arguments.no_flashes else master
            site = Site(node=node, master=source, package=package)
            seen = await play(site, player, chromium)
            offsets = offsets_ms(seen)
            row: dict[str, Any] = {"player": player, "errors": seen["errors"]}
            row |= {key: seen[key] for key in ("ended", "duration", "shown", "dropped", "sizes")}
            if offsets:
                base = median(offsets) if player == "plain" else base
                row["marks"] = len(offsets)
                row["sound_late_ms"] = round(median(offsets) - base, 1)
                thirds = max(1, len(offsets) // 3)
                row["drift_ms"] = round(median(offsets[-thirds:]) - median(offsets[:thirds]), 1)
            frame_ms = 1000 / FRAME_RATE
            apart = max(abs(row.get("sound_late_ms", 0.0)), abs(row.get("drift_ms", 0.0)))
            failed |= bool(seen["errors"]) or not seen["ended"] or apart > frame_ms
            print(json.dumps(row), flush=True)
    return int(failed)


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--node", required=True, help="folder with node_modules")
    parser.add_argument("--package", help="a package to play instead of a generated one")
    parser.add_argument("--no-flashes", action="store_true", help="it has no flashes: errors only")
    parser.add_argument("--seconds", type=int, default=12, help="length of the generated master")
    parser.add_argument("--chromium", default="chromium", help="the browser's program")
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
