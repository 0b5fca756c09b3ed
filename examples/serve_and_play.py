"""Make a video, encrypt it, serve it through two tiers of caches, and play it over a network.

The video is generated, everything stays on this machine, and it takes about half a minute.
Run it: python examples/serve_and_play.py
"""

import asyncio
import tempfile
from pathlib import Path

from abr.qoe import summary
from abr.trace import Trace
from bench.stack.stack import Stack
from player import play, replay, simulate
from transcode.config import TranscodeConfig
from transcode.generate import write_master
from transcode.package import transcode
from transcode.scenes import SceneSpec

NETWORK = Trace.from_periods([(4, 2e6), (6, 250e3), (10, 2e6)], name="dip")


async def main(folder: Path) -> None:
    """The whole path, in ``folder``."""
    master = await write_master(
        folder / "master.mkv", SceneSpec(width=320, height=180, duration_s=10)
    )
    package = folder / "packages" / "waves"
    config = TranscodeConfig(
        encrypt="aes-128", keys_dir=str(folder / "keys"), segment_s=2, preset="ultrafast"
    )
    index = await transcode(master, package, config)
    print(f"{len(index.video)} rungs, {sum(index.video[0].durations_s):.0f} s, encrypted")

    async with Stack([package], keys=folder / "keys") as stack:
        live = await play(stack.playback_url("waves"), trace=NETWORK, algorithm="bba-0")
        for tier, counts in stack.cache_stats().items():
            print(f"{tier}: {counts['requests']} requests, {counts['hits']} hits")

    simulated = simulate(package, trace=NETWORK, algorithm="bba-0")
    for log in (live, simulated):
        qoe = summary(log)
        print(
            f"{log.provenance['driver']:8} startup {qoe.startup_s:.2f} s, "
            f"stalled {qoe.stall_s:.2f} s, {qoe.mean_bitrate_bps / 1e3:.0f} kbit/s"
        )
    print("replay identical:", replay(live).records == live.records)


with tempfile.TemporaryDirectory() as name:
    asyncio.run(main(Path(name)))
