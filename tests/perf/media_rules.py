"""What Chromium's media element waits for: appends at given times, and what its clock did.

    .venv/bin/python -m tests.perf.media_rules

Nothing but Media Source Extensions, no player: sound in pieces of 0.1 s, pictures one by one. Each
experiment prints what stood still from when to when, and the rule of ``player.presets`` that it
shows; 1 when one no longer holds. Times of the clock are rough to some 0.03 s, as the page looks
a hundred times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from transcode.run.ffmpegtools import find

FRAME_S = 0.04
LIMIT_S = 120.0
NEAR_S = 0.15
PAGE = Path(__file__).with_suffix(".html")

Append = tuple[float, str, int]
"""Seconds after play, ``v`` or ``a``, and how many pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is appended when, and what must come of it."""

    rule: str
    appends: tuple[Append, ...]
    lasts_s: float
    check: Callable[[Seen], bool]
    tracks: tuple[str, ...] = ("v", "a")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the page reports."""

    samples: list[tuple[float, float]] = field(repr=False)
    """Seconds after play, and media time."""
    ends: list[tuple[float, str, float]] = field(repr=False)
    """When what was appended, and where that track's media ended then."""

    def stands(self) -> list[tuple[float, float, float]]:
        """From when to when the clock stood, for 0.1 s and more, and at which media time."""
        found: list[tuple[float, float, float]] = []
        begun, at = self.samples[0]
        for time_s, media_s in self.samples[1:]:
            if media_s > at + 1e-6:
                if time_s - begun > 0.1:
                    found.append((begun, time_s, at))
                begun, at = time_s, media_s
        found.append((begun, self.samples[-1][0], at))
        return [each for each in found if each[1] - each[0] > 0.1]

    def needed_s(self, track: str) -> list[float]:
        """How much of ``track`` there was beyond its end before, when each stand was over."""
        found = []
        for begun, over, _ in self.stands():
            if over == self.samples[-1][0]:
                break
            before = [end for time_s, kind, end in self.ends if kind == track and time_s <= begun]
            then = [end for time_s, kind, end in self.ends if kind == track and time_s <= over]
            found.append((then or [0.0])[-1] - (before or [0.0])[-1])
        return found


def _ramp(begin_s: float, track: str, count: int, every_s: float) -> tuple[Append, ...]:
    return tuple((begin_s + every_s * k, track, 1) for k in range(count))


def _near(found: float, expected: float, within_s: float = NEAR_S) -> bool:
    return abs(found - expected) <= within_s


EXPERIMENTS = {
    "start": Experiment(
        rule="0.2 s of sound start playback",
        appends=((0.3, "v", 500), *_ramp(0.5, "a", 3, 0.4)),
        lasts_s=3.0,
        check=lambda seen: 0.2 <= seen.needed_s("a")[0] < 0.33,
    ),
    "resume": Experiment(
        rule="after each underflow twice as much sound is needed: 0.4, 0.8, 1.6, then 3 s",
        appends=((0.3, "v", 600), (0.3, "a", 10), *_ramp(2.5, "a", 120, 0.2)),
        lasts_s=26.0,
        check=lambda seen: all(
            expected <= needed + 0.02 < expected + 0.15
            for needed, expected in zip(seen.needed_s("a")[1:5], (0.4, 0.8, 1.6, 3.0), strict=True)
        ),
    ),
    "grace": Experiment(
        rule="sound plays on for 3 s without a picture, and one picture ends the stall",
        appends=((0.3, "v", 25), (0.3, "a", 150), (5.0, "v", 75), *_ramp(5.6, "v", 6, 0.3)),
        lasts_s=7.5,
        check=lambda seen: (
            _near(seen.stands()[1][2], 1.0 + 3.0)
            and _near(seen.needed_s("v")[1], 77 * FRAME_S, 2.5 * FRAME_S)
        ),
    ),
    "no-growth": Experiment(
        rule="a stall by the picture leaves the threshold of the sound: 0.4 s after the next",
        appends=((0.3, "v", 25), (0.3, "a", 60), (5.0, "v", 475), *_ramp(9.0, "a", 12, 0.2)),
        lasts_s=12.0,
        check=lambda seen: 0.38 <= seen.needed_s("a")[2] < 0.55,
    ),
}


