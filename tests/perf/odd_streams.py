"""Play the streams and servers that are out there, and compare with what ought to happen.

    .venv/bin/python -m tests.perf.odd_streams                   # all; exit code 1 if one is wrong
    .venv/bin/python -m tests.perf.odd_streams --only gap,steer  # names or topics that hold a word
    .venv/bin/python -m tests.perf.odd_streams --ffmpeg          # and what ffmpeg makes of each
    .venv/bin/python -m tests.perf.odd_streams --hlsjs NODE      # and hls.js in Chromium
    .venv/bin/python -m tests.perf.odd_streams --wrong           # print only what is wrong
    .venv/bin/python -m tests.perf.odd_streams --requests        # and what each was asked for
    .venv/bin/python -m tests.perf.odd_streams --serve           # leave the server up, print URLs

Streams are in tests/odd, a module for each topic: a function makes the files and answers, and its
docstring says why the expectation is what it is (a clause of RFC 8216bis, or what players do). Each
lasts three seconds; media are made once, and kept with --media DIR. To add one, write a function
beside the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.fakes.selfsigned import write_certificate
from tests.odd.every import ALL
from tests.odd.hlsjs import hls_js
from tests.odd.media import make_media
from tests.odd.run import Peer, Row, as_dict, ask_ffmpeg, play_all
from tests.odd.server import OddServer
from tests.odd.stream import Odd


def chosen(only: str) -> list[Odd]:
    """Streams whose name or topic holds one of the words."""
    words = [word for word in only.split(",") if word]
    return [odd for odd in ALL if not words or any(w in f"{odd.topic} {odd.name}" for w in words)]


def show(rows: Sequence[Row], arguments: argparse.Namespace) -> None:
    """The table."""
    topic = ""
    for row in rows:
        if arguments.wrong and row.is_right:
            continue
        if row.odd.topic != topic:
            topic = row.odd.topic
            print(f"\n{topic}")
        mark = " " if row.is_right else "!"
        seen = row.seen
        said = row.fault or (seen.error if seen else "") or "; ".join(seen.notes if seen else ())
        peers = "".join(f" {found[:26]:26}" for found in row.peers.values())
        print(f"{mark} {row.odd.name:44} {row.outcome:8}{peers} {said[: arguments.width]}")
        if arguments.requests and seen is not None:
            print("     " + " ".join(each.target for each in seen.asked))


async def measure(arguments: argparse.Namespace) -> int:
    """Play, print, and say whether all is right."""
    odds = chosen(arguments.only)
    with tempfile.TemporaryDirectory() as scratch:
        media = make_media(Path(arguments.media or scratch) / "media")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert, key = Path(scratch) / "cert.pem", Path(scratch) / "key.pem"
        write_certificate(cert, key)
        context.load_cert_chain(cert, key)
        async with OddServer().listening(tls=context) as server:
            if arguments.serve:
                for odd in odds:
                    server.streams[odd.name] = odd.make(media)
                    print(server.url(odd.name, odd.start, odd.host), flush=True)
                await asyncio.sleep(arguments.serve_s)
                return 0
            start_s = time.monotonic()
            async with AsyncExitStack() as stack:
                peers: dict[str, Peer] = {"ffmpeg": ask_ffmpeg} if arguments.ffmpeg else {}
                if arguments.hlsjs:
                    page = await stack.enter_async_context(hls_js(server, Path(arguments.hlsjs)))
                    peers["hls.js"] = page.ask
                rows = await play_all(server, odds, media, jobs=arguments.jobs, peers=peers)
    if arguments.json:
        print(json.dumps([as_dict(row) for row in rows], indent=1))
    else:
        show(rows, arguments)
    wrong = [row for row in rows if not row.is_right]
    counts = Counter(row.outcome for row in rows)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    print(
        f"\n{len(rows)} streams in {time.monotonic() - start_s:.0f} s: {told}; "
        f"{len(wrong)} differ from what is expected",
        file=sys.stderr,
    )
    return int(bool(wrong))


def main() -> int:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="words, separated by commas")
    parser.add_argument("--media", help="folder that keeps the media")
    parser.add_argument("--jobs", type=int, default=8, help="streams at a time")
    parser.add_argument("--width", type=int, default=150, help="of what was said")
    parser.add_argument("--ffmpeg", action="store_true", help="ask ffmpeg too")
    parser.add_argument("--hlsjs", metavar="NODE", help="ask hls.js of NODE/node_modules too")
    parser.add_argument("--json", action="store_true", help="all of it, for programs")
    parser.add_argument("--wrong", action="store_true", help="only what is wrong")
    parser.add_argument("--requests", action="store_true", help="print what was asked for")
    parser.add_argument("--serve", action="store_true", help="serve only")
    parser.add_argument("--serve-s", type=float, default=3600, help="for how long")
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
