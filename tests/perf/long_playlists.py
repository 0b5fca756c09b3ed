"""What playlists of 10,000 segments cost: time to read them, and its trace in measured downloads.

Reads one of each kind, alone (``parse``) and as a player takes it (``Source.take``: parsed, placed
on the media timeline, sizes told to the algorithm). Then plays a title over the shaping proxy,
changing its rung with every segment so that long playlists arrive all the time, beside the same
title with short playlists, and compares how long the segments took. The bar is 0.15 s for reading,
of processor time, and 2 % for the downloads.

    .venv/bin/python -m tests.perf.long_playlists
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable

from aiohttp import web

from abr.decision import Decision, Observation
from abr.log import SessionLog
from abr.trace import Trace
from player import play
from player.playback.source import Source
from transcode.playlist import parse

BAR_S, BAR_RATIO = 0.15, 0.02
RUNGS, SEGMENT_BYTES = 4, 100_000
KINDS: dict[str, Callable[[int], list[str]]] = {
    "plain": lambda _: [],
    "bit rates": lambda n: [f"#EXT-X-BITRATE:{1000 + n % 100}"],
    "byte ranges": lambda n: [f"#EXT-X-BYTERANGE:90000@{n * 90000}"],
    "dates": lambda n: [f"#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.{n % 1000:03}Z"],
}
MULTIVARIANT = "#EXTM3U\n" + "".join(
    f"#EXT-X-STREAM-INF:BANDWIDTH={(rung + 1) * 400_000}\nv{rung}.m3u8\n" for rung in range(RUNGS)
)


def media(kind: str, segments: int) -> str:
    """A playlist of 1 s segments with names as long as usual."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1']
    lines = lines if kind != "plain" else lines[:2]
    for n in range(segments):
        lines += [*KINDS[kind](n), "#EXTINF:1.000,", f"media/segment-{n:06}.ts?session=8a6e0804"]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def seconds_of(what: Callable[[], object]) -> float:
    """Processor time: what a busy machine does beside is not counted."""
    begin_s = time.process_time()
    what()
    return time.process_time() - begin_s


def read(kind: str, segments: int, repeats: int) -> tuple[float, float]:
    """Median seconds of ``parse`` and of ``Source.take`` for a second rung."""
    text = media(kind, segments)
    parsed = [seconds_of(lambda: parse(text)) for _ in range(repeats)]
    taken = [seconds_of(second_rung(text)) for _ in range(repeats)]
    return statistics.median(parsed), statistics.median(taken)


def second_rung(text: str) -> Callable[[], object]:
    """What takes the playlist of rung 1, of a title whose rung 0 is known."""
    source = Source("http://h.test/film/m.m3u8")
    (video,) = source.take(source.first_wants[0], MULTIVARIANT, url="http://h.test/m", shown="")
    source.take(video, text, url=video.url, shown="")
    want = source.playlist_for("video", 1)
    assert want is not None
    return lambda: source.take(want, text, url=want.url, shown="")


class Roving:
    """Another rung for each segment."""

    def choose(self, seen: Observation) -> Decision:
        """The next rung, around."""
        return Decision(rung=seen.segment % len(seen.ladder_bps))


async def play_over(segments: int, seconds: float) -> SessionLog:
    """The title with playlists of ``segments``, over 8 Mbit/s, for a while."""
    text = media("plain", segments)

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/m.m3u8":
            return web.Response(text=MULTIVARIANT)
        if request.path.endswith(".m3u8"):
            return web.Response(text=text)
        return web.Response(body=(b"\x47" + bytes(187)) * (SEGMENT_BYTES // 188))

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        return await play(
            f"http://127.0.0.1:{port}/m.m3u8",
            trace=Trace.constant(8e6),
            algorithm=Roving,
            max_play_s=seconds,
        )
    finally:
        await runner.cleanup()


def segment_s(log: SessionLog) -> float:
    """Median seconds of a segment, from request to last byte."""
    asked: dict[int, float] = {r["id"]: r["t"] for r in log.of("fetch") if r["kind"] == "segment"}
    took = [float(r["t"]) - asked[r["id"]] for r in log.of("finished") if r["id"] in asked]
    return statistics.median(took)


def main() -> int:
    """Print the tables; 1 when over a bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=12.0)
    args = parser.parse_args()
    is_over = False
    for kind in KINDS:
        parsed_s, taken_s = read(kind, args.segments, args.repeats)
        is_over |= parsed_s > BAR_S
        print(f"{kind:12} parse {parsed_s:.3f} s, take {taken_s:.3f} s")
    pairs = [  # interleaved
        segment_s(asyncio.run(play_over(count, args.seconds)))
        for _ in range(3)
        for count in (30, args.segments)
    ]
    short_s, long_s = statistics.median(pairs[::2]), statistics.median(pairs[1::2])
    ratio = long_s / short_s - 1
    print(f"a segment beside short playlists {short_s:.4f} s, beside long ones {ratio:+.2%}")
    return 1 if is_over or abs(ratio) > BAR_RATIO else 0


if __name__ == "__main__":
    raise SystemExit(main())
