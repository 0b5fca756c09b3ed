"""Read the playlists that other projects publish as their fixtures, and compare with two peers.

    .venv/bin/python -m tests.perf.published_playlists            # exit code 1 below the bar
    .venv/bin/python -m tests.perf.published_playlists --all      # a line for each that differs
    .venv/bin/python -m tests.perf.published_playlists --cache DIR

Packages are fetched when this runs (npm, pip) and nothing of them is kept. hls-parser's packages
hold no fixtures; it and m3u8-parser are installed as peers, and say how many segments and variants
they find. What breaks a MUST of RFC 8216bis is named in ``BREAKS`` with its clause.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from abr.errors import PlaylistError
from transcode.playlist import MultivariantPlaylist, parse

LIMIT_S = 300.0
BAR = 0.97
NPM = (
    "m3u8-parser@7.2.0",
    "m3u8@0.0.10",
    "@eyevinn/hls-vodtolive@4.1.10",
    "@eyevinn/hls-splice@0.4.11",
    "@eyevinn/hls-truncate@0.3.3",
)
SOURCES = ("streamlink==8.6.3",)
PEERS = ("m3u8-parser@7.2.0", "hls-parser@0.16.1")
BREAKS = {
    "m3u8-parser/empty.m3u8": "4.4.1.1: EXTM3U MUST be the first line",
    "m3u8-parser/manifestNoExtM3u.m3u8": "4.4.1.1: EXTM3U MUST be the first line",
    "m3u8-parser/start.m3u8": "4.4.1.1: EXTM3U MUST be the first line",
    "m3u8-parser/headerOnly.m3u8": "4.4.3.1: a media playlist MUST have EXT-X-TARGETDURATION",
}
"""Fixtures that no client may play, or that are no playlists at all."""

ASK_PEERS = """
const fs = require('fs');
const m3u8 = require('m3u8-parser'), hls = require('hls-parser');
for (const file of fs.readFileSync(0, 'utf8').trim().split('\\n')) {
  const text = fs.readFileSync(file, 'utf8'), found = {};
  try {
    const parser = new m3u8.Parser(); parser.push(text); parser.end();
    const read = parser.manifest;
    found['m3u8-parser'] = [(read.segments || []).length, (read.playlists || []).length];
  } catch (error) { found['m3u8-parser'] = String(error.message).slice(0, 80); }
  try {
    const read = hls.parse(text);
    found['hls-parser'] = [(read.segments || []).length,
      (read.variants || []).filter((each) => !each.isIFrameOnly).length];
  } catch (error) { found['hls-parser'] = String(error.message).slice(0, 80); }
  console.log(JSON.stringify(found));
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One fixture, read by all."""

    name: str
    ours: tuple[int, int] | str
    """Segments and variants, or why not."""
    peers: dict[str, list[int] | str]
    remarks: int


def fetch(folder: Path) -> dict[str, Path]:
    """Fixtures by package and name."""
    for spec in NPM:
        _run("npm", "pack", "--silent", spec, cwd=folder)
    pip = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:")
    for spec in SOURCES:
        _run(*pip, spec, "-d", ".", cwd=folder)
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", *PEERS, cwd=folder)
    found = {}
    for archive in sorted([*folder.glob("*.tgz"), *folder.glob("*.tar.gz")]):
        package = archive.name.rpartition("-")[0]
        home = folder / "out" / package
        with tarfile.open(archive) as opened:
            opened.extractall(home, filter="data")
        for path in sorted(home.rglob("*.m3u8")):
            below = path.relative_to(home).parts
            name = "/".join(below[-2:] if package != "m3u8-parser" else below[-1:])
            found[f"{package}/{name}"] = path
    return found


def read_all(fixtures: dict[str, Path], folder: Path) -> Iterator[Reading]:
    """Every fixture, by us and by the peers."""
    asked = "\n".join(str(path) for path in fixtures.values())
    done = subprocess.run(
        ["node", "-e", ASK_PEERS],
        input=asked, text=True, cwd=folder, capture_output=True, check=True, timeout=LIMIT_S,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    for (name, path), line in zip(fixtures.items(), lines, strict=True):
        text = path.read_bytes().decode("utf-8", errors="replace")
        ours: tuple[int, int] | str
        remarks = 0
        try:
            read = parse(text, uri=path.name)
            remarks = len(read.remarks)
            if isinstance(read, MultivariantPlaylist):
                ours = (0, len(read.variants))
            else:
                ours = (len(read.segments), 0)
        except PlaylistError as exc:
            ours = str(exc)
        yield Reading(name=name, ours=ours, peers=json.loads(line), remarks=remarks)


def ten_thousand_s() -> float:
    """Processor time to read a playlist of 10,000 segments: the least of five."""
    lines = "".join(f"#EXTINF:4.000,\nsegment-{at}.m4s?token=abc\n" for at in range(10_000))
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n{lines}#EXT-X-ENDLIST\n"
    took = []
    for _ in range(5):
        begun = time.process_time()
        parse(text)
        took.append(time.process_time() - begun)
    return min(took)


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL)


def main() -> int:
    """Fetch, read, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", help="folder that keeps what was fetched")
    parser.add_argument("--all", action="store_true", help="also where only peers differ")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.cache or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        readings = list(read_all(fetch(folder), folder))
    lawful = [each for each in readings if each.name not in BREAKS]
    unread = [each for each in lawful if isinstance(each.ours, str)]
    for each in readings:
        agree = [peer for peer, found in each.peers.items() if found == list(each.ours)]
        if isinstance(each.ours, str):
            print(f"{'breaks' if each.name in BREAKS else 'UNREAD'} {each.name}: {each.ours}")
            print(f"       {BREAKS.get(each.name, '')} peers: {each.peers}")
        elif arguments.all and len(agree) < len(each.peers):
            print(f"differs {each.name}: {list(each.ours)}, peers {each.peers}")
    for peer in ("m3u8-parser", "hls-parser"):
        read = [each for each in lawful if not isinstance(each.peers[peer], str)]
        same = [each for each in read if each.peers[peer] == list(each.ours)]
        print(f"{peer}: reads {len(read)} of {len(lawful)}; ours finds the same in {len(same)}")
    share = 1 - len(unread) / len(lawful)
    took_s = ten_thousand_s()
    print(
        f"{len(readings)} fixtures, {len(readings) - len(lawful)} break a MUST; of the others "
        f"{share:.2%} are read (bar {BAR:.0%}), {sum(each.remarks > 0 for each in lawful)} with "
        f"remarks; 10,000 segments take {took_s:.3f} s of processor time"
    )
    return int(share < BAR)


if __name__ == "__main__":
    sys.exit(main())
