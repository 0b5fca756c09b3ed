"""Play subtitles, thumbnails, DASH and encrypted samples in Chromium with hls.js and shaka-player.

    npm install --prefix NODE hls.js shaka-player
    .venv/bin/python -m tests.perf.browser_tracks --node NODE

Prints a line for each: what the page saw of a package made here. hls.js plays the clear playlists
only: what it does with licences is seen elsewhere. shaka-player has the view of playlists for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.perf.browser_playback import Site, make_master, play
from transcode.config import TranscodeConfig
from transcode.files.keystore import KeyStore
from transcode.packaging.views import View, show, view_path
from transcode.run.package import transcode

PAGE = Path(__file__).with_suffix(".html")
CUES = [[0.5, 3.5], [4.0, 6.0], [9.25, 10.0]]
SRT = """1
00:00:00,500 --> 00:00:03,500
over a border

2
00:00:04,000 --> 00:00:06,000
whole segment

3
00:00:09,250 --> 00:00:10,000
the last
"""
# Thumbnails are 2 s apart, so that of 5 s is the third of its row.
THUMBNAIL = "00000.jpg#xywh=320,0,160,90"
PLAYED = [
    ("none", "hls.js", "multivariant.m3u8"),
    *(
        (scheme, "shaka", start)
        for scheme in ("none", "cbcs", "cenc")
        for start in ("multivariant.identity.m3u8", "manifest.mpd")
    ),
]


class TracksSite(Site):
    """As its base, with another page, and the key where playlists look for it."""

    def __init__(self, *, node: Path, package: Path, key: bytes) -> None:
        super().__init__(node=node, master=None, package=package)
        self._key = key
        self.app.router.add_get("/package/key/{kid}", self._send_key)

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=PAGE.read_text(encoding="utf-8"), content_type="text/html")

    async def _send_key(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._key)


def write_views(package: Path) -> None:
    """Put the playlists that an origin shows to shaka-player beside those that are stored."""
    view = View(family="identity")
    for stored in list(package.rglob("*.m3u8")):
        path = stored.relative_to(package).as_posix()
        text = show(stored.read_text(encoding="utf-8"), view)
        (package / view_path(path, view)).write_text(text, encoding="utf-8")


async def make_package(master: Path, folder: Path, scheme: str, keys: KeyStore) -> tuple[str, str]:
    """A package with all that can be beside picture and sound; its key id and key, or nothing."""
    config = TranscodeConfig(
        preset="ultrafast",
        segment_s=2.0,
        ladder="90:100,180:300",
        thumbnails=True,
        subtitles=(f"{master.with_suffix('.srt')}:de",),
        encrypt=scheme,  # type: ignore[arg-type]  # a table
    )
    index = await transcode(master, folder / scheme, config, keys=keys)
    write_views(folder / scheme)
    if index.encryption is None:
        return "", ""
    kid = index.encryption.kids[0]
    return kid, keys.key(index.title, kid).hex()


async def measure(node: Path, chromium: str) -> int:
    """Play everything and print a line for each; 1 when something is wrong."""
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = KeyStore.open(folder / "keys")
        master = folder / "master.mp4"
        make_master(master, 12)
        master.with_suffix(".srt").write_text(SRT, encoding="utf-8")
        made = {
            scheme: await make_package(master, folder, scheme, keys)
            for scheme in ("none", "cbcs", "cenc")
        }
        for scheme, player, start in PLAYED:
            kid, key = made[scheme]
            site = TracksSite(node=node, package=folder / scheme, key=bytes.fromhex(key))
            query = urlencode({"start": start, "kid": kid, "key": key})
            seen: dict[str, Any] = await play(site, f"{player}&{query}", chromium)
            thumbnail = THUMBNAIL if player == "shaka" else None
            is_right = (
                not seen["errors"]
                and seen["cues"] == CUES
                and seen["thumbnail"] == thumbnail
                and seen["time"] > seen["duration"] - 1
            )
            failed |= not is_right
            row = {"encrypt": scheme, "player": player, "start": start, "is_right": is_right}
            print(json.dumps({**row, **seen}), flush=True)
    return int(failed)


def main() -> int:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--node", required=True, help="folder with node_modules")
    parser.add_argument("--chromium", default="chromium", help="the browser's program")
    arguments = parser.parse_args()
    return asyncio.run(measure(Path(arguments.node), arguments.chromium))


if __name__ == "__main__":
    sys.exit(main())
