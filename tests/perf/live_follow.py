"""Follow a live stream that ffmpeg makes, in real time: stalls, and latency beside the hold-back.

    .venv/bin/python -m tests.perf.live_follow
    .venv/bin/python -m tests.perf.live_follow --shape ts --seconds 60 --segment 2

ffmpeg writes the playlists that its HLS muxer writes for anyone; a plain server hands them out, and
`abr play` plays them for a time over the loopback. Exits with 1 when playback stalled, or when
latency was ever farther than one target duration from the hold-back, or a replay differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from abr.log import SessionLog
from player.api import replay
from player.drivers.replay import differences
from transcode.run.ffmpegtools import find

START_LIMIT_S = 60.0
SHAPES = ("fmp4", "ts", "event")
"""Two rungs and audio of its own, dated; transport streams of one rung; the same as an EVENT."""


def live_command(folder: Path, *, shape: str, segment_s: int) -> list[str]:
    """ffmpeg's arguments for a stream made in real time."""
    frames = str(25 * segment_s)
    command = [find("ffmpeg").path, "-nostdin", "-v", "error", "-y", "-re"]
    command += ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25"]
    command += ["-re", "-f", "lavfi", "-i", "sine=f=440:r=48000"]
    rungs = (200, 600) if shape == "fmp4" else (300,)
    command += ["-map", "0:v"] * len(rungs) + ["-map", "1:a"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    command += ["-g", frames, "-keyint_min", frames, "-sc_threshold", "0", "-c:a", "aac"]
    for number, kbps in enumerate(rungs):
        command += [f"-b:v:{number}", f"{kbps}k"]
    command += ["-f", "hls", "-hls_time", str(segment_s)]
    flags = "independent_segments"
    if shape == "event":
        command += ["-hls_playlist_type", "event"]
    else:
        command += ["-hls_list_size", "6", "-hls_delete_threshold", "6"]
        flags += "+delete_segments"
    if shape != "fmp4":
        return [*command, "-hls_flags", flags, str(folder / "multivariant.m3u8")]
    streams = "v:0,agroup:a,name:low v:1,agroup:a,name:high a:0,agroup:a,default:yes,name:sound"
    command += ["-hls_flags", f"{flags}+program_date_time", "-hls_segment_type", "fmp4"]
    command += ["-master_pl_name", "multivariant.m3u8", "-var_stream_map", streams]
    command += ["-hls_segment_filename", str(folder / "%v-%d.m4s")]
    return [*command, "-hls_fmp4_init_filename", "%v-init.mp4", str(folder / "%v.m3u8")]


async def wait_for(folder: Path, segments: int, encoder: subprocess.Popen[bytes]) -> None:
    """Until the stream has been on air for so many segments."""
    until_s = time.monotonic() + START_LIMIT_S + 10 * segments
    while time.monotonic() < until_s:
        listed = [p.read_text(encoding="utf-8") for p in folder.glob("*.m3u8")]
        media = [text.count("#EXTINF") for text in listed if "#EXTINF" in text]
        if (folder / "multivariant.m3u8").exists() and media and min(media) >= segments:
            return
        if encoder.poll() is not None:
            raise SystemExit("ffmpeg ended before the stream began")
        await asyncio.sleep(0.25)
    raise SystemExit("no stream within the limit")


async def serve(folder: Path) -> tuple[web.AppRunner, str]:
    """A server of the folder, and its address."""
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


async def play(url: str, *, seconds: float, log: Path) -> dict[str, Any]:
    """Play as a user does; the object that `abr play --json` prints."""
    command = [sys.executable, "-m", "abr", "play", url, "--duration", str(seconds)]
    command += ["--json", "--log", str(log)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), timeout=seconds + 60)
    if process.returncode:
        raise SystemExit(f"abr play ended with {process.returncode}")
    found: dict[str, Any] = json.loads(out)
    return found


async def follow(folder: Path, encoder: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    """Serve and play the stream that ``encoder`` makes in ``folder``."""
    runner, address = await serve(folder)
    log = folder / "session.jsonl"
    try:
        await wait_for(folder, 4, encoder)
        found = await play(f"{address}/multivariant.m3u8", seconds=seconds, log=log)
    finally:
        encoder.terminate()
        encoder.wait(timeout=10)
        await runner.cleanup()
    session = SessionLog.loads(log.read_text(encoding="utf-8"))
    latencies_s = [float(record["latency_s"]) for record in session.of("live")]
    differing = len(differences(session, replay(session)))
    return {**found, "latencies_s": latencies_s, "differing": differing}


def judge(shape: str, found: dict[str, Any]) -> bool:
    """Print the figures; whether the bars are met."""
    live, latencies_s = found["live"], found["latencies_s"]
    apart_s = max(abs(each - live["hold_back_s"]) for each in latencies_s)
    is_near = found["stall_events"] == 0 and apart_s <= live["target_duration_s"]
    is_good = bool(is_near and found["differing"] == 0)
    print(
        f"{shape:5} {found['elapsed_s']:.0f} s: {found['stall_events']} stalls of "
        f"{found['stall_s']:.2f} s, startup {found['startup_s']:.2f} s; latency "
        f"{min(latencies_s):.2f} to {max(latencies_s):.2f} s, mean {live['mean_s']:.2f} s, "
        f"hold-back {live['hold_back_s']:g} s: {apart_s:.2f} s apart at most, allowed "
        f"{live['target_duration_s']:g} s; rungs {sorted(set(found['rungs']))}; "
        f"{found['differing']} records differ in a replay; "
        f"{'as it should be' if is_good else 'NOT as it should be'}"
    )
    return is_good


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow one stream, or one of each shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--segment", type=int, default=4)
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=["fmp4"])
    given = parser.parse_args(arguments)
    results = []
    for shape in given.shape:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            command = live_command(folder, shape=shape, segment_s=given.segment)
            encoder = subprocess.Popen(command)
            found = asyncio.run(follow(folder, encoder, given.seconds))
            results.append(judge(shape, found))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