def make_media(folder: Path) -> None:
    """Pictures of a frame each and sound in pieces of 0.1 s, 30 s of both."""
    ffmpeg, common = find("ffmpeg").path, ["-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]
    video = ["-c:v", "libx264", "-preset", "veryfast", "-g", "1", "-bf", "0", "-pix_fmt", "yuv420p"]
    tracks = {
        "v": ["-i", "testsrc=s=160x90:r=25:d=30", *video, "-hls_time", str(FRAME_S)],
        "a": ["-i", "sine=440:r=48000:d=30", "-c:a", "aac", "-b:a", "64k", "-hls_time", "0.1"],
    }
    for name, made in tracks.items():
        (folder / name).mkdir()
        command = [ffmpeg, "-nostdin", "-v", "error", "-f", "lavfi", *made, "-f", "hls", *common]
        command += ["-hls_segment_filename", f"{name}/%d.m4s", f"{name}/playlist.m3u8"]
        subprocess.run(command, check=True, cwd=folder, timeout=LIMIT_S)


async def watch(experiment: Experiment, media: Path, chromium: str) -> Seen:
    """One experiment in a browser of its own."""
    result: asyncio.Future[dict[str, Any]] = asyncio.Future()

    async def take(request: web.Request) -> web.Response:
        if not result.done():
            result.set_result(await request.json())
        return web.Response()

    async def page(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE)

    async def script(_request: web.Request) -> web.Response:
        return web.json_response(
            {
                "tracks": {name: len(list((media / name).glob("*.m4s"))) for name in ("v", "a")},
                "appends": experiment.appends,
                "lasts_s": experiment.lasts_s,
            }
        )

    app = web.Application(client_max_size=2**24)
    app.router.add_get("/", page)
    app.router.add_get("/script", script)
    app.router.add_post("/result", take)
    app.router.add_static("/media", media)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    profile = tempfile.mkdtemp()
    browser = await asyncio.create_subprocess_exec(
        *(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio"),
        *("--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}"),
        *("--no-first-run", f"http://127.0.0.1:{runner.addresses[0][1]}/"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            found = await result
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        await browser.wait()
        await runner.cleanup()
        await asyncio.to_thread(shutil.rmtree, profile, ignore_errors=True)
    return Seen(samples=found["samples"], ends=found["ends"])


async def run(names: list[str], chromium: str) -> int:
    """Every experiment, a line each; 1 when a rule does not hold."""
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        make_media(Path(folder))
        for name in names:
            experiment = EXPERIMENTS[name]
            seen = await watch(experiment, Path(folder), chromium)
            try:
                holds = experiment.check(seen)
            except IndexError:  # it did not stand still as often as it should
                holds = False
            failed |= not holds
            stood = ", ".join(f"{a:.2f}-{b:.2f} s at {at:.2f} s" for a, b, at in seen.stands())
            sound = ", ".join(f"{each:.2f}" for each in seen.needed_s("a"))
            print(f"{'holds' if holds else 'BROKEN':6} {name:9} {experiment.rule}")
            print(f"       stood {stood}; more sound then: {sound} s", flush=True)
    return int(failed)


def main() -> int:
    """Read the command line and look."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(EXPERIMENTS)}; all if none")
    parser.add_argument("--chromium", default="chromium", help="the browser's program")
    arguments = parser.parse_args()
    return asyncio.run(run(arguments.names or list(EXPERIMENTS), arguments.chromium))


if __name__ == "__main__":
    sys.exit(main())
