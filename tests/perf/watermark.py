"""The watermark, measured: what it costs, what it takes off pictures, whose copies are found.

A film is packaged with and without it, in turn, and the processor time of both is compared. Then
an origin and two tiers serve many sessions, each of which copies a minute from a place of its own,
and every copy is given to ``abr watermark detect``'s parts: as it was downloaded, encoded anew at a
quarter of the size, and mixed of two sessions.

    python -m tests.perf.watermark [--master FILE] [--sessions 200] [--encoded 20] [--mixes 50]
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
import numpy as np

from edge.config import EdgeConfig
from edge.server.app import EDGE
from edge.server.app import make_app as make_edge
from origin.config import OriginConfig, ServerLimits
from origin.server.app import ORIGIN, make_app
from origin.server.httpserver import listening
from origin.server.lanes import Client
from origin.server.store import DirectoryStore
from origin.simplehead import SimpleHeads
from transcode.config import TranscodeConfig
from transcode.files.keystore import KeyStore
from transcode.packaging.index import Track
from transcode.packaging.layout import INIT, segment_name, variant_b
from transcode.run.captures import look_at
from transcode.run.ffmpegtools import find
from transcode.run.generate import write_master
from transcode.run.package import transcode
from transcode.run.packagemedia import PackageMedia
from transcode.scenes import SceneSpec
from transcode.watermark.accusing import accuse, bits_needed
from transcode.watermark.pattern import bit_of, pattern_of, watermark_secret

LIMITS = ServerLimits()
SEGMENT_S = 2.0
MINUTE = 30
"""Segments of a minute."""
LADDER = "180:250,360:800"
FULL_LADDER = "180:250,360:800,720:2500"
"""For cost and quality."""


def tell(line: str) -> None:
    """Print a line at once: a run takes minutes."""
    print(line, flush=True)


def cpu_s() -> float:
    """Processor seconds of this process and the children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


async def packaged(master: Path, out: Path, *, watermark: bool, ladder: str = LADDER) -> float:
    """Package ``master``; processor seconds."""
    began_s = cpu_s()
    config = TranscodeConfig(
        segment_s=SEGMENT_S, ladder=ladder, watermark=watermark, no_cache=True, force=True,
        keys_dir=str(out.parent / "keys"),
    )  # fmt: skip
    await transcode(master, out, config)
    return cpu_s() - began_s


async def cost(master: Path, folder: Path, rounds: int) -> None:
    """What the second variant costs to encode."""
    ratios = []
    for _ in range(rounds):
        plain_s = await packaged(master, folder / "plain", watermark=False, ladder=FULL_LADDER)
        marked_s = await packaged(master, folder / "film", watermark=True, ladder=FULL_LADDER)
        ratios.append(marked_s / plain_s)
    tell(
        f"processor time of --watermark over that without: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}, {rounds} rounds)"
    )


def quality(master: Path, folder: Path) -> None:
    """VMAF and PSNR of 20 s of the top rung, and its size: unmarked, variant A, variant B."""
    index = PackageMedia.open(folder / "film", lambda _title, _kid: b"").index
    track = index.video[-1]
    sizes = {}
    for name, title, bit in (("unmarked", "plain", 0), ("variant A", "film", 0), ("B", "film", 1)):
        data = (folder / title / track.folder / INIT).read_bytes()
        for number in range(len(track.segments)):
            file = segment_name(number)
            data += (
                folder / title / track.folder / (variant_b(file) if bit else file)
            ).read_bytes()
        path = folder / "whole.mp4"
        path.write_bytes(data)
        sizes[name] = len(data)
        graph = (
            "[0:v]settb=AVTB,split[a][a2];"
            f"[1:v]settb=AVTB,scale={track.width}:{track.height}:flags=bicubic,format=yuv420p,"
            "split[b][b2];[a][b]psnr;[a2][b2]libvmaf=n_threads=2"
        )
        done = subprocess.run(
            [find("ffmpeg", ("libvmaf",)).path, "-hide_banner",
             "-t", "20", "-i", str(path), "-t", "20", "-i", str(master),
             "-lavfi", graph, "-f", "null", "-"],
            capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        psnr = done.stderr.partition("PSNR y:")[2].split()[0]
        vmaf = done.stderr.partition("VMAF score: ")[2].split()[0]
        growth = sizes[name] / sizes["unmarked"] - 1
        tell(
            f"{track.width}x{track.height} {name}: VMAF {float(vmaf):.2f}, PSNR {float(psnr):.2f} "
            f"dB, {sizes[name] / 1e6:.2f} MB ({growth:+.1%})"
        )


async def copy(
    client: aiohttp.ClientSession, url: str, token: str, numbers: range, tracks: list[Track]
) -> list[bytes]:
    """What a session downloads, changing rungs as it likes."""
    pieces = []
    for number in numbers:
        path = f"{tracks[number % len(tracks)].folder}/{segment_name(number)}"
        async with client.get(f"{url}/t/{token}/film/{path}") as answer:
            assert answer.status == 200, await answer.text()
            pieces.append(await answer.read())
    return pieces


async def detection(folder: Path, args: argparse.Namespace) -> None:
    """Sessions through two tiers, and whose their copies are."""
    keys = KeyStore.open(folder / "keys")
    secret = watermark_secret(keys)
    media = PackageMedia.open(folder / "film", keys.key)
    tracks = list(media.index.video)
    count = len(tracks[0].segments)
    app = make_app(DirectoryStore(folder / "film"), keys, OriginConfig(), limits=LIMITS)
    rng = np.random.default_rng(1)
    names = [f"session-{number}" for number in range(args.sessions)]
    patterns = [pattern_of(secret, name) for name in names]
    async with listening(app, host="127.0.0.1", port=0, limits=LIMITS) as origin:
        inner_app = make_edge(
            EdgeConfig(parent=origin.url, name="inner"), cache_dir=folder / "inner"
        )
        async with listening(inner_app, host="127.0.0.1", port=0, limits=LIMITS) as inner:
            outer_app = make_edge(
                EdgeConfig(parent=inner.url, name="outer"), cache_dir=folder / "outer"
            )
            async with (
                listening(outer_app, host="127.0.0.1", port=0, limits=LIMITS) as outer,
                aiohttp.ClientSession() as client,
            ):
                issuer = app[ORIGIN].issuer
                found, missed, wrong = 0, 0, 0
                for name, pattern in zip(names, patterns, strict=True):
                    token = issuer.issue(
                        "film", now_s=app[ORIGIN]._now(), session_id=name, watermark=pattern
                    )
                    first = int(rng.integers(0, count - MINUTE + 1))
                    pieces = await copy(
                        client, outer.url, token, range(first, first + MINUTE), tracks
                    )
                    place = folder / "capture"
                    place.mkdir(exist_ok=True)
                    for number, piece in enumerate(pieces):
                        (place / f"{number:03d}.m4s").write_bytes(piece)
                    evidence = await look_at(place, media, tell=lambda _what, _share: None)
                    verdict = accuse(evidence, names, patterns)
                    said = [each.session for each in verdict.named]
                    found += said == [name]
                    missed += name not in said
                    wrong += any(each != name for each in said)
                    for each in place.iterdir():
                        each.unlink()
                tell(
                    f"a minute as downloaded: {found} of {args.sessions} sessions recovered, "
                    f"{missed} missed, {wrong} with somebody else named"
                )
                for tier, edge in (("inner", inner_app[EDGE]), ("outer", outer_app[EDGE])):
                    held = [key for key in edge.index.keys() if key.endswith(".m4s")]  # noqa: SIM118
                    segments = {key.replace(".a.", ".").replace(".b.", ".") for key in held}
                    tell(
                        f"{tier} tier after {args.sessions} sessions: {len(held)} objects for "
                        f"{len(segments)} segments ({len(held) / len(segments):.2f} each)"
                    )
                for name, pattern in zip(names[:16] * 2, patterns[:16] * 2, strict=True):
                    token = issuer.issue(
                        "film", now_s=app[ORIGIN]._now(), session_id=name, watermark=pattern
                    )
                    await copy(client, outer.url, token, range(MINUTE, MINUTE + 1), tracks[:1])
                    async with client.get(f"{outer.url}/t/{token}/film/v0/{INIT}") as answer:
                        await answer.read()
                short_cut(outer_app[EDGE], names[:50], issuer, app[ORIGIN]._now, patterns)


def short_cut(
    edge: object, names: list[str], issuer: object, now: Callable[[], float], patterns: list[bytes]
) -> None:
    """What choosing costs on the short cut: look-ups of hot objects with and without it."""
    hot = edge.hot  # type: ignore[attr-defined]  # an edge
    heads = SimpleHeads()
    here = Client(scheme="http", address="127.0.0.1")
    path = f"/film/v0/{segment_name(MINUTE)}"

    def asked(token: str, path: str) -> object:
        return heads.read(f"GET /t/{token}{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    tokens = [
        issuer.issue("film", now_s=now(), session_id=name, watermark=pattern)  # type: ignore[attr-defined]  # as above
        for name, pattern in zip(names, patterns, strict=False)
    ]
    marked = [asked(token, path) for token in tokens]
    plain = [asked(token, "/film/v0/init.mp4") for token in tokens]
    if not all(hot.find(head, here) for head in (*marked, *plain)):
        tell("short cut: not everything is hot")
        return
    times: dict[str, list[float]] = {"marked": [], "plain": []}
    for _ in range(7):
        for name, chosen in (("plain", plain), ("marked", marked)):
            began_s = time.process_time()
            for _ in range(200):
                for head in chosen:
                    hot.find(head, here)
            times[name].append((time.process_time() - began_s) / 200 / len(chosen))
    own, base = (statistics.median(times[name]) * 1e6 for name in ("marked", "plain"))
    tell(f"short cut: {base:.1f} us a look-up, {own:.1f} us with a choice (+{own - base:.1f})")


def encoded(path: Path, again: Path, how: Sequence[str]) -> None:
    """``path`` as ffmpeg makes it ``again``."""
    command = [find("ffmpeg").path, "-v", "error", "-y", "-i", str(path), *how, str(again)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


async def copies(folder: Path, args: argparse.Namespace) -> None:
    """Copies encoded anew, and mixes."""
    keys = KeyStore.open(folder / "keys")
    secret = watermark_secret(keys)
    media = PackageMedia.open(folder / "film", keys.key)
    track = media.index.video[-1]
    count = len(track.segments)
    names = [f"session-{number}" for number in range(args.sessions)]
    patterns = [pattern_of(secret, name) for name in names]
    rng = np.random.default_rng(2)

    def film(numbers: range, *sessions: int) -> bytes:
        data = b""
        for at, number in enumerate(numbers):
            bit = bit_of(patterns[sessions[int(rng.integers(len(sessions)))]], number)
            init, segment = media.clear(track, [number], bit)
            data += segment if at else init + segment
        return data

    async def named(data: bytes, *encode: str) -> set[str]:
        path = folder / "copy.mp4"
        path.write_bytes(data)
        if encode:
            again = folder / "again.mp4"
            await asyncio.to_thread(encoded, path, again, encode)
            path = again
        evidence = await look_at(path, media, tell=lambda _what, _share: None)
        return {each.session for each in accuse(evidence, names, patterns).named}

    half = f"scale={track.width // 2}:-2"
    hard = ("-vf", half, "-c:v", "libx264", "-preset", "veryfast", "-crf", "30")
    for words, encode in (
        ("cut as a stream copy", ("-ss", "1.3", "-c", "copy")),
        (f"encoded anew ({half}, crf 30)", hard),
    ):
        right = wrong = 0
        for session in range(args.encoded):
            first = int(rng.integers(0, count - MINUTE + 1))
            found = await named(film(range(first, first + MINUTE), session), *encode)
            right += found == {names[session]}
            wrong += bool(found - {names[session]})
        tell(f"a minute {words}: {right} of {args.encoded} recovered, {wrong} with another named")
    needed = bits_needed(args.sessions, colluders=2)
    kinds: list[tuple[str, Sequence[str], int]] = [
        ("", (), args.mixes),
        (", encoded anew", hard, args.encoded // 2),
    ]
    for words, how, mixes in kinds:
        both = one = wrong = 0
        for number in range(mixes):
            pair = (number, args.sessions - 1 - number)
            found = await named(film(range(count), *pair), *how)
            both += found == {names[each] for each in pair}
            one += len(found) == 1
            wrong += bool(found - {names[each] for each in pair})
        tell(
            f"mix of two, {count} segments{words}: both named in {both} of {mixes}, one alone in "
            f"{one}, somebody else in {wrong} (about {needed} bits are needed)"
        )


async def measure(args: argparse.Namespace) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="abr-watermark-") as name:
        folder = Path(name)
        generated = folder / "generated.mkv"
        await write_master(generated, SceneSpec(width=640, height=360, duration_s=args.length_s))
        if args.master:
            await cost(args.master, folder, args.rounds)
            quality(args.master, folder)
        await packaged(generated, folder / "film", watermark=True)
        await detection(folder, args)
        await copies(folder, args)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--master", type=Path, help="film to measure cost and quality with; none: not"
    )
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--encoded", type=int, default=20)
    parser.add_argument("--mixes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--length-s", type=float, default=240.0, help="of the generated film")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
